"""Clips a second and peak memory of training, by batch, checkpointing and precision.

    OMP_NUM_THREADS=1 python tools/analysis/train_speed.py configs/lamotr_synthetic.py

Each row trains on the config's own clips in a process of its own, without loading (which workers do
meanwhile; its time is a column). Where the machine has other work, --cpu-time with one thread
leaves out the time that the process waits for a core.
"""

import argparse
import sys
import time
from itertools import product

from rich.console import Console
from rich.progress import track
from rich.table import Table

from lamotr_mm.apis.train_speed import TrainCost, TrainSetting, measure_apart
from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.models.precision import cpu_has_bf16


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Clips a second and peak memory of training')
    parser.add_argument('config', help='config file, for example configs/lamotr_synthetic.py')
    parser.add_argument('--batch', type=int, nargs='+', default=[1, 2, 4], help='clips')
    parser.add_argument('--steps', type=int, default=5, help='steps counted, after one more')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, default=1, help='that torch uses on the CPU')
    parser.add_argument('--cpu-time', action='store_true', help='of the process, not by the clock')
    add_cfg_options(parser)
    return parser


def make_table(rows: list[tuple[TrainSetting, TrainCost]], title: str) -> Table:
    """A row a setting."""
    columns = ('clips', 'checkpointing', 'precision', 'clips/s', 'peak MiB', 'before MiB')
    table = Table(*columns, 'loading ms a clip', title=title)
    for column in table.columns[3:]:
        column.justify = 'right'
    for setting, cost in rows:
        table.add_row(
            str(setting.batch),
            'yes' if setting.with_cp else 'no',
            'half' if setting.amp else 'fp32',
            f'{cost.clips_per_second:.3f}',
            *(f'{value:.0f}' for value in (cost.peak_mib, cost.base_mib, cost.load_ms)),
        )
    return table


def main(argv: list[str] | None = None) -> None:
    """Measure; a bad argument prints one line and exits with status 2."""
    parser = make_parser()
    args = parse_args(parser, argv)
    if min(*args.batch, args.steps, args.threads) < 1:
        parser.error('--batch, --steps and --threads take 1 or more')
    half = [False, True]
    if args.device == 'cpu' and not cpu_has_bf16():
        print('this CPU has no bfloat16 units: float32 only')
        half.remove(True)
    settings = [TrainSetting(*s) for s in product(args.batch, (False, True), half)]
    clock = time.process_time if args.cpu_time else time.perf_counter
    try:
        config = load_config(args.config, args.cfg_options)
        how = (args.device, args.steps, args.threads, clock)
        rows = [
            (setting, measure_apart(config, setting, *how))
            for setting in track(settings, 'settings', transient=True)
        ]
    except (ValueError, OSError) as error:
        print(f'train_speed.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    where = f'cpu, {args.threads} thread(s)' if args.device == 'cpu' else args.device
    where += ', CPU time' if args.cpu_time else ''
    # a file or a pipe gets whole lines
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(make_table(rows, f'{args.config}, {where}'))


if __name__ == '__main__':
    main()
