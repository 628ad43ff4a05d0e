"""`tools/benchmark_trackers.py` from nothing to the report: killed, resumed, asked again."""

import csv
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from workshop import EVERY_OBJECT, ROOT, TINY, load_tool

TOOL = ROOT / 'tools' / 'benchmark_trackers.py'
BUDGET = 20
SUITE = f"""
title = 'Tiny'
data = {str(TINY)!r}
budget = {BUDGET}
rows = [dict(name='good', config='config.py')]
"""
DIES = """
_base_ = './suite.py'
rows = [*_base_.rows, dict(name='dies', config='config.py', overrides={'model.sgla.num_heads': 5})]
"""


def test_killed_resumed_and_asked_again(workshop, monkeypatch, capsys):
    """SIGKILL to the runner while it trains. The second call resumes the training at its last
    checkpoint, a row that dies is left empty, a third call runs nothing."""
    workshop.sequence('one', length=5)
    workshop.sequence('c', length=4, split='val')
    assert workshop.convert() == 0
    workshop.config(EVERY_OBJECT)
    Path('suite.py').write_text(SUITE)
    Path('both.py').write_text(DIES)
    options = ['--work-dir', 'bench', '--jobs', '1']
    jobs = Path('bench/jobs')

    runner = workshop.start(sys.executable, TOOL, 'suite.py', *options)
    wait_for(lambda: list(jobs.glob('good-seed-0-train_*/iter_*.pth')))
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    (train,) = jobs.glob('good-seed-0-train_*')
    assert not (train / 'done.json').exists()

    monkeypatch.setenv('PYTHONPATH', workshop.environment()['PYTHONPATH'])
    benchmark = load_tool('benchmark_trackers').main
    assert benchmark(['both.py', *options]) == 1
    assert re.search(r'resumed epoch: 0, iter: [1-9]', (train / 'log.txt').read_text())
    assert (train / 'last_checkpoint').read_text().endswith(f'iter_{BUDGET}.pth')
    means = means_of('bench/both/report.csv')
    assert float(means['good']['DetA']) > 0 and float(means['good']['fps']) > 0
    assert means['dies']['reason'].startswith('dies, seed 0: train failed: ')
    assert means['dies']['HOTA'] == ''

    before = files_of(jobs)
    capsys.readouterr()
    assert benchmark(['suite.py', *options]) == 0
    assert files_of(jobs) == before
    assert '2 of 2 jobs are there already' in capsys.readouterr().out
    assert means_of('bench/suite/report.csv')['good'] == means['good']


def means_of(file):
    lines = csv.DictReader(Path(file).read_text().splitlines())
    return {line['row']: line for line in lines if line['seed'] == 'mean'}


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob('*')}


def wait_for(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError('it did not come to pass within ten minutes')


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
