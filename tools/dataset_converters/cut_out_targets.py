"""Cuts targets out of the training frames of static cameras, for CopyPasteTracks.

    python tools/dataset_converters/cut_out_targets.py ANN_FILE OUT

A folder of PNGs with transparency for each video, and an index of the runs in which a target is in
full view. Look at some: what moves with a target (a shadow, a bag) is cut out with it.
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.preparation.console import exit_status, print_table
from lamotr_mm.preparation.cutouts import cut_out


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('ann_file', type=Path, help='CocoVID json of the training frames')
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--data-root',
        type=Path,
        help='folder that file names of the json start from; default: two above the json',
    )
    args = parser.parse_args(argv)
    root = args.data_root or args.ann_file.resolve().parents[1]
    return exit_status(lambda: print_table(str(args.out), cut_out(args.ann_file, root, args.out)))


if __name__ == '__main__':
    sys.exit(main())
