"""Check the data of a config: `python tools/check_dataset.py CONFIG [options]`.

Exit status: 0 nothing wrong, 1 problems were found, 2 the call itself is wrong.
"""

import argparse
import sys
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.preparation.annotation_checks import Report
from lamotr_mm.preparation.checks import SPLITS, SUBMISSION, check_set, find_sets, open_set
from lamotr_mm.preparation.cocovid import write_json

MAX_VIDEOS = 200  # rows in the table of videos; in a larger set only those with problems
MAX_OF_A_KIND = 10  # rows in the table of problems


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Check the data of a config')
    parser.add_argument('config', help='config file, for example configs/lamotr_dancetrack.py')
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=(*SPLITS, SUBMISSION),
        default=SPLITS,
        help='default: train val test; submission is the split for the test server',
    )
    parser.add_argument(
        '--fast', action='store_true', help='only the header and the end of each image'
    )
    parser.add_argument('--jobs', type=int, default=2, help='threads that read images (default 2)')
    parser.add_argument('--out', type=Path, help='json with the whole report')
    add_cfg_options(parser)
    return parser


def check(args: argparse.Namespace, console: Console) -> list[tuple[str, Report]]:
    """Checks set after set; those without files are only named.

    Returns:
        list[tuple[str, Report]]: Splits and report of each set.
    """
    if args.jobs < 1:
        raise ValueError(f'--jobs {args.jobs}: at least one')
    reports = []
    for splits, config in find_sets(load_config(args.config, args.cfg_options), args.splits):
        name = ', '.join(splits)
        dataset = open_set(config)
        if not dataset.ann_file:
            console.print(f'{name}: {config["type"]} draws its frames, there are no files to check')
            continue
        with Progress(console=console) as progress:
            # seen from the first image on: a missing json has none
            task = progress.add_task(f'{name}: images', total=None, visible=False)
            report = check_set(
                dataset,
                args.jobs,
                not args.fast,
                lambda total: progress.update(task, total=total, visible=total > 0),  # noqa: B023
                lambda: progress.advance(task),  # noqa: B023
            )
        print_report(name, report, console)
        reports.append((name, report))
    return reports


def print_report(name: str, report: Report, console: Console) -> None:
    """Prints what a set has and what is wrong with it."""
    if report.videos:
        print_videos(f'{name}: {report.ann_file}, videos: {len(report.videos)}', report, console)
    if report.problems:
        print_problems(report, console)
    for note in report.notes:
        console.print(f'note: {note}', markup=False, highlight=False)


def print_videos(title: str, report: Report, console: Console) -> None:
    """Table of the videos, with a last row for all of them."""
    problems = Counter(problem.video for problem in report.problems)
    rows = [video | dict(problems=problems[video['video']]) for video in report.videos]
    total = {key: sum(row[key] for row in rows) for key in list(rows[0])[1:]}
    total |= dict(video='total', problems=len(report.problems))
    shown = rows if len(rows) <= MAX_VIDEOS else [row for row in rows if row['problems']]
    table = Table(title=title, show_footer=True)
    for key in rows[0]:
        justify = 'left' if key == 'video' else 'right'
        table.add_column(key, str(total[key]), justify=justify, overflow='fold')
    for row in shown[:MAX_VIDEOS]:
        table.add_row(*map(str, row.values()))
    console.print(table)


def print_problems(report: Report, console: Console) -> None:
    """Table of the problems, the first ones of each kind."""
    kinds = defaultdict(list)
    for problem in report.problems:
        kinds[problem.kind].append(problem)
    table = Table('problem', 'video', 'frame', 'what', title=f'problems: {len(report.problems)}')
    for column in table.columns:
        column.overflow = 'fold'
    for kind, problems in kinds.items():
        for problem in problems[:MAX_OF_A_KIND]:
            frame = '' if problem.frame is None else str(problem.frame)
            table.add_row(kind, problem.video, frame, problem.message)
        if len(problems) > MAX_OF_A_KIND:
            more = len(problems) - MAX_OF_A_KIND
            table.add_row(kind, '', '', f'... and {more} more: --out FILE writes all')
    console.print(table, markup=False, highlight=False)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; a wrong call prints one line."""
    parser = make_parser()
    args = parse_args(parser, argv)
    try:
        reports = check(args, Console())
        if args.out is not None:
            content = [dict(splits=name) | asdict(report) for name, report in reports]
            write_json({args.out: dict(sets=content)})
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print('\ncheck_dataset.py: interrupted', file=sys.stderr)
        return 130
    found = sum(len(report.problems) for _, report in reports)
    if reports:
        print(f'problems: {found}' if found else 'nothing wrong')
    return int(found > 0)


if __name__ == '__main__':
    sys.exit(main())
