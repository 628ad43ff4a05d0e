"""Parameters, operations and time by part: `python tools/benchmark.py CONFIG [options]`."""

import argparse
import json
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from lamotr_mm.apis.benchmark import count_parameters, measure
from lamotr_mm.apis.flops import count_flops
from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.models.folding import fold
from lamotr_mm.models.precision import PRECISIONS


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Parameters, operations and time by part of the model'
    )
    parser.add_argument('config', help='config file, for example configs/lamotr_dancetrack.py')
    parser.add_argument('--checkpoint', help='weights; default: random ones, which are as fast')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--precision', choices=PRECISIONS, help="default: the config's, else fp32")
    parser.add_argument(
        '--img-size', type=_positive, nargs=2, default=[800, 1344], metavar=('H', 'W'), help='px'
    )
    parser.add_argument(
        '--tracklets', type=_not_negative, nargs='+', default=[0, 20, 60], help='live tracklets'
    )
    parser.add_argument('--threads', type=_positive, default=1, help='that torch uses on the CPU')
    parser.add_argument(
        '--repeat', type=_positive, default=3, help='frames counted, after one more'
    )
    parser.add_argument('--json', help='file for the result')
    return parser


def _positive(text: str) -> int:
    return _at_least(1, text)


def _not_negative(text: str) -> int:
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f'{text} is not a whole number of {least} or more')
    return value


def print_tables(
    parameters: dict[str, int],
    flops: dict[str, dict[str, int]],
    ms: dict[str, dict[str, float]],
    size: tuple[int, int],
    how: str,
) -> None:
    """Parameters by module (frozen ones apart), then GFLOPs and ms by number of tracklets."""
    pixels = f'{size[0]}x{size[1]} px'
    counts = Table('module', 'trainable parameters', title='Parameters')
    work = Table('tracklets', *next(iter(flops.values())))
    work.title = f'GFLOPs (multiply-adds) of a frame, {pixels}'
    times = Table('tracklets', *next(iter(ms.values())), title=f'{how}, {pixels}')
    for table in (counts, work, times):
        for column in table.columns[1:]:
            column.justify = 'right'
    for module, number in parameters.items():
        counts.add_row('(frozen)' if module == 'frozen' else module, f'{number:,}')
    for tracklets, parts in flops.items():
        work.add_row(tracklets, *(f'{number / 1e9:.2f}' for number in parts.values()))
    for tracklets, stages in ms.items():
        times.add_row(tracklets, *(f'{value:.2f}' for value in stages.values()))
    # a file or a pipe gets whole lines, however long
    console = Console(width=None if sys.stdout.isatty() else 120)
    for table in (counts, work, times):
        console.print(table)


def main(argv: list[str] | None = None) -> None:
    """Measure; a bad config, checkpoint or device prints one line and exits with status 2."""
    args = make_parser().parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        if args.json and Path(args.json).is_dir():
            raise ValueError(f'--json {args.json} is a folder: name a file')
        model = init_model(args.config, args.checkpoint, args.device, args.precision)
        size = tuple(args.img_size)
        parameters = count_parameters(model)
        flops = {str(number): count_flops(model, size, number) for number in args.tracklets}
        fold(model)
        ms = {str(number): measure(model, size, number, args.repeat) for number in args.tracklets}
        if args.json:
            trainable = {part: n for part, n in parameters.items() if part != 'frozen'}
            with replace_on_success(args.json) as part:
                content = dict(parameters=trainable, flops=flops, ms=ms)
                part.write_text(json.dumps(content, indent=2) + '\n')
    except (ValueError, OSError) as error:
        print(f'benchmark.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    where = f'cpu, {args.threads} thread(s)' if args.device == 'cpu' else args.device
    print_tables(parameters, flops, ms, size, f'Median ms of {args.repeat} frames, {where}')


if __name__ == '__main__':
    main()
