"""Converts MOTChallenge sequences to CocoVID json (docs/datasets.md).

    python tools/dataset_converters/mot2cocovid.py data/dancetrack
    python tools/dataset_converters/mot2cocovid.py data/mot15 \
        --split train=PETS09-S2L1:1-450 val=PETS09-S2L1:451-600

Writes DATA_ROOT/annotations/<split>.json. A sequence that is a video file gets its frames extracted
into its img1/ first; sequences that have theirs are left as they are.
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.io.mot_gt import BENCHMARKS
from lamotr_mm.preparation.console import exit_status
from lamotr_mm.preparation.mot2cocovid import ITEMS_HELP, convert


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description='Converts MOTChallenge sequences to CocoVID json.',
        epilog=ITEMS_HELP,
    )
    parser.add_argument('data_root', type=Path, help='folder of the sequences or of their folders')
    parser.add_argument(
        '--split', nargs='+', metavar='NAME=ITEM[,ITEM...]', help='default: train, val, test'
    )
    parser.add_argument('--out-dir', type=Path, help='default: DATA_ROOT/annotations')
    parser.add_argument(
        '--benchmark',
        choices=[*BENCHMARKS, 'custom'],
        help='what the classes in gt.txt mean; default: told from the names of the sequences',
    )
    parser.add_argument('--classes', nargs='+', help='custom: names of the classes 1, 2, ...')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    args = parse_args(argv)
    return exit_status(lambda: convert(**vars(args)))


if __name__ == '__main__':
    sys.exit(main())
