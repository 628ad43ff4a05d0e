"""MOTChallenge sequences into CocoVID json (docs/datasets.md).

Writes DATA_ROOT/annotations/<split>.json. A sequence that is a video file gets its frames extracted
into its img1/ first; sequences that have theirs are left as they are.
"""

from pathlib import Path

from lamotr_mm.io.extract_frames import extract_frames
from lamotr_mm.io.mot_folder import find_video, image_dir, read_seqinfo
from lamotr_mm.io.mot_gt import class_rule, detect_benchmark

from .cocovid import Part, make_cocovid, parse_split, write_json
from .console import print_notes, print_table, progress_bar

ITEMS_HELP = (
    'An ITEM is a sequence, a folder of sequences, a pattern (train/*FRCNN) or a text file with '
    'one name a line; with :1-450, :half-train or :half-val some frames of it.'
)


def extract_videos(parts: list[Part]) -> None:
    """Extracts the frames of those sequences that are a video file and have no frames yet."""
    for folder in sorted({part.folder for part in parts}):
        frames = image_dir(folder)
        video = None if frames.is_dir() else find_video(folder)
        if video is None:
            continue
        stated = read_seqinfo(folder).get('seqlength')
        length = int(float(stated)) if stated else None
        with progress_bar(f'frames of {folder.name}', length) as advance:
            extract_frames(video, frames, length, advance)


def convert(
    data_root: Path,
    split: list[str] | None = None,
    out_dir: Path | None = None,
    benchmark: str | None = None,
    classes: list[str] | None = None,
) -> None:
    """Does it all, and prints what was made.

    Args:
        data_root (Path): Folder of the sequences or of their folders.
        split (list[str], optional): NAME=ITEM[,ITEM...] of each split, see `parse_split`. Defaults
            to train, val and test, those that are there.
        out_dir (Path, optional): Defaults to DATA_ROOT/annotations.
        benchmark (str, optional): What the classes in ``gt.txt`` mean, a key of `BENCHMARKS` or
            'custom'. Defaults to what the names of the sequences tell.
        classes (list[str], optional): Names of the classes 1, 2, ... of custom data.

    Raises:
        ValueError: What is wrong with the arguments or the sequences.
    """
    if not data_root.is_dir():
        raise ValueError(f'{data_root} is not a folder')
    texts = split or [
        f'{name}={name}' for name in ('train', 'val', 'test') if (data_root / name).is_dir()
    ]
    if not texts:
        raise ValueError(f'{data_root} has no train/, val/ or test/: give --split')
    parsed = [parse_split(text, data_root) for text in texts]
    splits = dict(parsed)
    if len(splits) < len(parsed):
        raise ValueError(f'a split is there twice: {", ".join(name for name, _ in parsed)}')
    parts = [part for chosen in splits.values() for part in chosen]
    if benchmark is None:
        benchmark = 'custom' if classes else detect_benchmark([p.folder.name for p in parts])
    rule = class_rule(benchmark, classes)
    extract_videos(parts)
    print(f'{len(parts)} sequences, classes as in {benchmark}')
    notes: list[str] = []
    with progress_bar('sequences', len(parts)) as advance:
        made = {
            name: make_cocovid(chosen, data_root, rule, advance, notes.append)
            for name, chosen in splits.items()
        }
    out_dir = out_dir or data_root / 'annotations'
    write_json({out_dir / f'{name}.json': content for name, (content, _) in made.items()})
    for name, (_, summary) in made.items():
        print_table(str(out_dir / f'{name}.json'), summary)
    print_notes(notes)
