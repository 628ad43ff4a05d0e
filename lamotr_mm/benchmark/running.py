"""Processes: some jobs at once, each with one thread, and none left behind."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .jobs import Job

POLL = 0.2  # seconds
# called with the jobs that run, and those that ended since the last call
Watch = Callable[[Sequence[Job], Sequence[Job]], None]
_PR_SET_PDEATHSIG = 1


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keeps a second runner out of the folder; a killed one holds nothing.

    Raises:
        ValueError: there is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / '.lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(
                f'another benchmark runs in {folder}: wait for it, or name another --work-dir'
            ) from error
        yield


def run_jobs(
    jobs: Sequence[Job], slots: int, watch: Watch, environment: Mapping[str, str] | None = None
) -> None:
    """Run all jobs that are not done; what fails has a `reason`, and so has what needs it.

    Args:
        jobs: with those that they need.
        slots: processes at once.
        watch: called again and again.
        environment: variables beside those of this process.
    """
    waiting = [job for job in jobs if not job.done and not job.reason]
    running: dict[subprocess.Popen, tuple[Job, float]] = {}
    try:
        while waiting or running:
            ended = _failed_by_others(waiting)
            for job in _ready(waiting, slots - len(running)):
                waiting.remove(job)
                running[start(job, environment)] = job, time.monotonic()
            for process in [p for p in running if p.poll() is not None]:
                job, since = running.pop(process)
                well = process.returncode == 0
                job.finish(time.monotonic() - since, well)
                job.reason = '' if well else job.failure()
                ended.append(job)
            watch([job for job, _ in running.values()], ended)
            time.sleep(POLL)
    finally:
        for process, (job, since) in running.items():
            end(process)
            job.finish(time.monotonic() - since, well=False)


def _failed_by_others(waiting: list[Job]) -> list[Job]:
    """Take jobs out that need what has failed."""
    failed = []
    for job in list(waiting):
        causes = [need for need in job.needs if need.reason]
        if causes:
            job.reason = f'{causes[0].label} failed: {causes[0].reason}'
            waiting.remove(job)
            failed.append(job)
    return failed


def _ready(waiting: Sequence[Job], free: int) -> list[Job]:
    return [job for job in waiting if all(need.done for need in job.needs)][: max(0, free)]


def start(job: Job, environment: Mapping[str, str] | None = None) -> subprocess.Popen:
    """Start a job's process, leader of a group; it ends with this process, however that ends."""
    job.prepare()
    with open(job.folder / 'log.txt', 'w') as log:
        return subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=_end_with_parent if sys.platform == 'linux' else None,
            env=os.environ | dict(PYTHON=sys.executable) | dict(environment or {}),
        )


def _end_with_parent() -> None:
    """Linux sends the process a signal when its parent has died, also by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end(process: subprocess.Popen, patience: float = 10) -> None:
    """Ask a process and what it started to end, then make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        return
