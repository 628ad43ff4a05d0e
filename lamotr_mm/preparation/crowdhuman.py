"""CrowdHuman (https://www.crowdhuman.org) as CocoVID json: each image is a video of one frame.

A line of an ``.odgt`` file is the json of one image: ``ID`` (the name of ``Images/<ID>.jpg``) and
``gtboxes``, each with ``tag`` ('person' or 'mask'), ``fbox``, ``vbox``, ``hbox`` (full body,
visible part, head as x, y, w, h in px) and perhaps ``extra`` (``ignore``, ``box_id``, ``occ``).
Full boxes are guessed where people are occluded or cut off: they may reach beyond the image.
"""

import json
from collections.abc import Callable
from pathlib import Path

from PIL import UnidentifiedImageError

from lamotr_mm.io.images import stated_size
from lamotr_mm.io.mot_folder import MOTFormatError
from lamotr_mm.io.mot_gt import Row, class_rule

from .cocovid import CocoVID, count, total, write_json
from .console import progress_bar
from .downloads import Source, find, find_file, take

IMAGES = {'val': 4370, 'train': 15000}
CROWDHUMAN = Source(
    name='CrowdHuman',
    url='https://www.crowdhuman.org/download.html',
    unit='images',
    archives={
        'val': ('CrowdHuman_val.zip',),
        'train': ('CrowdHuman_train01.zip', 'CrowdHuman_train02.zip', 'CrowdHuman_train03.zip'),
    },
)


def prepare(
    src: Path, out: Path, splits: list[str], allow_partial: bool = False
) -> tuple[list[dict], list[str]]:
    """Fills `out` with ``Images/`` and ``annotations/<split>.json``.

    Images in archives are unpacked, each of which appears whole or not at all; those in folders
    are linked to. What is in `out` already stays as it is.

    Args:
        src (Path): Folder of the download: ``annotation_<split>.odgt``, and archives or images.
        out (Path): Folder to make or to complete.
        splits (list[str]): 'val', 'train'.
        allow_partial (bool): Convert what is there of an incomplete download.

    Returns:
        tuple[list[dict], list[str]]: Per split its counts; what is missing, where that is allowed.

    Raises:
        ValueError: Annotations or images are missing, or an archive or image is damaged.
        MOTFormatError: An annotation is broken. No json is written.
    """
    boxes, wanted = {}, {}
    for split in splits:
        file = find_file(CROWDHUMAN, src, f'annotation_{split}.odgt')
        images = boxes[split] = read_odgt(file)
        if len(images) != IMAGES[split] and not allow_partial:
            raise ValueError(
                f'{file.name} has {len(images)} images, CrowdHuman {split} has {IMAGES[split]}: '
                f'download it again from {CROWDHUMAN.url}, or give --allow-partial'
            )
        wanted[split] = {f'{image}.jpg': out / 'Images' / f'{image}.jpg' for image in images}
    found, missing = find(CROWDHUMAN, src, wanted, allow_partial)
    take(found, out)
    there = {path.stem for path in found}
    boxes = {split: {i: images[i] for i in images if i in there} for split, images in boxes.items()}
    with progress_bar('converting', len(found)) as advance:
        made = {split: _convert(boxes[split], out, advance) for split in splits if boxes[split]}
    write_json({out / 'annotations' / f'{split}.json': made[split][0] for split in made})
    return [
        {'json': split, 'images': f'{len(boxes[split])} of {IMAGES[split]}'}
        | {key: rows[key] for key in ('boxes', 'ignored', 'zero size', 'outside image')}
        for split, (_, rows) in made.items()
    ], missing


def read_odgt(path: Path) -> dict[str, list[Row]]:
    """Reads annotations.

    Args:
        path (Path): An ``.odgt`` file.

    Returns:
        dict[str, list[Row]]: Full boxes by image: ``id`` is the position among the image's boxes,
        ``flag`` 0 for those to be ignored (tag 'mask', or ``extra.ignore`` 1). Some have no width
        or height.

    Raises:
        MOTFormatError: A line is cut off or no annotation of CrowdHuman, or there is none.
    """
    images: dict[str, list[Row]] = {}
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            images[entry['ID']] = [_row(index, box) for index, box in enumerate(entry['gtboxes'])]
        except (ValueError, KeyError, TypeError) as error:
            raise MOTFormatError(
                f'{path}:{number}: cut off or no annotation of CrowdHuman ({error!r}): download it '
                f'again from {CROWDHUMAN.url}'
            ) from error
    if not images:
        raise MOTFormatError(f'{path} has no images: download it again from {CROWDHUMAN.url}')
    return images


def _row(index: int, box: dict) -> Row:
    """One full box."""
    x, y, w, h = map(float, box['fbox'])
    ignored = box['tag'] == 'mask' or (box.get('extra') or {}).get('ignore') == 1
    return Row(1, index, x, y, w, h, flag=float(not ignored), class_id=1, visibility=1.0)


def _convert(
    images: dict[str, list[Row]], out: Path, on_image: Callable[[], None]
) -> tuple[dict, dict]:
    """CocoVID content of images in ``Images/`` of `out`, and counts; boxes without size are left
    out.
    """
    content, counts = CocoVID(class_rule('custom')), []
    for name, rows in images.items():
        file = f'Images/{name}.jpg'
        size = image_size(out / file)
        kept = [row for row in rows if row.w > 0 and row.h > 0]
        annotations = content.add_video(name, 1.0, size, {1: file}, kept)
        counts.append(count(annotations, size, {'zero size': len(rows) - len(kept)}))
        on_image()
    return content.content, total(counts)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in px (see `stated_size`).

    Raises:
        ValueError: The file is no image.
    """
    try:
        return stated_size(path)
    except UnidentifiedImageError as error:
        url = CROWDHUMAN.url
        raise ValueError(f'{path}: not a readable image: fetch it again from {url}') from error
