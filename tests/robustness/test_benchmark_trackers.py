"""`tools/benchmark_trackers.py` from nothing to the report: killed, resumed, asked again."""

import csv
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from workshop import EVERY_OBJECT, ROOT, TINY, load_tool

TOOL = ROOT / 'tools' / 'benchmark_trackers.py'
BUDGET = 30
SUITE = f"""
title = 'Tiny'
data = {str(TINY)!r}
budget = {BUDGET}
rows = [
    dict(name='good', config='config.py'),
    dict(name='dies', config='config.py', overrides={{'model.sgla.num_heads': 5}}),
    dict(name='ByteTrack', config='{ROOT}/configs/peers/bytetrack_people.py', detections='good'),
]
"""


def wait_for(condition):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError('it did not come to pass within five minutes')


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob('*/*.json')}


def test_killed_resumed_and_asked_again(workshop):
    """SIGKILL to the runner while it trains. The second call resumes the training at its last
    checkpoint, a row that dies is left empty, a third call runs nothing."""
    workshop.sequence('one', length=5)
    workshop.sequence('c', length=4, split='val')
    assert workshop.convert() == 0
    workshop.config(EVERY_OBJECT)
    Path('suite.py').write_text(SUITE)
    call = [sys.executable, TOOL, 'suite.py', '--work-dir', 'bench', '--jobs', '1']
    jobs = Path('bench/jobs')

    runner = workshop.start(*call)
    wait_for(lambda: list(jobs.glob('good-seed-0-train_*/iter_3.pth')))
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    (train,) = jobs.glob('good-seed-0-train_*')
    assert not (train / 'done.json').exists()
    time.sleep(1)
    kept = sorted(path.name for path in train.glob('iter_*.pth'))
    time.sleep(1)
    assert sorted(path.name for path in train.glob('iter_*.pth')) == kept, 'nothing trains on'

    status, output = workshop.run(*call)
    assert status == 1, output
    assert (
        'Resumed' in (train / 'log.txt').read_text()
        or 'resumed epoch' in (train / 'log.txt').read_text()
    )
    assert (train / 'last_checkpoint').read_text().endswith(f'iter_{BUDGET}.pth')
    lines = list(csv.DictReader(Path('bench/suite/report.csv').read_text().splitlines()))
    means = {line['row']: line for line in lines if line['seed'] == 'mean'}
    assert float(means['good']['DetA']) > 0 and float(means['good']['fps']) > 0
    assert means['good']['parameters'] == means['ByteTrack (thresholds 0.5)']['parameters']
    assert 'dies, seed 0: train failed: ' in means['dies']['reason']
    assert means['dies']['HOTA'] == ''
    assert Path('bench/suite/report.html').is_file() and Path('bench/suite/report.md').is_file()

    before = files_of(jobs)
    status, output = workshop.run(*call)
    after = files_of(jobs)
    # only what failed is tried again
    changed = {path.parent.name.split('_')[0] for path in after if after[path] != before.get(path)}
    assert changed == {'dies-seed-0-train'}, output
    assert f'of {len(before)} jobs' not in output and 'are there already' in output


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['gone.py'], 'suite or config gone.py does not exist'),
        (['suite.py', '--weights', 'good'], '--weights good: write ROW=FILE'),
        (['suite.py', '--seeds', '0'], '--seeds 0: 1 or more'),
        (['suite.py', '--jobs', '0'], '--jobs and --gpus: 1 or more'),
        (['suite.py', '--launcher', 'slurm'], '--launcher slurm needs --partition'),
        (['suite.py', '--tuned', 'gone.json'], '--tuned gone.json cannot be read'),
        (['suite.py', '--data', 'gone.py'], '--data: config gone.py does not exist'),
    ],
)
def test_wrong_options_are_one_line_before_anything_runs(workshop, capsys, arguments, message):
    Path('suite.py').write_text(SUITE)
    with pytest.raises(SystemExit) as caught:
        load_tool('benchmark_trackers').main([*arguments, '--work-dir', 'bench'])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not Path('bench').exists()
