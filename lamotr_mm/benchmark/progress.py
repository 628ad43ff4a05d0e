"""What a benchmark that takes hours shows while it runs."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Remaining

from lamotr_mm.visualization.curves import find_scalars

from .jobs import Job

QUIET = 300  # seconds between lines where the output is no terminal


class Watcher:
    """Bars on a terminal, lines elsewhere; to be called by `run_jobs`.

    Args:
        jobs: all of them.
        console: to write to.
    """

    def __init__(self, jobs: Sequence[Job], console: Console) -> None:
        self.console = console
        self.total = len(jobs)
        self.ended = sum(job.done for job in jobs)
        self._seen: set[int] = set()
        self._last = time.monotonic()
        columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn()
        self._bars = Progress(*columns, TimeElapsedColumn(), Remaining(), console=console)
        self._tasks = {
            id(self): self._bars.add_task('jobs', total=self.total, completed=self.ended)
        }

    def __enter__(self) -> 'Watcher':
        if self.console.is_terminal:
            self._bars.start()
        if self.ended:
            self.console.print(f'{self.ended} of {self.total} jobs are there already')
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, running: Sequence[Job], ended: Sequence[Job]) -> None:
        """Show what runs, and what has ended since the last call."""
        for job in ended:
            self.ended += 1
            outcome = f'[red]failed[/red]: {job.reason}' if job.reason else f'{job.seconds:.0f} s'
            self._say(f'{job.label}: {outcome}')
            if id(job) in self._tasks:
                self._bars.remove_task(self._tasks.pop(id(job)))
        self._bars.update(self._tasks[id(self)], completed=self.ended)
        for job in running:
            if id(job) not in self._seen:
                self._seen.add(id(job))
                self._tasks[id(job)] = self._bars.add_task(job.label, total=job.iterations)
                if not self.console.is_terminal:
                    self._say(f'{job.label}: started')
        if time.monotonic() - self._last > (1 if self.console.is_terminal else QUIET):
            self._last = time.monotonic()
            self._show(running)

    def _show(self, running: Sequence[Job]) -> None:
        for job in running:
            done = iterations_done(job.folder) if job.iterations else None
            if done is not None:
                self._bars.update(self._tasks[id(job)], completed=done)
                if not self.console.is_terminal:
                    self._say(f'{job.label}: {done} of {job.iterations} iterations')

    def _say(self, text: str) -> None:
        self.console.print(
            f'{time.strftime("%H:%M:%S")} [{self.ended}/{self.total}] {text}', highlight=False
        )


def iterations_done(folder: Path) -> int | None:
    """The iteration that a training logged last; None before it logged any."""
    for file in reversed(find_scalars(folder)):
        for line in reversed(file.read_text().splitlines()):
            try:
                record = json.loads(line)
            except json.JSONDecodeError:  # written this moment
                continue
            if 'iter' in record:
                return int(record['iter'])
    return None
