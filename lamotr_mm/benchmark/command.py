"""A whole benchmark: plan, run, measure, report."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from mmengine.config import Config
from rich.console import Console

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.version import __version__

from .disagreement import strips
from .jobs import PACKAGE, TESTING, Job, code_version, key_of, library_versions
from .plan import Entry, Options, Planner
from .progress import Watcher
from .report import Facts, write_report
from .running import only_one, run_jobs
from .suite import Suite
from .table import Table, collect


def benchmark(suite: Suite, options: Options, slots: int, out: Path) -> int:
    """Run a suite and write its report.

    Args:
        suite: checked (`choose`).
        options: how.
        slots: processes at once.
        out: folder of the report.

    Returns:
        int: 0, or 1 where a row is empty.

    Raises:
        ValueError: an option does not fit, before anything is run.
    """
    if slots < 1 or options.gpus < 1:
        raise ValueError('--jobs and --gpus: 1 or more')
    if options.launcher == 'slurm' and not options.partition:
        raise ValueError('--launcher slurm needs --partition')
    console = Console(width=None if Console().is_terminal else 160, soft_wrap=True)
    entries = Planner(suite, options).entries()
    for entry in entries:
        if entry.reason:
            console.print(f'{entry.name}: cannot run: {entry.reason}', highlight=False)
    environment = _environment(options)
    with only_one(options.folder):
        jobs = in_order(entries)
        with Watcher(jobs, console) as watch:
            run_jobs(jobs, slots, watch, environment)
        speed = speed_job(entries, options)
        if speed is not None and not speed.done:
            # alone: nothing else takes its time
            with Watcher([speed], console) as watch:
                run_jobs([speed], 1, watch, environment)
        table = collect(entries, speed, suite.reference)
        return report(table, entries, suite, options, out, console)


def report(
    table: Table, entries: list[Entry], suite: Suite, options: Options, out: Path, console: Console
) -> int:
    """Write the report and, where thresholds were tuned, ``tuned.json``; 1 where a row is empty."""
    folders = {row.name: row.folders[0] for row in table.filled(oracles=False)}
    shown = []
    if folders:
        shown = strips(folders, Config.fromfile(next(iter(folders.values())) / 'config.py'))
    files = write_report(out, table, facts_of(suite, options, table), shown)
    tuned = tuned_settings(entries)
    if tuned:
        files.append(out / 'tuned.json')
        with replace_on_success(files[-1]) as part:
            part.write_text(json.dumps(dict(settings=tuned), indent=1))
    for row in table.rows:
        hota = f'HOTA {row.scores["HOTA"].mean:.1f}' if row.scores else f'empty: {row.reason}'
        console.print(f'{row.name}: {hota}', highlight=False)
    for file in files:
        console.print(str(file), highlight=False)
    return 0 if all(row.counts is not None for row in table.rows) else 1


def in_order(entries: Iterable[Entry]) -> list[Job]:
    """All jobs, each once, after those that it needs."""
    found: dict[int, Job] = {}

    def add(job: Job) -> None:
        for need in job.needs:
            add(need)
        found.setdefault(id(job), job)

    for entry in entries:
        for run in entry.runs:
            add(run.test)
    return list(found.values())


def speed_job(entries: list[Entry], options: Options) -> Job | None:
    """Measures a frame of each row, of its first seed; of all rows anew when one is new."""
    tests = {
        entry.name: str(entry.runs[0].test.folder)
        for entry in entries
        if entry.runs and entry.runs[0].test.done and not entry.oracle
    }
    if not tests:
        return None
    key = key_of('speed', tests, hardware(), code_version(TESTING))
    folder = options.folder / 'jobs' / f'speed_{key}'
    command = [sys.executable, '-m', 'lamotr_mm.benchmark.workers', 'speed', str(folder)]
    return Job('frames per second', folder, command, spec=dict(tests=tests))


def tuned_settings(entries: Iterable[Entry]) -> dict[str, dict]:
    """Name of a peer -> thresholds, of the first seed."""
    found = {}
    for entry in entries:
        tune = entry.runs[0].tune if entry.runs else None
        if tune is not None and tune.done:
            found[entry.peer] = json.loads((tune.folder / 'settings.json').read_text())['settings']
    return found


def facts_of(suite: Suite, options: Options, table: Table) -> Facts:
    """What the report says beside the numbers."""
    facts = dict(
        data=f'{suite.data}, {options.split} split, {len(table.sequences)} sequences',
        budget=f'{suite.budget} iterations' if suite.budget else 'as in the configs',
        seeds=str(suite.seeds),
        precision='mixed in training' if options.amp else 'float32',
        hardware=hardware(),
        version=f'lamotr_mm {__version__}{_commit()}',
        libraries=', '.join(f'{k} {v}' for k, v in library_versions().items()),
    )
    if not table.no_marks:
        facts['marks against'] = table.reference
    return Facts(suite.title, facts)


def hardware() -> str:
    """Name of the GPU, or of the CPU with its number of cores."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return (
        f'{names[0]}, {len(names)} cores' if names else platform.processor() or platform.machine()
    )


def _commit() -> str:
    command = ['git', '-C', str(PACKAGE), 'describe', '--always', '--dirty']
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ''
    return f', commit {done.stdout.strip()}'


def _environment(options: Options) -> dict[str, str]:
    """Of the jobs: one thread each on a CPU, and this very package."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get('PYTHONPATH')]))
    found = dict(PYTHONPATH=path, GPUS=str(options.gpus))
    if not torch.cuda.is_available():
        found['OMP_NUM_THREADS'] = '1'
    return found
