"""Makes data/dancetrack/ of the DanceTrack download (docs/datasets.md).

    python tools/dataset_converters/prepare_dancetrack.py SRC

SRC is the folder of train1.zip, train2.zip, val.zip, test1.zip and test2.zip, or of what was
unpacked of them. A second call unpacks nothing again.
"""

import sys

from lamotr_mm.preparation.console import exit_status, make_parser, report
from lamotr_mm.preparation.official import DANCETRACK, prepare


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    args = make_parser(__doc__, 'data/dancetrack').parse_args(argv)
    return exit_status(
        lambda: report(args.out, *prepare(DANCETRACK, args.src, args.out, args.allow_partial))
    )


if __name__ == '__main__':
    sys.exit(main())
