"""Checks a zip for a test server: `python tools/check_submission.py FILE.zip --benchmark MOT17`.

Prints what is wrong, one line each, and exits with status 1; docs/submissions.md has the rules.
"""

import argparse
import sys
import zipfile

from lamotr_mm.evaluation.submission import RULES, find_problems, read_lengths


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Check a zip for a test server')
    parser.add_argument('file', help='zip of --submission or of another program')
    parser.add_argument('--benchmark', choices=RULES, required=True)
    parser.add_argument(
        '--ann-file',
        help='json of the test split, for example data/dancetrack/annotations/test.json: no frame '
        'may lie behind the last one',
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Check; the exit status: 1 where something is wrong, 2 for a wrong argument."""
    parser = make_parser()
    args = parser.parse_args(argv)
    try:
        lengths = read_lengths(args.ann_file) if args.ann_file else None
    except ValueError as error:
        parser.error(str(error))
    problems = find_problems(args.file, args.benchmark, lengths)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    with zipfile.ZipFile(args.file) as archive:
        files = sum(name.endswith('.txt') for name in archive.namelist())
    print(f'{args.file}: {files} files, as the server of {args.benchmark} wants them')
    return 0


if __name__ == '__main__':
    sys.exit(main())
