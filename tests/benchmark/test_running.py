"""Processes end well, badly, or with the runner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lamotr_mm.benchmark.jobs import Job, reason_of
from lamotr_mm.benchmark.running import only_one, run_jobs

HERE = Path(__file__).resolve().parents[2]


@pytest.fixture
def job(tmp_path):
    def job(name, code='', needs=()):
        code = f'open({str(tmp_path / "order.txt")!r}, "a").write("{name}\\n")\n{code}'
        return Job(name, tmp_path / name, [sys.executable, '-c', code], list(needs))

    return job


def order(tmp_path):
    return (tmp_path / 'order.txt').read_text().split()


def watch(running, ended):
    """Nothing to show."""


def test_in_the_order_that_they_need_each_other(job, tmp_path):
    first = job('first')
    second = job('second', needs=[first])
    last = job('last', needs=[first, second])
    run_jobs([last, second, first], 3, watch)
    assert order(tmp_path) == ['first', 'second', 'last']
    assert all(each.done and each.seconds > 0 for each in (first, second, last))
    run_jobs([last, second, first], 3, watch)
    assert len(order(tmp_path)) == 3, 'what is done is not run again'


def test_what_fails_leaves_a_reason_and_the_others_go_on(job, tmp_path):
    bad = job('bad', 'import sys; print("ValueError: no such frame"); sys.exit(3)')
    after = job('after', needs=[bad])
    good = job('good')
    seen = []
    run_jobs([bad, after, good], 1, lambda running, ended: seen.extend(j.label for j in ended))
    assert good.done and not bad.done and not after.done
    assert bad.reason == f'ValueError: no such frame ({bad.folder / "log.txt"})'
    assert after.reason.startswith('bad failed: ValueError: no such frame')
    assert sorted(seen) == ['after', 'bad', 'good']
    bad.reason = ''
    run_jobs([bad], 1, watch)
    assert order(tmp_path).count('bad') == 2, 'what failed is tried again by the next call'


def test_no_more_at_once_than_there_are_slots(job):
    jobs = [job(f'j{k}', 'import time; time.sleep(0.3)') for k in range(5)]
    most = []
    run_jobs(jobs, 2, lambda running, ended: most.append(len(running)))
    assert max(most) == 2


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('a\nTraceback\n  File "x"\nmmcv.MyError: no\n  and more\n', 'mmcv.MyError: no'),
        ('usage: train.py\ntrain.py: error: --x\n', 'train.py: error: --x'),
        ('one\ntwo\n\n', 'two'),
        ('', 'it ended without a word'),
    ],
)
def test_reason_of_an_output(text, reason):
    assert reason_of(text) == reason


def test_a_second_runner_waits(tmp_path):
    refused = pytest.raises(ValueError, match='another benchmark runs in')
    with only_one(tmp_path), refused, only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux tells a child of its parent')
@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT])
def test_a_runner_that_is_killed_leaves_nothing_running(tmp_path, number):
    """Its job writes its process id and would run on for a minute."""
    code = (
        'import signal, sys; from pathlib import Path\n'
        # a shell may have let this process ignore it
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        'from lamotr_mm.benchmark.jobs import Job\n'
        'from lamotr_mm.benchmark.running import run_jobs\n'
        f'folder = Path({str(tmp_path)!r})\n'
        'sleep = "import os, time; open(\'pid.part\', \'w\').write(str(os.getpid()));'
        ' os.rename(\'pid.part\', \'pid\'); time.sleep(60)"\n'
        'run_jobs([Job("j", folder / "j", [sys.executable, "-c", sleep])], 1, lambda *_: None)\n'
    )  # fmt: skip
    runner = subprocess.Popen(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env=os.environ | dict(PYTHONPATH=str(HERE)),
        stderr=subprocess.DEVNULL,
    )
    wait_for((tmp_path / 'pid').is_file)
    child = int((tmp_path / 'pid').read_text())
    runner.send_signal(number)
    runner.wait(timeout=60)
    wait_for(lambda: not alive(child))
    assert not (tmp_path / 'j' / 'done.json').exists()


def alive(process):
    """Whether it runs; one that has ended but is not yet collected does not."""
    try:
        return Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def wait_for(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError('it did not come to pass within two minutes')
