"""Everything that is wrong with a CocoVID json (see `cocovid`), at once.

`MOTVideoDataset` stops at the first broken annotation. Here the json is read apart from it, and
each defect becomes a `Finding`.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import mmengine

# what `MOTVideoDataset`, `LoadFrame` and the samplers take from the json
REQUIRED_KEYS = {
    'categories': ('id', 'name'),
    'videos': ('id', 'name'),
    'images': ('id', 'video_id', 'file_name', 'width', 'height', 'frame_id'),
    'annotations': ('image_id', 'category_id', 'bbox', 'instance_id'),
}
TEXTS = ('name', 'file_name')
NUMBERS = ('width', 'height', 'frame_id', 'mot_frame_id', 'instance_id')  # other ids may be text
MAX_ID = 2**31 - 1  # of instance_id: LoadTrackAnnotations makes it int32
# a side longer than so many sides of the image: no full body of someone whom the border cuts off
HUGE = 3


@dataclass(frozen=True)
class Finding:
    """One defect.

    Attributes:
        kind (str): What is wrong, in two or three words.
        message (str): Where, which values, and what helps.
        file (str): The image, or the json.
        video (str): Name of the video, '' where none is concerned.
        frame (int, optional): Number of the frame: ``mot_frame_id``, else ``frame_id + 1``.
    """

    kind: str
    message: str
    file: str
    video: str = ''
    frame: int | None = None


@dataclass
class Report:
    """What was found in one set of videos.

    Attributes:
        ann_file (str): Its json.
        videos (list[dict]): Per video: video, frames, boxes, ids, ignored, empty (frames without
            boxes), gaps (tracks that are away for some frames).
        problems (list[Finding]): What stops training or testing, or makes it wrong.
        notes (list[str]): What may be as it should, but is worth a look.
    """

    ann_file: str
    videos: list[dict] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class ImageEntry(NamedTuple):
    """An image that the json names: its file, video, number, and width and height in px."""

    file_name: str
    video: str
    frame: int
    size: tuple[int, int]


def check_annotations(
    ann_file: str, classes: Sequence[str], training: bool
) -> tuple[Report, list[ImageEntry]]:
    """Checks a json, without looking at images.

    Args:
        ann_file (str): The json.
        classes (Sequence[str]): ``metainfo['classes']`` of the data set.
        training (bool): Whether the set is to train on: then each class needs boxes.
    """
    checker = _Checker(ann_file, classes, training)
    content = checker.load()
    if content is not None:
        checker.check(content)
    return checker.report, checker.images


class _Checker:
    """Goes through one json and collects ``report`` and ``images``."""

    def __init__(self, ann_file: str, classes: Sequence[str], training: bool) -> None:
        self.report = Report(ann_file)
        self.images: list[ImageEntry] = []
        self._classes = classes
        self._training = training
        self._videos_of_id: dict[int, set[str]] = defaultdict(set)
        self._outside: list[tuple[str, dict]] = []  # of one video: message, image

    def _add(self, kind: str, message: str, video: str = '', image: dict | None = None) -> None:
        frame = None if image is None else _number(image)
        self.report.problems.append(Finding(kind, message, self.report.ann_file, video, frame))

    def _note(self, text: str) -> None:
        self.report.notes.append(text)

    def load(self) -> dict | None:
        """Complete entries of the json; None where it can't be read."""
        file = self.report.ann_file
        if not Path(file).is_file():
            self._add('no annotations', f'{file} does not exist: convert the data set first')
            return None
        try:
            content = mmengine.load(file)
        except ValueError as error:
            self._add('broken annotations', f'{file}: cut off or no json ({error})')
            return None
        content = content if isinstance(content, dict) else {}
        lacking = [key for key in REQUIRED_KEYS if not isinstance(content.get(key), list)]
        if lacking:
            self._add('broken annotations', f'{file}: no CocoVID, has no list {", ".join(lacking)}')
            return None
        return {
            name: [
                entry
                for index, entry in enumerate(content[name])
                if self._complete(f'{name}[{index}]', entry, keys)
            ]
            for name, keys in REQUIRED_KEYS.items()
        }

    def _complete(self, what: str, entry: dict, keys: tuple[str, ...]) -> bool:
        """Whether an entry has all keys, with values that can be worked with."""
        if not isinstance(entry, dict):
            self._add('bad value', f'{what} is {_short(entry)}, an object is expected')
            return False
        lacking = [key for key in keys if entry.get(key) is None]
        if lacking:
            self._add('missing key', f'{what} has no {", ".join(lacking)}: {_short(entry)}')
            return False
        for key in (*keys, 'mot_frame_id'):
            if entry.get(key) is not None and not _fits(key, entry[key]):
                self._add('bad value', f'{what} has {key} = {_short(entry[key])}')
                return False
        return True

    def check(self, content: dict[str, list[dict]]) -> None:
        """Checks what refers to what, then video by video."""
        categories = self._check_categories(content['categories'])
        videos = self._unique('videos', content['videos'], ('id', 'name'))
        entries = self._unique('images', content['images'], ('id', 'file_name'))
        images = self._check_images(entries, videos)
        boxes = self._check_references(content['annotations'], images, categories)
        by_video = defaultdict(list)
        for image in images.values():
            by_video[image['video_id']].append(image)
        counts: Counter = Counter()
        for video in videos:
            frames = sorted(by_video[video['id']], key=lambda image: image['frame_id'])
            self._check_numbers(video['name'], frames)
            counts += self._check_video(video['name'], frames, boxes)
        self._check_classes(counts, [name for name, _ in categories.values()])
        self._note_shared_ids()

    def _check_categories(self, entries: list[dict]) -> dict:
        """By id: name, and whether the data set asks for it."""
        names = {entry['name'] for entry in entries}
        absent = [name for name in self._classes if name not in names]
        if absent:
            self._add(
                'class absent',
                f'{", ".join(absent)}: the json has {", ".join(sorted(names)) or "none"}; set '
                'metainfo=dict(classes=(...)) of the data set',
            )
        return {entry['id']: (entry['name'], entry['name'] in self._classes) for entry in entries}

    def _unique(self, name: str, entries: list[dict], keys: tuple[str, str]) -> list[dict]:
        """The first entry of each id; repeated values of any of the keys are reported."""
        for key in keys:
            for value, count in Counter(entry[key] for entry in entries).items():
                if count > 1:
                    self._add('entry twice', f'{name}: {key} {value!r} is there {count} times')
        # the last one of several stays in a dict
        return list({entry['id']: entry for entry in reversed(entries)}.values())[::-1]

    def _check_images(self, images: list[dict], videos: list[dict]) -> dict:
        """Images of known videos, by id."""
        names = {video['id']: video['name'] for video in videos}
        known = {}
        for image in images:
            video = names.get(image['video_id'])
            if video is None:
                what = f'image {image["file_name"]} is of video {image["video_id"]!r}'
                self._add('unknown video', f'{what}, which is not among the videos')
                continue
            known[image['id']] = image
            size = image['width'], image['height']
            self.images.append(ImageEntry(image['file_name'], video, _number(image), size))
        return known

    def _check_references(self, annotations: list[dict], images: dict, categories: dict) -> dict:
        """Boxes that the data set takes, by image id, with the name of their class."""
        boxes = defaultdict(list)
        others: Counter = Counter()
        for entry in annotations:
            for kind, key, known in (
                ('unknown image', 'image_id', images),
                ('unknown class', 'category_id', categories),
            ):
                if entry[key] not in known:
                    self._add(kind, f'{_describe(entry)} is of {key} {entry[key]!r}')
                    break
            else:
                name, wanted = categories[entry['category_id']]
                ignored = bool(entry.get('iscrowd') or entry.get('ignore'))
                if wanted or ignored:
                    boxes[entry['image_id']].append(dict(entry, name=name, ignored=ignored))
                else:
                    others[name] += 1
        for name, count in others.items():
            self._note(f'{count} boxes of class {name} are left out: not in metainfo.classes')
        return boxes

    def _check_numbers(self, video: str, images: list[dict]) -> None:
        """Frames must count 0, 1, 2, ..., original numbers ascend, and sizes be the same."""
        counts = Counter(image['frame_id'] for image in images)
        for frame_id, count in counts.items():
            if count > 1:
                self._add('frame numbering', f'frame_id {frame_id} is there {count} times', video)
        # not by listing what is missing: broken numbers may be huge
        missing = max(counts, default=-1) + 1 - sum(frame_id >= 0 for frame_id in counts)
        if missing or min(counts, default=0) < 0:
            first = next(number for number in itertools.count() if number not in counts)
            what = f'frame_id {first} is missing' if missing else 'frame_id is negative'
            more = f' and {missing - 1} more' if missing > 1 else ''
            self._add('frame numbering', f'{what}{more}: frames count 0, 1, 2, ...', video)
        skipped = 0
        for before, image in itertools.pairwise(images):
            step = _number(image) - _number(before)
            skipped += max(step - 1, 0)
            if step <= 0 and before['frame_id'] < image['frame_id']:
                what = f'mot_frame_id {_number(image)} follows {_number(before)}'
                self._add('frame numbering', what, video, image)
        if skipped and not missing:
            self._note(f'video {video} leaves out {skipped} of its original frames')
        sizes = Counter((image['width'], image['height']) for image in images)
        if len(sizes) > 1:
            seen = ', '.join(f'{w}x{h} px ({n} frames)' for (w, h), n in sizes.items())
            self._add('sizes differ', f'a video needs frames of one size, has {seen}', video)
        if not images:
            self._note(f'video {video} has no frames')

    def _check_video(self, video: str, images: list[dict], boxes: dict) -> Counter:
        """Checks a video's boxes and tracks, adds its counts; returns the boxes of each class."""
        tracks = defaultdict(list)  # (place in the video, class) of each id
        ignored = empty = 0
        for place, image in enumerate(images):
            good = self._check_frame(video, image, boxes.get(image['id'], []))
            targets = [box for box in good if not box['ignored']]
            ignored += len(good) - len(targets)
            empty += not targets
            for box in targets:
                tracks[box['instance_id']].append((place, box['name']))
        self._check_outside(video, sum(map(len, tracks.values())))
        gaps = 0
        counts: Counter = Counter()
        for number, track in tracks.items():
            self._videos_of_id[number].add(video)
            places, names = map(set, zip(*track))
            gaps += max(places) - min(places) >= len(places)
            counts.update(name for _, name in track)
            if len(names) > 1:
                what = f'id {number} is {" and ".join(sorted(names))}'
                self._add('id of two classes', what, video)
        self.report.videos.append(
            dict(video=video, frames=len(images), boxes=counts.total(), ids=len(tracks))
            | dict(ignored=ignored, empty=empty, gaps=gaps)
        )
        return counts

    def _check_frame(self, video: str, image: dict, boxes: list[dict]) -> list[dict]:
        """Checks the boxes of a frame; returns those that can be used."""
        good = []
        for box in boxes:
            defect, usable = _box_defect(box, image['width'], image['height'])
            if defect:
                where = f'image of {image["width"]}x{image["height"]} px, {image["file_name"]}'
                message = f'{_describe(box)}, {where}'
                if defect == 'box outside':
                    self._outside.append((message, image))
                else:
                    self._add(defect, message, video, image)
            if usable:
                good.append(box)
        for number, count in Counter(box['instance_id'] for box in good).items():
            if count > 1:
                what = f'id {number} has {count} boxes, {image["file_name"]}'
                self._add('id twice', what, video, image)
        return good

    def _check_outside(self, video: str, count: int) -> None:
        """Some boxes wholly outside the image are nobody's mistake, most of them are one."""
        outside, self._outside = self._outside, []
        if 2 * len(outside) > count:
            for message, image in outside:
                self._add('box outside', message, video, image)
        elif outside:
            self._note(
                f'video {video} has {len(outside)} boxes wholly outside the image, such as '
                f'{outside[0][0]}: left out in training, missed in testing'
            )

    def _check_classes(self, counts: Counter, names: list[str]) -> None:
        """Each class that the json knows has boxes."""
        if not counts:
            if self._training:
                self._add('no boxes', 'there is nothing to train on')
            else:
                self._note('no boxes: right for a test split without ground truth')
            return
        for name in self._classes:
            if name in names and not counts[name]:
                if self._training:
                    self._add('class absent', f'{name} has no box: it would never be learned')
                else:
                    self._note(f'class {name} has no box')

    def _note_shared_ids(self) -> None:
        shared = {i: sorted(videos) for i, videos in self._videos_of_id.items() if len(videos) > 1}
        if shared:
            number = min(shared)
            self._note(
                f'{len(shared)} ids are in several videos, such as id {number} in '
                f'{" and ".join(shared[number][:2])}: right if each video counts its own'
            )


