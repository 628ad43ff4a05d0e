"""Makes data/sportsmot/ of the SportsMOT download (docs/datasets.md).

    python tools/dataset_converters/prepare_sportsmot.py SRC

SRC is the folder of sportsmot_publish.zip, or of train.tar, val.tar and test.tar, or of what was
unpacked of them: dataset/. A second call unpacks nothing again.
"""

import sys

from lamotr_mm.preparation.console import exit_status, make_parser, report
from lamotr_mm.preparation.official import SPORTSMOT, prepare


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    args = make_parser(__doc__, 'data/sportsmot').parse_args(argv)
    return exit_status(
        lambda: report(args.out, *prepare(SPORTSMOT, args.src, args.out, args.allow_partial))
    )


if __name__ == '__main__':
    sys.exit(main())
