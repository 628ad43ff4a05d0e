"""CrowdHuman (https://www.crowdhuman.org) as CocoVID json: each image is a video of one frame.

A line of an ``.odgt`` file is the json of one image: ``ID`` (the name of ``Images/<ID>.jpg``) and
``gtboxes``, each with ``tag`` ('person' or 'mask'), ``fbox``, ``vbox``, ``hbox`` (full body,
visible part, head as x, y, w, h in px) and perhaps ``extra`` (``ignore``, ``box_id``, ``occ``).
Full boxes are guessed where people are occluded or cut off: they may reach beyond the image.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PIL import UnidentifiedImageError

from lamotr_mm.io.archives import Archive, check_space, find_archives, find_folders, link
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.images import stated_size
from lamotr_mm.io.mot_folder import MOTFormatError
from lamotr_mm.io.mot_gt import MAX_REPORTED_ERRORS, Row, class_rule

from .cocovid import CocoVID, outside, write_json
from .console import progress_bar
from .official import name_some

URL = 'https://www.crowdhuman.org/download.html'
IMAGES = {'val': 4370, 'train': 15000}
ARCHIVES = {
    'val': ('CrowdHuman_val.zip',),
    'train': ('CrowdHuman_train01.zip', 'CrowdHuman_train02.zip', 'CrowdHuman_train03.zip'),
}


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
    if not src.is_dir():
        raise ValueError(f'{src} is not a folder: name that of the download')
    boxes, skipped, missing = {}, {}, []
    for split in splits:
        boxes[split], skipped[split] = read_odgt(_find_odgt(src, split))
        if len(boxes[split]) != IMAGES[split] and not allow_partial:
            raise ValueError(
                f'annotation_{split}.odgt has {len(boxes[split])} images, CrowdHuman {split} has '
                f'{IMAGES[split]}: download it again from {URL}, or give --allow-partial'
            )
    places = _find_images(src, out, splits, {image for split in boxes for image in boxes[split]})
    for split, images in boxes.items():
        absent = [image for image in images if image not in places]
        if absent:
            missing.append(
                f'CrowdHuman {split}: {len(absent)} of {len(images)} images are missing in {src} '
                f'({name_some([f"{image}.jpg" for image in absent])}): they come in '
                f'{" and ".join(ARCHIVES[split])}'
            )
            boxes[split] = {image: rows for image, rows in images.items() if image in places}
    if missing and (not allow_partial or not places):
        raise ValueError('\n'.join([*missing, f'download from {URL}']))
    boxes = {split: images for split, images in boxes.items() if images}
    _take(places, out)
    with progress_bar('converting', sum(map(len, boxes.values()))) as advance:
        made = {split: make_content(images, out, advance) for split, images in boxes.items()}
    write_json({out / 'annotations' / f'{split}.json': made[split].content for split in made})
    return [_count(split, made[split].content, skipped[split]) for split in made], missing


def _find_odgt(src: Path, split: str) -> Path:
    """The annotations of a split."""
    name = f'annotation_{split}.odgt'
    for folder in [src, *find_folders(src)]:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f'{src}: {name} is missing: download it from {URL}')


def read_odgt(path: Path) -> tuple[dict[str, list[Row]], Counter]:
    """Reads and validates annotations.

    Args:
        path (Path): An ``.odgt`` file.

    Returns:
        tuple[dict[str, list[Row]], Counter]: Full boxes by image: ``id`` is the position among the
        image's boxes, ``flag`` 0 for those to be ignored (tag 'mask', or ``extra.ignore`` 1).
        Numbers of boxes skipped: 'zero size', which includes negative widths and heights.

    Raises:
        MOTFormatError: Names file, line and value of each broken line (the first ten); or there is
            no line.
    """
    images: dict[str, list[Row]] = {}
    skipped: Counter = Counter()
    errors: list[str] = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        if not line.strip():
            continue
        try:
            name, rows = _parse_line(line)
            if name in images:
                raise ValueError(f'image {name} is there twice')
        except ValueError as error:
            errors.append(f'{path}:{number}: {error}')
            if len(errors) == MAX_REPORTED_ERRORS:
                errors.append('... and perhaps more')
                break
            continue
        images[name] = [row for row in rows if row.w > 0 and row.h > 0]
        skipped['zero size'] += len(rows) - len(images[name])
    if errors:
        raise MOTFormatError('broken annotations:\n' + '\n'.join(errors))
    if not images:
        raise MOTFormatError(f'{path} has no images: download it again from {URL}')
    return images, skipped


def _parse_line(line: str) -> tuple[str, list[Row]]:
    """Name and boxes of one image; ValueError says what is wrong."""
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ValueError(f'cut off or no json: {error}') from None
    if not isinstance(entry, dict) or not isinstance(entry.get('ID'), str):
        raise ValueError('an object with ID and gtboxes is expected')
    if not isinstance(entry.get('gtboxes'), list):
        raise ValueError(f'{entry["ID"]} has no list of gtboxes')
    return entry['ID'], [_parse_box(index, box) for index, box in enumerate(entry['gtboxes'])]


def _parse_box(index: int, box: dict) -> Row:
    """One full box; ValueError says what is wrong with it."""
    if not isinstance(box, dict):
        raise ValueError(f'box {index}: an object is expected, got {box!r}')
    tag, fbox = box.get('tag'), box.get('fbox')
    if tag not in ('person', 'mask'):
        raise ValueError(f"box {index}: tag must be 'person' or 'mask', got {tag!r}")
    numbers = isinstance(fbox, list) and all(isinstance(v, int | float) for v in fbox)
    if not numbers or len(fbox) != 4 or not all(map(math.isfinite, fbox)):
        raise ValueError(f'box {index}: fbox must be four finite numbers, got {fbox!r}')
    ignored = tag == 'mask' or (box.get('extra') or {}).get('ignore') == 1
    return Row(1, index, *map(float, fbox), flag=float(not ignored), class_id=1, visibility=1.0)


def _find_images(
    src: Path, out: Path, splits: list[str], images: set[str]
) -> dict[str, Path | tuple[Archive, str]]:
    """Where each image is: a file (best in `out`), or an archive and the path in it."""
    files = {f'{image}.jpg': image for image in images}
    places: dict[str, Path | tuple[Archive, str]] = {}
    for folder in [out / 'Images', src, *find_folders(src)]:
        for name in set(os.listdir(folder)) & set(files) if folder.is_dir() else ():
            if (folder / name).is_file():  # no link to what is gone
                places.setdefault(files[name], folder / name)
    # the likely ones first: others need not be opened, nor be whole
    likely = {name for split in splits for name in ARCHIVES[split]}
    for path in sorted(find_archives(src), key=lambda path: path.name not in likely):
        if len(places) < len(images):
            archive = Archive(path)
            for member in archive.sizes:
                image = files.get(member.rpartition('/')[2])
                if image is not None:
                    places.setdefault(image, (archive, member))
    return places


def _take(places: dict[str, Path | tuple[Archive, str]], out: Path) -> None:
    """Links or unpacks what is not in ``Images/`` yet."""
    targets = {out / 'Images' / f'{image}.jpg': place for image, place in places.items()}
    targets = {target: place for target, place in targets.items() if target != place}
    check_space(out, [p[0].sizes[p[1]] for p in targets.values() if not isinstance(p, Path)])
    with progress_bar('images', len(targets)) as advance:
        for target, place in targets.items():
            if isinstance(place, Path):
                link(place, target, out)
            else:
                archive, member = place
                with replace_on_success(target) as part:
                    archive.copy(member, part)
            advance()


def make_content(
    images: dict[str, list[Row]], out: Path, on_image: Callable[[], None] = lambda: None
) -> CocoVID:
    """Converts images that are in ``Images/`` of `out`; ``instance_id`` is unique.

    Args:
        images (dict[str, list[Row]]): Boxes by the image's name (see `read_odgt`).
        out (Path): Folder that ``file_name`` is relative to.
        on_image (Callable): Called after each image.

    Raises:
        ValueError: A file is no image.
    """
    content = CocoVID(class_rule('custom'))
    for name, rows in images.items():
        file = f'Images/{name}.jpg'
        content.add_video(name, 1.0, image_size(out / file), {1: file}, rows)
        on_image()
    return content


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in px (see `stated_size`).

    Raises:
        ValueError: The file is no image.
    """
    try:
        return stated_size(path)
    except UnidentifiedImageError as error:
        raise ValueError(f'{path}: not a readable image: fetch it again from {URL}') from error


def _count(split: str, content: dict, skipped: Counter) -> dict:
    """Counts of one split."""
    sizes = {image['id']: (image['width'], image['height']) for image in content['images']}
    annotations = content['annotations']
    ignored = sum(a['iscrowd'] for a in annotations)
    return {
        'json': split,
        'images': f'{len(sizes)} of {IMAGES[split]}',
        'boxes': len(annotations) - ignored,
        'ignored': ignored,
        'zero size': skipped['zero size'],
        'outside image': sum(outside(a['bbox'], sizes[a['image_id']]) for a in annotations),
    }
