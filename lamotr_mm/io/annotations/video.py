"""What every annotation format is read into."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lamotr_mm.io.mot_folder import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    MOTFormatError,
    has_suffix,
    image_files,
)


class Box(NamedTuple):
    """One box of a target in a frame; x, y (top left corner), w, h in px, where the image's left
    edge is x = 0.
    """

    frame: int  # from 1
    id: int | str | None  # of the target in the video; None: a region, of no target
    label: str
    x: float
    y: float
    w: float
    h: float
    ignored: bool = False
    visibility: float = 1.0  # 0..1


@dataclass(frozen=True)
class AnnotatedVideo:
    """A video with its boxes.

    Attributes:
        name (str): Its name.
        media (Path): Its video file, or the folder that has its images.
        boxes (list[Box]): In any order.
        labels (tuple[str, ...]): Classes that the annotations declare, in their order; classes that
            are only met among the boxes need not be there.
        files (dict[int, str]): Images by frame number, from 1, ascending, seen from `media`; {} of
            a video file.
        numbers (range, optional): Of a video file, the frames that were annotated; None: all.
        counted (int, optional): Of a video file, how many frames the annotation tool counted.
        fps (float, optional): Frames per second; None: as the video file says, else 30.
        notes (tuple[str, ...]): What was assumed.
    """

    name: str
    media: Path
    boxes: list[Box]
    labels: tuple[str, ...] = ()
    files: dict[int, str] | None = None
    numbers: range | None = None
    counted: int | None = None
    fps: float | None = None
    notes: tuple[str, ...] = ()


def numbered_images(folder: Path, shift: int) -> dict[int, str]:
    """{frame number: name} of images whose names end with their number, to which `shift` is added.

    Raises:
        MOTFormatError: No images, a name without a number, or a number twice.
    """
    files: dict[int, str] = {}
    for file in image_files(folder):
        match = re.search(r'([0-9]+)$', file.stem)
        if match is None:
            raise MOTFormatError(f'{file}: the name does not end with the number of the frame')
        earlier = files.setdefault(int(match[1]) + shift, file.name)
        if earlier != file.name:
            raise MOTFormatError(f'{file} and {earlier} are both frame {match[1]}')
    return dict(sorted(files.items()))


def find_media(names: list[str], place: Path) -> Path | None:
    """A video file, or a folder of images.

    Args:
        names (list[str]): What it may be called, a folder also without the suffix.
        place (Path): Where it may be: a file, and a folder of images, are taken as they are.
    """
    if place.is_file():
        return place
    for name in filter(None, names):
        for path in (place / name, place / Path(name).stem):
            if has_suffix(path, VIDEO_SUFFIXES) and path.is_file():
                return path
            if path.is_dir() and _has_images(path):
                return path
    return place if _has_images(place) else None


def _has_images(folder: Path) -> bool:
    return any(has_suffix(file, IMAGE_SUFFIXES) for file in folder.iterdir())


def read_json(path: Path) -> Any:
    """Content of a json file.

    Raises:
        MOTFormatError: It is cut off or no json.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8-sig'))
    except ValueError as error:
        raise MOTFormatError(f'{path}: cut off or no json: {error}') from error


def find_folder(src: Path, inner: str) -> Path:
    """`src`, or the one folder in it, that has `inner` in it.

    Raises:
        ValueError: There is none, or there are several.
    """
    found = [f for f in (src, *sorted(src.glob('*'))) if (f / inner).is_dir()]
    if len(found) != 1:
        what = ', '.join(map(str, found)) if found else 'none'
        raise ValueError(f'{src}: one folder with {inner}/ in it is needed, there is {what}')
    return found[0]


def text_rows(path: Path, separator: str | None) -> list[tuple[int, list[str]]]:
    """Line numbers, from 1, and fields of a text file without its empty lines."""
    lines = path.read_text(encoding='utf-8-sig').splitlines()
    return [(n, line.split(separator)) for n, line in enumerate(lines, start=1) if line.strip()]
