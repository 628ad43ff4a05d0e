"""CocoVID json (COCO's with videos): reading it, and which entries and boxes can be worked with.

`MOTVideoDataset` stops at the first entry that can't, the checks in `preparation` list them all.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import mmengine

MAX_ID = 2**31 - 1  # of instance_id: LoadTrackAnnotations makes it int32
HELP = 'make it with one of tools/dataset_converters/ (docs/datasets.md)'


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_key(value: object) -> bool:
    return isinstance(value, int | str)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= MAX_ID


def _is_side(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _is_box(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 4:
        return False
    return all(isinstance(side, int | float) for side in value)


# what data sets, LoadFrame and the samplers take from the json, and what it must be
ENTRIES = {
    'categories': dict(id=_is_key, name=_is_text),
    'videos': dict(id=_is_key, name=_is_text),
    'images': dict(id=_is_key, video_id=_is_key, file_name=_is_text)
    | dict(width=_is_side, height=_is_side, frame_id=_is_number),
    'annotations': dict(
        image_id=_is_key, category_id=_is_key, bbox=_is_box, instance_id=_is_number
    ),
}
OPTIONAL = dict(mot_frame_id=_is_number)


def load_cocovid(file: str) -> dict:
    """Content of a json, with a list for each key of `ENTRIES`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is cut off, no json, or lacks a list.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(f'annotation file {file} does not exist: {HELP}')
    try:
        content = mmengine.load(file)
    except ValueError as error:
        raise ValueError(f'{file}: cut off or no json ({error}): {HELP}') from error
    content = content if isinstance(content, dict) else {}
    lacking = [name for name in ENTRIES if not isinstance(content.get(name), list)]
    if lacking:
        raise ValueError(f'{file}: not CocoVID json, has no {", ".join(lacking)}')
    return content


def entry_defect(name: str, entry: dict) -> tuple[str, str] | None:
    """What is wrong with an entry of a list.

    Args:
        name (str): The list, a key of `ENTRIES`.
        entry (dict): One of its entries.

    Returns:
        tuple[str, str], optional: 'missing key' or 'bad value', and the values; None if all keys
        have values that can be worked with.
    """
    if not isinstance(entry, dict):
        return 'bad value', f'is {_short(entry)}, an object is expected'
    lacking = [key for key in ENTRIES[name] if entry.get(key) is None]
    if lacking:
        return 'missing key', f'has no {", ".join(lacking)}: {_short(entry)}'
    for key, fits in (ENTRIES[name] | OPTIONAL).items():
        if entry.get(key) is not None and not fits(entry[key]):
            return 'bad value', f'has {key} = {_short(entry[key])}'
    return None


def class_defect(categories: list[dict], classes: Sequence[str]) -> str | None:
    """Which of the classes that a data set asks for no category has; None if all are there."""
    names = [category['name'] for category in categories]
    absent = ', '.join(name for name in classes if name not in names)
    if not absent:
        return None
    there = ', '.join(names) or 'none'
    return f'has no class {absent}; it has {there}: set metainfo=dict(classes=(...)) of the dataset'


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f'{text[:117]}...'


def is_ignored(annotation: dict) -> bool:
    """Whether an annotation is neither right nor wrong to find."""
    return bool(annotation.get('iscrowd') or annotation.get('ignore'))


def is_finite(box_xywh: list[float]) -> bool:
    """Whether a box (top left, width, height, px) has neither NaN nor infinite numbers."""
    return all(map(math.isfinite, box_xywh))


def is_outside(box_xywh: list[float], size: tuple[int, int]) -> bool:
    """Whether no part of a box (top left, width, height, px) is inside an image of (w, h) px."""
    x, y, w, h = box_xywh
    return x >= size[0] or y >= size[1] or x + w <= 0 or y + h <= 0
