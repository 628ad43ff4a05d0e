"""What the command lines that prepare data share: arguments, progress bars, tables, errors."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Shows a bar while the block runs.

    Yields:
        Callable[[], None]: To be called after each of the `total` steps (None: unknown).
    """
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn()) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)


def print_table(title: str, rows: list[dict]) -> None:
    """Prints rows that share their keys: the first column to the left, the others to the right."""
    table = Table(title=title, title_justify='left', box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, name in enumerate(rows[0]):
        table.add_column(name.replace(' ', '\n'), justify='right' if index else 'left')
    for row in rows:
        table.add_row(*map(str, row.values()))
    # wide enough for any row: a narrow terminal wraps lines, but values are not cut
    Console(width=1000).print(table)


def print_notes(notes: list[str]) -> None:
    """Prints what was assumed, each once."""
    for note in dict.fromkeys(notes):
        print(f'assumed: {note}')


def make_parser(description: str, out: str, partial: bool = True) -> argparse.ArgumentParser:
    """Parser of SRC, ``--out`` (default: `out`) and, if `partial`, ``--allow-partial``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', type=Path, help='folder of the download')
    parser.add_argument('--out', type=Path, default=Path(out), help=f'default: {out}')
    if partial:
        text = 'convert what is there of an incomplete download'
        parser.add_argument('--allow-partial', action='store_true', help=text)
    return parser


def report(out: Path, rows: list[dict], missing: list[str]) -> None:
    """Prints what was made in `out`, and what was missing in the download."""
    print_table(str(out), rows)
    for line in missing:
        print(f'left out: {line}')


def exit_status(command: Callable[[], None]) -> int:
    """Runs a command and returns its exit status; what is wrong is one message on stderr."""
    try:
        command()
    except (ValueError, OSError) as error:
        print(f'\nerror: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\ninterrupted: the same call goes on where this one stopped', file=sys.stderr)
        return 130
    return 0
