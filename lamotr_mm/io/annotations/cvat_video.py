"""'CVAT for video 1.1' (https://docs.cvat.ai/docs/dataset_management/formats/format-cvat).

``annotations.xml`` has a ``track`` for each target, with a ``box`` (``xtl``, ``ytl``, ``xbr``,
``ybr`` in px, from 0, width is xbr - xtl) for each frame or for key frames only; ``outside="1"``
says that it is not there from that frame on. Frames count from 0, as those of the whole video
where the task took every fifth one (``frame_filter``). Images are ``images/frame_000000.PNG``.
Rectangles outside tracks are tracks of one frame there. Targets whose attribute ``ignored`` is true
are neither right nor wrong to find, as in CVAT's own MOT export.
"""

import math
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from lamotr_mm.io.mot_folder import MOTFormatError, image_files

from .key_frames import Key, fill
from .video import AnnotatedVideo, Box, find_media, numbered_images


def read(src: Path, media: Path | None = None) -> list[AnnotatedVideo]:
    """Reads ``annotations.xml``, or the unpacked folder that it is in; the video or the images lie
    beside it or in `media`.

    Raises:
        ValueError: There is no such file, or no video.
        MOTFormatError: The file breaks the format, or is of another kind.
    """
    file = src / 'annotations.xml' if src.is_dir() else src
    if not file.is_file():
        raise ValueError(f'{src}: no annotations.xml: is it an export of CVAT for video 1.1?')
    try:
        root = ElementTree.parse(file).getroot()
        meta = _meta(root, file)
        frames = _frames(meta)
        notes: list[str] = []
        boxes = [box for track in root.iter('track') for box in _boxes(track, frames, notes)]
    except (ElementTree.ParseError, KeyError, ValueError, AttributeError) as error:
        if isinstance(error, MOTFormatError):
            raise
        raise MOTFormatError(f'{file}: not in the form of CVAT for video 1.1: {error!r}') from error
    shapes = Counter(s.tag for t in root.iter('track') for s in t if s.tag != 'box')
    notes += [f'shapes other than boxes are left out: {n} {tag}' for tag, n in shapes.items()]
    source = meta.findtext('source') or root.findtext('meta/source') or ''
    name = Path(source).stem or meta.findtext('name') or file.parent.name
    path = find_media([source, 'images', name], media or file.parent)
    if path is None:
        raise ValueError(
            f'{file}: {source or "the video"} is not in {media or file.parent}: give --media, or '
            'export with images'
        )
    return [
        AnnotatedVideo(
            name=name,
            media=path,
            boxes=boxes,
            labels=tuple(label.findtext('name', '') for label in meta.findall('labels/label')),
            files=_files(path, frames) if path.is_dir() else None,
            numbers=range(frames.start + 1, frames.stop + 1, frames.step),
            notes=tuple(dict.fromkeys(notes)),
        )
    ]


def _meta(root: ElementTree.Element, file: Path) -> ElementTree.Element:
    """What is said of the task or job."""
    if root.find('image') is not None:
        raise MOTFormatError(
            f"{file}: 'CVAT for images' has no tracks: export 'CVAT for video 1.1'"
        )
    if root.find('meta/project') is not None:
        raise MOTFormatError(f'{file}: of a whole project: export each task for itself')
    meta = root.find('meta/task')
    meta = root.find('meta/job') if meta is None else meta
    if meta is None:
        raise MOTFormatError(f'{file}: no meta/task: not an export of CVAT for video 1.1')
    return meta


def _frames(meta: ElementTree.Element) -> range:
    """Frames of the task, from 0, in the numbers of the video."""
    step = re.fullmatch(r'step=(\d+)', meta.findtext('frame_filter') or '')
    stride = int(step[1]) if step else 1
    first = int(meta.findtext('start_frame') or 0)
    size = int(meta.findtext('size', 'no size'))
    if meta.tag == 'job' and stride > 1:
        raise MOTFormatError('a job of a task with a frame step: export the task')
    return range(first, first + size * stride, stride)


def _files(folder: Path, frames: range) -> dict[int, str]:
    """Images of the frames: by their number where they are called frame_000000, else in order.

    Raises:
        MOTFormatError: There are more or fewer.
    """
    images = image_files(folder)
    if len(images) != len(frames):
        raise MOTFormatError(f'{folder} has {len(images)} images, the task {len(frames)} frames')
    if all(re.fullmatch(r'frame_\d+', file.stem) for file in images):
        return numbered_images(folder, shift=1)
    return {number + 1: file.name for number, file in zip(frames, images)}


def _boxes(track: ElementTree.Element, frames: range, notes: list[str]) -> list[Box]:
    """Boxes of a target in the frames of the task."""
    shapes = {int(box.attrib['frame']): box for box in track.findall('box')}
    keys = []
    for frame, shape in shapes.items():
        there = shape.attrib['outside'] == '0'
        keys.append(Key(frame, _upright(shape, notes), shown=there, goes_on=there))
    boxes = []
    for frame, (x1, y1, x2, y2), key in fill(keys, frames[-1] if frames else -1):
        if frame not in frames:
            continue
        shape = shapes[key.frame]
        boxes.append(
            Box(
                frame + 1,
                int(track.attrib['id']),
                track.attrib['label'],
                *(x1, y1, x2 - x1, y2 - y1),
                ignored=_is_ignored(shape),
                visibility=1.0 - int(shape.attrib.get('occluded', 0)),
            )
        )
    if len(boxes) > len(shapes):
        notes.append('boxes between key frames are interpolated')
    return boxes


def _is_ignored(shape: ElementTree.Element) -> bool:
    attributes = {a.attrib.get('name'): a.text for a in shape.findall('attribute')}
    return (attributes.get('ignored') or '').lower() == 'true'


def _upright(shape: ElementTree.Element, notes: list[str]) -> tuple[float, ...]:
    """x1, y1, x2, y2; of a rotated box (degrees, about its centre) those of the box around it."""
    x1, y1, x2, y2 = (float(shape.attrib[side]) for side in ('xtl', 'ytl', 'xbr', 'ybr'))
    angle = math.radians(float(shape.attrib.get('rotation', 0)))
    if not angle:
        return x1, y1, x2, y2
    notes.append('rotated boxes become the upright ones around them')
    x, y, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    sin, cos = abs(math.sin(angle)), abs(math.cos(angle))
    half_w, half_h = (w * cos + h * sin) / 2, (w * sin + h * cos) / 2
    return x - half_w, y - half_h, x + half_w, y + half_h
