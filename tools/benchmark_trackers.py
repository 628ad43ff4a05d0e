"""Train what needs training, score all rows on the same frames, write one report.

    python tools/benchmark_trackers.py configs/suites/smoke.py
    python tools/benchmark_trackers.py configs/suites/peers_people.py --tune annotations/dev.json
    python tools/benchmark_trackers.py CONFIG... --data synthetic --seeds 3 --budget 2400

A second call goes on where the first one stopped, and runs nothing that is there already.
docs/benchmark_trackers.md says how, and what the columns mean.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import torch

from lamotr_mm.benchmark.command import benchmark
from lamotr_mm.benchmark.plan import Options
from lamotr_mm.benchmark.suite import choose, read_suites
from lamotr_mm.engine.launch import add_cfg_options, parse_args
from lamotr_mm.peers.comparison import Settings


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Train, score and report trackers on the same frames'
    )
    parser.add_argument(
        'suites', nargs='+', metavar='SUITE|CONFIG', help='configs/suites/*.py, or single configs'
    )
    parser.add_argument(
        '--data',
        metavar='synthetic|people|CONFIG',
        help="whose videos all rows share; default: the suite's",
    )
    parser.add_argument('--seeds', type=int, metavar='N', help='trainings of each row')
    parser.add_argument('--budget', type=int, metavar='ITERS', help='iterations of each training')
    parser.add_argument('--split', choices=('val', 'test'), default='test', help='default test')
    parser.add_argument(
        '--weights',
        nargs='+',
        action='extend',
        default=[],
        metavar='ROW=FILE',
        help='evaluate these instead of training',
    )
    parser.add_argument(
        '--tune',
        nargs='?',
        const=True,
        metavar='ANN_FILE',
        help="choose the peers' thresholds on these frames; default: those of the training split",
    )
    parser.add_argument(
        '--tuned', metavar='FILE.json', help='thresholds that an earlier --tune left as tuned.json'
    )
    parser.add_argument('--reference', metavar='ROW', help='that marks compare with')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm'),
        default='none',
        help='of trainings; none: one process each, --jobs of them at once',
    )
    parser.add_argument('--gpus', type=int, help='processes of a training under the launcher')
    parser.add_argument('--partition', default='', help='of Slurm')
    parser.add_argument('--jobs', type=int, help='processes at once; default: one a core or GPU')
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/benchmark'), help='of jobs and reports'
    )
    parser.add_argument('--out', type=Path, help='of the report; default WORK_DIR/<suite>')
    add_cfg_options(parser)
    return parser


def read_tuned(file: str) -> dict[str, Settings]:
    """Settings by peer that --tune wrote.

    Raises:
        ValueError: the file is missing or of another form.
    """
    try:
        settings = json.loads(Path(file).read_text())['settings']
        return {name: dict(values) for name, values in settings.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'--tuned {file} cannot be read ({error!r}): --tune writes it') from error


def default_jobs(launcher: str) -> int:
    """One a GPU or, without any, one a core of those that this process may use."""
    if launcher != 'none':
        return 1
    return torch.cuda.device_count() or len(os.sched_getaffinity(0))


def main(argv: list[str] | None = None) -> int:
    """Run; a wrong argument prints one line and gives status 2, an empty row status 1."""
    parser = make_parser()
    args = parse_args(parser, argv)
    try:
        for pair in args.weights:
            if '=' not in pair:
                raise ValueError(f'--weights {pair}: write ROW=FILE')
        if args.tune and args.tuned:
            raise ValueError('--tune makes what --tuned reads: give one of them')
        suite = choose(
            read_suites(args.suites),
            data=args.data,
            seeds=args.seeds,
            budget=args.budget,
            tune=args.tune,
            reference=args.reference,
            weights=dict(pair.split('=', 1) for pair in args.weights),
        )
        options = Options(
            folder=args.work_dir,
            split=args.split,
            amp=args.amp,
            launcher=args.launcher,
            gpus=max(1, torch.cuda.device_count()) if args.gpus is None else args.gpus,
            partition=args.partition,
            cfg_options=args.cfg_options or {},
            tuned=read_tuned(args.tuned) if args.tuned else {},
        )
        jobs = default_jobs(args.launcher) if args.jobs is None else args.jobs
        out = args.out or args.work_dir / Path(args.suites[0]).stem
        return benchmark(suite, options, jobs, out)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print('\ninterrupted: the same call goes on where this one stopped', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
