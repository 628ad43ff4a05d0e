"""Makes data/MOT17/ of MOT17.zip (docs/datasets.md).

    python tools/dataset_converters/prepare_mot17.py SRC

SRC is the folder of MOT17.zip, or of what was unpacked of it: train/ and test/. One of the three
copies of each sequence is taken, that with the detections of FRCNN. Besides train and test, the
halves of the training sequences are written: half-train and half-val. A second call unpacks nothing
again.
"""

import sys

from lamotr_mm.preparation.console import exit_status, make_parser, report
from lamotr_mm.preparation.official import MOT17, prepare


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    args = make_parser(__doc__, 'data/MOT17').parse_args(argv)
    return exit_status(
        lambda: report(args.out, *prepare(MOT17, args.src, args.out, args.allow_partial))
    )


if __name__ == '__main__':
    sys.exit(main())
