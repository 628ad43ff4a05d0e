"""BDD100K MOT 2020 (https://doc.bdd100k.com, label format of Scalabel).

``labels/box_track_20/train/<video>.json`` is a list of frames with ``name`` (of the image),
``videoName``, ``frameIndex`` (from 0) and ``labels``, each with ``id``, ``category``,
``attributes`` (``crowd``, ``occluded``, ``truncated``) and ``box2d``. x2 and y2 are the last pixel:
a box is x2 - x1 + 1 wide, as Scalabel converts them. Images, 5 per second, are
``images/track/train/<video>/<video>-0000001.jpg``.
"""

from pathlib import Path
from typing import Any

from lamotr_mm.io.mot_folder import MOTFormatError

from .video import AnnotatedVideo, Box, read_json

LABELS = ('pedestrian', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle')
# neither right nor wrong to find, as in the evaluation of the benchmark
DISTRACTORS = ('other person', 'trailer', 'other vehicle')


def read(src: Path, media: Path | None = None) -> list[AnnotatedVideo]:
    """Reads a folder of json files (or one), such as ``labels/box_track_20/train``; images are
    found from there.

    Raises:
        ValueError: There are no json files, or no images.
        MOTFormatError: A file breaks the format.
    """
    folder = src if src.is_dir() else src.parent
    files = sorted(src.glob('[!.]*.json')) if src.is_dir() else [src]
    if not files:
        raise ValueError(f'{src}: no json files: name the folder of a split, box_track_20/train')
    images = media or _images(folder)
    videos = []
    for file in files:
        content = read_json(file)
        frames = content.get('frames') if isinstance(content, dict) else content
        if not isinstance(frames, list) or not frames:
            raise MOTFormatError(f'{file}: a list of frames is expected')
        try:
            by_name: dict[str, list] = {}
            for frame in frames:
                by_name.setdefault(frame.get('videoName') or file.stem, []).append(frame)
            videos += [_video(name, frames, images) for name, frames in by_name.items()]
        except (KeyError, TypeError, AttributeError) as error:
            raise MOTFormatError(f'{file}: no BDD100K tracking labels: {error!r}') from error
    return videos


def _images(folder: Path) -> Path:
    """``images/track/<split>`` of the data set that the labels of a split are in."""
    for parent in folder.resolve().parents:
        images = parent / 'images' / 'track' / folder.resolve().name
        if images.is_dir():
            return images
    raise ValueError(f'{folder}: images/track/{folder.resolve().name} is not near: give --media')


def _video(name: str, frames: list[dict[str, Any]], images: Path) -> AnnotatedVideo:
    index = 'frameIndex' if 'frameIndex' in frames[0] else 'index'
    return AnnotatedVideo(
        name=name,
        media=images / name,
        boxes=[
            _box(frame[index] + 1, label)
            for frame in frames
            for label in frame.get('labels') or ()  # null where there is nothing
        ],
        labels=LABELS,
        files=dict(sorted((frame[index] + 1, frame['name']) for frame in frames)),
        fps=5,
    )


def _box(frame: int, label: dict[str, Any]) -> Box:
    corners = label['box2d']
    x1, y1, x2, y2 = (float(corners[key]) for key in ('x1', 'y1', 'x2', 'y2'))
    attributes = {key.lower(): value for key, value in (label.get('attributes') or {}).items()}
    return Box(
        frame,
        str(label['id']),
        label['category'],
        *(x1, y1, x2 - x1 + 1, y2 - y1 + 1),
        ignored=bool(attributes.get('crowd')) or label['category'] in DISTRACTORS,
        visibility=0.5 if attributes.get('occluded') else 1.0,
    )
