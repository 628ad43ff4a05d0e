"""Makes data/crowdhuman/ of the CrowdHuman download (docs/datasets.md).

    python tools/dataset_converters/prepare_crowdhuman.py SRC

SRC is the folder of annotation_val.odgt and of CrowdHuman_val.zip, or of the images unpacked of it.
A second call unpacks nothing again.
"""

import sys

from lamotr_mm.preparation.console import exit_status, make_parser, report
from lamotr_mm.preparation.crowdhuman import IMAGES, prepare


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    parser = make_parser(__doc__, 'data/crowdhuman')
    parser.add_argument('--splits', nargs='+', choices=list(IMAGES), default=['val'])
    args = parser.parse_args(argv)
    return exit_status(
        lambda: report(args.out, *prepare(args.src, args.out, args.splits, args.allow_partial))
    )


if __name__ == '__main__':
    sys.exit(main())
