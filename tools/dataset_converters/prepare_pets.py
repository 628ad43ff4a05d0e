"""Makes data/pets09_s2l1/ of PETS09-S2L1: frames 1-450 train, 451-600 validate (docs/datasets.md).

    python tools/dataset_converters/prepare_pets.py SRC

SRC is a folder with gt/gt.txt and the frames, as img1/ or as a video file: MOT15's
train/PETS09-S2L1 fits. What lies behind frame 600 is left out. A second call only rewrites the
small files.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from rich.progress import Progress, track

from lamotr_mm.io.extract_frames import extract_frames
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.mot_folder import find_video, image_dir, list_frames, read_sequence
from lamotr_mm.io.mot_gt import class_rule, read_gt
from lamotr_mm.preparation.cocovid import Part, make_cocovid, write_json

NAME = 'PETS09-S2L1'
LENGTH = 600
FULL_LENGTH = 795  # as in MOT15
FPS = 7
SPLITS = {'train': '1-450', 'val': '451-600'}


def prepare(src: Path, out: Path) -> dict[str, dict]:
    """Fills `out` with ``PETS09-S2L1/``, ``annotations/train.json`` and ``annotations/val.json``.

    Args:
        src (Path): Folder of the sequence.
        out (Path): Folder to make or to complete.

    Returns:
        dict[str, dict]: Per split its summary (see `make_cocovid`).

    Raises:
        ValueError: `src` is no such sequence.
    """
    gt_file = src / 'gt' / 'gt.txt'
    if not gt_file.is_file():
        raise ValueError(f'{gt_file} does not exist: SRC is the folder of {NAME}')
    rule = class_rule('mot15')
    # a broken file should not cost the extraction
    read_gt(gt_file, FULL_LENGTH, rule)
    take_frames(src, out / NAME / 'img1')
    write_texts(gt_file, out / NAME)
    contents, summaries = {}, {}
    for split, frames in SPLITS.items():
        content, (summaries[split],) = make_cocovid([Part(out / NAME, frames)], out, rule)
        contents[out / 'annotations' / f'{split}.json'] = content
    write_json(contents)
    return summaries


def take_frames(src: Path, directory: Path) -> None:
    """Extracts or copies frames 1-600; the folder appears whole or not at all."""
    if directory.is_dir():
        return
    if image_dir(src).is_dir():
        copy_frames(image_dir(src), directory)
        return
    video = find_video(src)
    if video is None:
        raise ValueError(f'{src}: neither {image_dir(src).name}/ nor a video file is there')
    with Progress() as progress:
        task = progress.add_task('frames', total=LENGTH)
        extract_frames(video, directory, LENGTH, lambda: progress.advance(task))


def copy_frames(images: Path, directory: Path) -> None:
    """Copies frames 1-600 of a folder."""
    frames = list_frames(images)
    missing = [n for n in range(1, LENGTH + 1) if n not in frames]
    if missing:
        raise ValueError(f'{images}: {len(missing)} frames are missing, the first is {missing[0]}')
    part = directory.with_name(f'.{directory.name}.part')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for number in track(range(1, LENGTH + 1), 'frames'):
            shutil.copyfile(frames[number], part / frames[number].name)
        os.replace(part, directory)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_texts(gt_file: Path, folder: Path) -> None:
    """Writes ``gt.txt`` and ``seqinfo.ini`` of frames 1-600."""
    lines = [line for line in gt_file.read_text(encoding='utf-8-sig').splitlines() if line.strip()]
    kept = [line for line in lines if float(line.split(',')[0]) <= LENGTH]
    sequence = read_sequence(folder)
    info = dict(name=NAME, imDir='img1', frameRate=FPS, seqLength=LENGTH)
    info |= dict(imWidth=sequence.width, imHeight=sequence.height, imExt='.jpg')
    texts = {
        folder / 'gt' / 'gt.txt': '\n'.join(kept),
        folder / 'seqinfo.ini': '\n'.join(['[Sequence]', *(f'{k}={v}' for k, v in info.items())]),
    }
    for path, text in texts.items():
        with replace_on_success(path) as part:
            part.write_text(text + '\n')


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status; an error is one message on stderr."""
    parser = argparse.ArgumentParser(description='Makes data/pets09_s2l1/ of PETS09-S2L1.')
    parser.add_argument('src', type=Path, help='folder with gt/gt.txt and img1/ or a video file')
    parser.add_argument('--out', type=Path, default=Path('data/pets09_s2l1'))
    args = parser.parse_args(argv)
    try:
        summaries = prepare(args.src, args.out)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for split, row in summaries.items():
        print(f'{split}: frames {row["frames"]}, {row["boxes"]} boxes of {row["ids"]} people')
    print(f'ready: {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
