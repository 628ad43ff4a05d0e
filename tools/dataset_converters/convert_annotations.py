"""Converts annotations of other tools and data sets to CocoVID json (docs/datasets.md).

    python tools/dataset_converters/convert_annotations.py cvat-video walk.zip --out data/mine
    python tools/dataset_converters/convert_annotations.py kitti KITTI/training --out data/kitti \
        --split val --videos '001?' --classes Car Pedestrian

Writes OUT/annotations/<split>.json, and OUT/<split>/<video>/img1: links to the images, or the
frames of a video file.
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.preparation.console import exit_status
from lamotr_mm.preparation.convert import FORMATS, convert_and_print


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    width = max(map(len, FORMATS))
    parser = argparse.ArgumentParser(
        description='Converts annotations of other tools and data sets to CocoVID json.',
        epilog='formats:\n'
        + '\n'.join(f'  {name:{width}}  {form.title}' for name, form in FORMATS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('format', choices=FORMATS, metavar='FORMAT', help='see below')
    parser.add_argument('sources', nargs='+', type=Path, metavar='SRC', help='files or folders')
    parser.add_argument('--out', type=Path, required=True, help='data_root of your config')
    parser.add_argument('--split', default='train', help='name of the json; default: train')
    parser.add_argument('--media', type=Path, help='video, or folder of videos or images')
    parser.add_argument('--classes', nargs='+', help='classes to track; default: all')
    parser.add_argument('--videos', nargs='+', help='names or patterns of videos; default: all')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Does it all; ValueError or OSError says what is wrong."""
    options = args.media, args.classes, args.videos
    convert_and_print(args.format, args.sources, args.out, args.split, *options)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    args = parse_args(argv)
    return exit_status(lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
