"""Makes data/pets09_s2l1/ of PETS09-S2L1: frames 1-450 train, 451-600 validate (docs/datasets.md).

    python tools/dataset_converters/prepare_pets.py SRC

SRC is a folder with gt/gt.txt and the frames, as img1/ or as a video file: MOT15's
train/PETS09-S2L1 fits. What lies behind frame 600 is left out. A second call only rewrites the
small files.
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.preparation.scenes import PETS, prepare_scenes, print_summaries

SPLITS = {'train': {PETS: '1-450'}, 'val': {PETS: '451-600'}}


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    parser = argparse.ArgumentParser(description='Makes data/pets09_s2l1/ of PETS09-S2L1.')
    parser.add_argument('src', type=Path, help='folder with gt/gt.txt and img1/ or a video file')
    parser.add_argument('--out', type=Path, default=Path('data/pets09_s2l1'))
    args = parser.parse_args(argv)
    try:
        summaries = prepare_scenes({PETS: args.src}, SPLITS, args.out)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print_summaries(summaries, args.out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
