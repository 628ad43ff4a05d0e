"""Converts MOTChallenge sequences to CocoVID json (docs/datasets.md).

    python tools/dataset_converters/mot2cocovid.py data/dancetrack
    python tools/dataset_converters/mot2cocovid.py data/mot15 \
        --split train=PETS09-S2L1:1-450 val=PETS09-S2L1:451-600

Writes DATA_ROOT/annotations/<split>.json. A sequence that is a video file gets its frames extracted
into its img1/ first; sequences that have theirs are left as they are.
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.io.extract_frames import extract_frames
from lamotr_mm.io.mot_folder import find_video, image_dir, read_seqinfo
from lamotr_mm.io.mot_gt import BENCHMARKS, class_rule, detect_benchmark
from lamotr_mm.preparation.cocovid import Part, make_cocovid, parse_split, write_json
from lamotr_mm.preparation.console import exit_status, print_notes, print_table, progress_bar


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description='Converts MOTChallenge sequences to CocoVID json.',
        epilog='An ITEM is a sequence, a folder of sequences, a pattern (train/*FRCNN) or a text '
        'file with one name a line; with :1-450, :half-train or :half-val some frames of it.',
    )
    parser.add_argument('data_root', type=Path, help='folder of the sequences or of their folders')
    parser.add_argument(
        '--split', nargs='+', metavar='NAME=ITEM[,ITEM...]', help='default: train, val, test'
    )
    parser.add_argument('--out-dir', type=Path, help='default: DATA_ROOT/annotations')
    parser.add_argument(
        '--benchmark',
        choices=[*BENCHMARKS, 'custom'],
        help='what the classes in gt.txt mean; default: told from the names of the sequences',
    )
    parser.add_argument('--classes', nargs='+', help='custom: names of the classes 1, 2, ...')
    return parser.parse_args(argv)


def extract_videos(parts: list[Part]) -> None:
    """Extracts the frames of those sequences that are a video file and have no frames yet."""
    for folder in sorted({part.folder for part in parts}):
        frames = image_dir(folder)
        video = None if frames.is_dir() else find_video(folder)
        if video is None:
            continue
        length = read_seqinfo(folder).get('seqlength')
        length = int(float(length)) if length else None
        with progress_bar(f'frames of {folder.name}', length) as advance:
            extract_frames(video, frames, length, advance)


def convert(args: argparse.Namespace) -> None:
    """Does it all; ValueError or OSError says what is wrong."""
    if not args.data_root.is_dir():
        raise ValueError(f'{args.data_root} is not a folder')
    texts = args.split or [
        f'{name}={name}' for name in ('train', 'val', 'test') if (args.data_root / name).is_dir()
    ]
    if not texts:
        raise ValueError(f'{args.data_root} has no train/, val/ or test/: give --split')
    parsed = [parse_split(text, args.data_root) for text in texts]
    splits = dict(parsed)
    if len(splits) < len(parsed):
        raise ValueError(f'a split is there twice: {", ".join(name for name, _ in parsed)}')
    parts = [part for split in splits.values() for part in split]
    benchmark = args.benchmark
    if benchmark is None:
        benchmark = 'custom' if args.classes else detect_benchmark([p.folder.name for p in parts])
    rule = class_rule(benchmark, args.classes)
    extract_videos(parts)
    print(f'{len(parts)} sequences, classes as in {benchmark}')
    notes: list[str] = []
    with progress_bar('sequences', len(parts)) as advance:
        made = {
            name: make_cocovid(split, args.data_root, rule, advance, notes.append)
            for name, split in splits.items()
        }
    out_dir = args.out_dir or args.data_root / 'annotations'
    write_json({out_dir / f'{name}.json': content for name, (content, _) in made.items()})
    for name, (_, summary) in made.items():
        print_table(str(out_dir / f'{name}.json'), summary)
    print_notes(notes)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    args = parse_args(argv)
    return exit_status(lambda: convert(args))


if __name__ == '__main__':
    sys.exit(main())
