"""Makes data/people/ of PETS09-S2L1 and ADL-Rundle-6, two street scenes (docs/datasets.md).

    python tools/dataset_converters/prepare_people.py PETS ADL

PETS and ADL are folders with gt/gt.txt and the frames, as img1/ or as a video file: MOT15's
train/PETS09-S2L1 and train/ADL-Rundle-6 fit. A second call only rewrites the small files.

Four splits: train and val, and within train a part to fit and one to choose settings on (dev), so
that none is chosen on frames that are reported. pets-train, adl-train, pets-val and adl-val are
train and val by scene.
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.preparation.console import exit_status
from lamotr_mm.preparation.scenes import ADL, PETS, prepare_scenes, print_summaries

SPLITS = {
    'train': {PETS: '1-450', ADL: '1-350'},
    'val': {PETS: '451-600', ADL: '351-450'},
    'fit': {PETS: '1-360', ADL: '1-280'},
    'dev': {PETS: '361-450', ADL: '281-350'},
    'pets-train': {PETS: '1-450'},
    'adl-train': {ADL: '1-350'},
    'pets-val': {PETS: '451-600'},
    'adl-val': {ADL: '351-450'},
}


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    parser = argparse.ArgumentParser(
        description='Makes data/people/ of PETS09-S2L1 and ADL-Rundle-6.'
    )
    parser.add_argument('pets', type=Path, help='folder of PETS09-S2L1')
    parser.add_argument('adl', type=Path, help='folder of ADL-Rundle-6')
    parser.add_argument('--out', type=Path, default=Path('data/people'))
    args = parser.parse_args(argv)
    sources = {PETS: args.pets, ADL: args.adl}
    return exit_status(lambda: print_summaries(prepare_scenes(sources, SPLITS, args.out), args.out))


if __name__ == '__main__':
    sys.exit(main())
