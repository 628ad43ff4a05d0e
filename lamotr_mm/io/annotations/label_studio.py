"""Label Studio's json export of video object tracking (https://labelstud.io/tags/videorectangle).

A task has ``data`` (an address of the video) and ``annotations``, whose ``result`` has a region of
type ``videorectangle`` for each target. ``value.sequence`` are its key frames: ``frame`` (from 1),
``x``, ``y``, ``width``, ``height`` in percent of the frame, ``rotation`` and ``enabled``. Between
them boxes are linear; a key frame that is not ``enabled`` is the last one of a span (as in
label_studio_tools' ``extract_key_frames``); after the last key frame a target stays where it is.

The browser counts frames as duration times the tag's ``framerate``, 24 if not set: where that isn't
the video's own, its frame numbers are others than those of the video.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse

from lamotr_mm.io.frames import open_frames
from lamotr_mm.io.mot_folder import MOTFormatError

from .key_frames import Key, fill
from .video import AnnotatedVideo, Box, find_media, read_json


def read(src: Path, media: Path | None = None) -> list[AnnotatedVideo]:
    """Reads an export of the kind 'JSON' (not 'JSON-MIN'); videos lie beside it or in `media`.

    Raises:
        ValueError: A video is not there.
        MOTFormatError: The file breaks the format, or has what can't be read for sure: rotated
            boxes, several labels of a target, several annotations of a task.
    """
    tasks = read_json(src)
    try:
        return [
            _video(task, src, media) for task in (tasks if isinstance(tasks, list) else [tasks])
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise MOTFormatError(
            f"{src}: no export of the kind 'JSON' of video object tracking: {error!r}"
        ) from error


def _video(task: dict[str, Any], src: Path, media: Path | None) -> AnnotatedVideo:
    where = f'{src}: task {task.get("id")}'
    name = _file_name(task['data'], where)
    # uploads get eight hexadecimal digits before their name
    names = [name, re.sub(r'^[0-9a-f]{8}-', '', name)]
    path = find_media(names, media or src.parent)
    if path is None or path.is_dir():
        raise ValueError(f'{where}: {names[-1]} is not in {media or src.parent}: give --media')
    done = [a for a in task['annotations'] if not a.get('was_cancelled')]
    if len(done) > 1:
        raise MOTFormatError(f'{where} has {len(done)} annotations: leave the one to be used')
    regions = [r for a in done for r in a['result'] if r['type'] == 'videorectangle']
    counts = {int(region['value']['framesCount']) for region in regions}
    if len(counts) > 1:
        raise MOTFormatError(f'{where} counts its frames as {", ".join(map(str, counts))}')
    width, height = open_frames(path).size
    boxes = []
    for region in regions:
        label = _label(region, where)
        keys = [_key(item, where) for item in region['value']['sequence']]
        for frame, (x, y, w, h), _ in fill(_spans(keys), max(counts)):
            px = x * width / 100, y * height / 100, w * width / 100, h * height / 100
            boxes.append(Box(frame, region['id'], label, *px))
    return AnnotatedVideo(
        name=Path(names[-1]).stem, media=path, boxes=boxes, counted=max(counts, default=None)
    )


def _file_name(data: dict[str, Any], where: str) -> str:
    """Name of the video: that of ``data.video``, else of the one value that names a file."""
    texts = [data['video']] if 'video' in data else [v for v in data.values() if isinstance(v, str)]
    # /data/local-files/?d=folder/video.mp4 has it in the query
    names = [PurePosixPath(unquote(re.sub(r'.*[?&]d=', '', text))) for text in texts]
    names = [PurePosixPath(urlparse(str(name)).path) for name in names if name.suffix]
    if len(names) != 1:
        raise MOTFormatError(f'{where}: data names {len(names)} videos, one is needed')
    return names[0].name


def _label(region: dict[str, Any], where: str) -> str:
    labels = region['value'].get('labels') or []
    if len(labels) != 1:
        raise MOTFormatError(f'{where}: region {region["id"]} has {len(labels)} labels, not 1')
    return labels[0]


def _key(item: dict[str, Any], where: str) -> Key:
    if item.get('rotation'):
        raise MOTFormatError(
            f'{where}: a box is rotated in frame {item["frame"]}: only upright boxes are read'
        )
    try:
        box = tuple(float(item[side]) for side in ('x', 'y', 'width', 'height'))
        return Key(int(item['frame']), box, goes_on=bool(item['enabled']))
    except ValueError as error:
        raise MOTFormatError(f'{where}: key frame {item}: {error}') from error


def _spans(keys: list[Key]) -> list[Key]:
    """Key frames without those, not enabled, that end no span: nothing is shown there."""
    keys = sorted(keys)
    before = [None, *keys[:-1]]
    return [k for k, b in zip(keys, before) if k.goes_on or (b is not None and b.goes_on)]