def _number(image: dict) -> int:
    """Number of a frame to tell people."""
    number = image.get('mot_frame_id')
    return image['frame_id'] + 1 if number is None else number


def _describe(box: dict) -> str:
    return f'box {box["bbox"]} (x, y, w, h) of id {box["instance_id"]}'


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f'{text[:117]}...'


def _fits(key: str, value: Any) -> bool:
    """Whether a value of this key can be worked with."""
    if key == 'bbox':
        four = isinstance(value, list) and len(value) == 4
        return four and all(isinstance(v, int | float) for v in value)
    if key in TEXTS:
        return isinstance(value, str)
    if key not in NUMBERS:
        return isinstance(value, int | str)
    if not isinstance(value, int):
        return False
    return value > 0 if key in ('width', 'height') else abs(value) <= MAX_ID


def _box_defect(box: dict, width: int, height: int) -> tuple[str | None, bool]:
    """What is wrong with a box in an image of so many px, and whether it counts nevertheless."""
    x, y, w, h = box['bbox']
    if not all(map(math.isfinite, (x, y, w, h))):
        return 'box not finite', False
    if w <= 0 or h <= 0:
        return 'box of zero size', False
    if box['ignored']:
        return None, True
    if w < 1 and h < 1:  # fractions of the image instead of px?
        return 'box below 1 px', True
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return 'box outside', True
    if w > HUGE * width or h > HUGE * height:
        return 'huge box', True
    return None, True
