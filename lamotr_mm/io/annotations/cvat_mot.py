"""CVAT's 'MOT 1.1' (https://docs.cvat.ai/docs/dataset_management/formats/format-mot).

``gt/gt.txt`` has MOTChallenge's rows, in which class n is line n of ``gt/labels.txt`` (MOT17's
classes where that is missing). Rows count frames from 1 in the order of the task, while exports
with images call them ``img1/frame_000000.PNG``, numbered as in the video: from 0, in steps where
the task took every fifth frame. Images whose names are plain numbers have those of the rows.
"""

from pathlib import Path

from lamotr_mm.io.mot_folder import image_files
from lamotr_mm.io.mot_gt import BENCHMARKS, ClassRule, class_rule, read_gt
from lamotr_mm.io.mot_table import read_table

from .video import AnnotatedVideo, Box, find_media, numbered_images


def read(src: Path, media: Path | None = None) -> list[AnnotatedVideo]:
    """Reads the unpacked folder with ``gt/gt.txt``; without ``img1/`` the video lies beside ``gt/``
    or in `media`.

    Raises:
        ValueError: There is no such file, or neither images nor video.
        MOTFormatError: A row breaks the format.
    """
    file = src / 'gt' / 'gt.txt'
    if not file.is_file():
        raise ValueError(f"{src}: no gt/gt.txt: is it an export of CVAT's MOT 1.1?")
    path = find_media(['img1', src.name], media or src)
    if path is None:
        raise ValueError(f'{src}: no images, no video: export with images, or give --media')
    rule, names = _classes(src / 'gt' / 'labels.txt')
    notes: list[str] = []
    files, from_zero = _files(path, notes) if path.is_dir() else (None, False)
    length = max(files) if files else _last_frame(file)
    rows, _ = read_gt(file, length, rule, from_zero, notes.append)
    boxes = [
        Box(
            row.frame,
            row.id,
            names[row.class_id],
            *(row.x, row.y, row.w, row.h),
            ignored=row.flag == 0 or row.class_id in rule.ignored,
            visibility=row.visibility,
        )
        for row in rows
    ]
    labels = tuple(rule.targets.values())
    return [AnnotatedVideo(src.name, path, boxes, labels, files, notes=tuple(notes))]


def _classes(file: Path) -> tuple[ClassRule, dict[int, str]]:
    """Meaning of the class numbers, and their names."""
    rule = BENCHMARKS['mot17']
    if file.is_file():
        lines = file.read_text(encoding='utf-8-sig').splitlines()
        rule = class_rule('custom', [line.strip() for line in lines if line.strip()])
    return rule, rule.targets | rule.ignored


def _files(folder: Path, notes: list[str]) -> tuple[dict[int, str], bool]:
    """Images by frame number, from 1, and whether plain numbers in their names count from 0."""
    images = image_files(folder)
    if all(file.stem.isdecimal() for file in images):
        from_zero = any(int(file.stem) == 0 for file in images)
        return numbered_images(folder, shift=int(from_zero)), from_zero
    notes.append(f'frame 1 is {images[0].name}, the others follow in the order of their names')
    return {number: file.name for number, file in enumerate(images, start=1)}, False


def _last_frame(file: Path) -> int:
    """Highest frame number in the rows: that of the video is known only when it has been read."""
    numbers = [fields[0] for _, fields in read_table(file).rows]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
