"""Render a synthetic video with its ground truth: `tools/render_synthetic.py SEED [options]`.

Writes OUT/synthetic-<seed>-d<difficulty>/: an H.264 mp4, gt/gt.txt and seqinfo.ini (MOTChallenge),
and sheet.png with the boxes drawn.
"""

import argparse
import sys

from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.preparation.synthetic_export import write_sequence


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Render a synthetic video with its ground truth')
    parser.add_argument('seed', type=int, help='below 10000 train, below 20000 val, else test')
    parser.add_argument('--difficulty', type=int, default=2, help='0 to 3 (default 2)')
    parser.add_argument('--frames', type=int, default=60, help='length (default 60)')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(256, 320), metavar=('HEIGHT', 'WIDTH'), help='px'
    )
    parser.add_argument('--fps', type=float, default=10.0, help='of the mp4 (default 10)')
    parser.add_argument('--out', default='data/synthetic', help='folder (default data/synthetic)')
    return parser


def main(argv: list[str] | None = None) -> None:
    """Render; bad arguments print one line and exit with status 2."""
    args = make_parser().parse_args(argv)
    try:
        spec = SceneSpec(args.seed, args.difficulty, args.frames, *args.size)
        print(write_sequence(spec, args.out, args.fps))
    except (ValueError, OSError) as error:
        print(f'render_synthetic.py: error: {error}', file=sys.stderr)
        sys.exit(2)


if __name__ == '__main__':
    main()
