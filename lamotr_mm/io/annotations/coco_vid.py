"""COCO-VID: COCO's json with ``videos``, as mmtracking, mmdet and TAO write it.

Images have ``video_id`` and ``frame_id`` (``frame_index`` in TAO), annotations ``instance_id``
(``track_id`` in TAO) and COCO's ``bbox`` (x, y, w, h in px, from 0). `MOTVideoDataset` reads
mmdet's kind as it is; this one also takes the other names, numbers from 1, gaps in the numbers, and
text for ids.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from lamotr_mm.io.cocovid_json import is_ignored
from lamotr_mm.io.mot_folder import MOTFormatError

from .video import AnnotatedVideo, Box, read_json

_FRAME = 'frame_id', 'frame_index'
_TARGET = 'instance_id', 'track_id'


def read(src: Path, media: Path | None = None) -> list[AnnotatedVideo]:
    """Reads a json; ``file_name`` is seen from `media`, else from the folder of the json or from
    the one above it.

    Raises:
        ValueError: The images are not there.
        MOTFormatError: The file breaks the format.
    """
    content = read_json(src)
    try:
        labels = {category['id']: category['name'] for category in content['categories']}
        images = defaultdict(list)
        for image in content['images']:
            images[image['video_id']].append(image)
        annotations = defaultdict(list)
        for annotation in content['annotations']:
            annotations[annotation['image_id']].append(annotation)
        root = media or _root(src, content['images'])
        return [
            _video(video['name'], images[video['id']], annotations, labels, root)
            for video in content['videos']
            if images[video['id']]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise MOTFormatError(f'{src}: not COCO-VID, one frame an image: {error!r}') from error


def _root(src: Path, images: list[dict[str, Any]]) -> Path:
    for folder in (src.parent, src.parent.parent):
        if images and (folder / images[0]['file_name']).is_file():
            return folder
    name = images[0]['file_name'] if images else 'no image'
    raise ValueError(f'{src}: {name} is neither beside it nor one folder above: give --media')


def _value(entry: dict[str, Any], keys: tuple[str, str]) -> Any:
    """Value of the first of the keys that is there; KeyError names the first."""
    return entry[keys[1] if entry.get(keys[0]) is None and keys[1] in entry else keys[0]]


def _video(
    name: str,
    images: list[dict[str, Any]],
    annotations: dict[Any, list[dict[str, Any]]],
    labels: dict[Any, str],
    root: Path,
) -> AnnotatedVideo:
    numbers = {image['id']: _value(image, _FRAME) for image in images}
    shift = 1 if 0 in numbers.values() else 0
    if len(set(numbers.values())) < len(numbers):
        raise MOTFormatError(f'video {name}: two images have the same {_FRAME[0]}')
    boxes = []
    for image in images:
        for annotation in annotations[image['id']]:
            x, y, w, h = map(float, annotation['bbox'][:4])
            boxes.append(
                Box(
                    numbers[image['id']] + shift,
                    _value(annotation, _TARGET),
                    labels[annotation['category_id']],
                    *(x, y, w, h),
                    ignored=is_ignored(annotation),
                    visibility=annotation.get('visibility', 1.0),
                )
            )
    files = {numbers[image['id']] + shift: image['file_name'] for image in images}
    return AnnotatedVideo(
        name=name,
        media=root,
        boxes=boxes,
        labels=tuple(labels.values()),
        files=dict(sorted(files.items())),
    )
