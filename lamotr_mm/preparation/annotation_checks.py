"""Everything that is wrong with a CocoVID json (see `cocovid`), at once.

`MOTVideoDataset` stops at the first broken annotation. Here the json is read apart from it, and
each defect becomes a `Finding`.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lamotr_mm.io import cocovid_json
from lamotr_mm.io.frame_meta import frame_number

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
    checker.check()
    return checker.report, checker.images


class _Checker:
    """Goes through one json and collects ``report`` and ``images``."""

    def __init__(self, ann_file: str, classes: Sequence[str], training: bool) -> None:
        self.report = Report(ann_file)
        self.images: list[ImageEntry] = []
        self._classes = classes
        self._training = training

    def _add(self, kind: str, message: str, video: str = '', image: dict | None = None) -> None:
        frame = None if image is None else frame_number(image)
        self.report.problems.append(Finding(kind, message, self.report.ann_file, video, frame))

    def check(self) -> None:
        """Checks each entry, then what refers to what, then video by video."""
        try:
            content = cocovid_json.load_cocovid(self.report.ann_file)
        except FileNotFoundError as error:
            return self._add('no annotations', str(error))
        except ValueError as error:
            return self._add('broken annotations', str(error))
        content = {name: self._valid(name, content[name]) for name in cocovid_json.ENTRIES}
        names = {category['id']: category['name'] for category in content['categories']}
        absent = cocovid_json.class_defect(content['categories'], self._classes)
        if absent:
            self._add('class absent', f'the json {absent}')
        videos = self._unique('videos', content['videos'], ('id', 'name'))
        entries = self._unique('images', content['images'], ('id', 'file_name'))
        frames = self._check_images(entries, videos)
        known = {image['id'] for image in itertools.chain(*frames.values())}
        boxes = self._check_references(content['annotations'], known, names)
        counts: Counter = Counter()
        for video in videos:
            images = sorted(frames[video['id']], key=lambda image: image['frame_id'])
            self._check_numbers(video['name'], images)
            counts += self._check_video(video['name'], images, boxes)
        return self._check_classes(counts, list(names.values()))

    def _valid(self, name: str, entries: list) -> list[dict]:
        """Entries that can be worked with."""
        defects = [cocovid_json.entry_defect(name, entry) for entry in entries]
        for index, defect in enumerate(defects):
            if defect is not None:
                self._add(defect[0], f'{name}[{index}] {defect[1]}')
        return [entry for entry, defect in zip(entries, defects) if defect is None]

    def _unique(self, name: str, entries: list[dict], keys: tuple[str, str]) -> list[dict]:
        """The first entry of each id; repeated values of any of the keys are reported."""
        for key in keys:
            for value, count in Counter(entry[key] for entry in entries).items():
                if count > 1:
                    self._add('entry twice', f'{name}: {key} {value!r} is there {count} times')
        # the last one of several stays in a dict
        return list({entry['id']: entry for entry in reversed(entries)}.values())[::-1]

    def _check_images(self, images: list[dict], videos: list[dict]) -> dict:
        """Images by the id of their video, which must be known."""
        names = {video['id']: video['name'] for video in videos}
        frames = defaultdict(list)
        for image in images:
            video = names.get(image['video_id'])
            if video is None:
                what = f'image {image["file_name"]} is of video {image["video_id"]!r}'
                self._add('unknown video', f'{what}, which is not among the videos')
                continue
            frames[image['video_id']].append(image)
            size = image['width'], image['height']
            self.images.append(ImageEntry(image['file_name'], video, frame_number(image), size))
        return frames

    def _check_references(self, annotations: list[dict], images: set, names: dict) -> dict:
        """Boxes that the data set takes, by image id, with the name of their class."""
        boxes = defaultdict(list)
        others: Counter = Counter()
        for entry in annotations:
            name, ignored = names.get(entry['category_id']), cocovid_json.is_ignored(entry)
            if entry['image_id'] not in images:
                what = f'{_describe(entry)} is of image_id {entry["image_id"]!r}'
                self._add('unknown image', what)
            elif name is None:
                what = f'{_describe(entry)} is of category_id {entry["category_id"]!r}'
                self._add('unknown class', what)
            elif ignored or name in self._classes:
                boxes[entry['image_id']].append(dict(entry, name=name, ignored=ignored))
            else:
                others[name] += 1
        self.report.notes += [
            f'{count} boxes of class {name} are left out: not in metainfo.classes'
            for name, count in others.items()
        ]
        return boxes

    def _check_numbers(self, video: str, images: list[dict]) -> None:
        """Frames must count 0, 1, 2, ..., original numbers ascend, and sizes be the same."""
        numbers = [frame_number(image) for image in images]
        misplaced = next((k for k, image in enumerate(images) if image['frame_id'] != k), None)
        if misplaced is not None:
            what = f'frame_id {images[misplaced]["frame_id"]} where {misplaced} is due'
            self._add('frame numbering', f'{what}: frames count 0, 1, 2, ...', video)
        elif not images:
            self.report.notes.append(f'video {video} has no frames')
        elif numbers[-1] - numbers[0] >= len(numbers):
            skipped = numbers[-1] - numbers[0] + 1 - len(numbers)
            self.report.notes.append(f'video {video} leaves out {skipped} of its original frames')
        for (first, second), image in zip(itertools.pairwise(numbers), images[1:]):
            if second <= first and misplaced is None:
                what = f'mot_frame_id {second} follows {first}'
                self._add('frame numbering', what, video, image)
        sizes = Counter((image['width'], image['height']) for image in images)
        if len(sizes) > 1:
            seen = ', '.join(f'{w}x{h} px ({n} frames)' for (w, h), n in sizes.items())
            self._add('sizes differ', f'a video needs frames of one size, has {seen}', video)

    def _check_video(self, video: str, images: list[dict], boxes: dict) -> Counter:
        """Checks a video's boxes and tracks, adds its counts; returns the boxes of each class."""
        tracks = defaultdict(list)  # (place in the video, class) of each id
        outside: list[tuple[str, dict]] = []  # message, image
        ignored = empty = 0
        for place, image in enumerate(images):
            good = self._check_frame(video, image, boxes.get(image['id'], []), outside)
            targets = [box for box in good if not box['ignored']]
            ignored += len(good) - len(targets)
            empty += not targets
            for box in targets:
                tracks[box['instance_id']].append((place, box['name']))
        self._check_outside(video, outside, sum(map(len, tracks.values())))
        gaps = 0
        counts: Counter = Counter()
        for number, track in tracks.items():
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

    def _check_frame(self, video: str, image: dict, boxes: list[dict], outside: list) -> list:
        """Boxes of a frame that can be used; those of targets `outside` it are collected."""
        size = image['width'], image['height']
        good = []
        for box in boxes:
            defect, usable = _box_defect(box, size)
            where = f'image of {size[0]}x{size[1]} px, {image["file_name"]}'
            if defect == 'box outside':
                outside.append((f'{_describe(box)}, {where}', image))
            elif defect is not None:
                self._add(defect, f'{_describe(box)}, {where}', video, image)
            if usable:
                good.append(box)
        for number, count in Counter(box['instance_id'] for box in good).items():
            if count > 1:
                what = f'id {number} has {count} boxes, {image["file_name"]}'
                self._add('id twice', what, video, image)
        return good

    def _check_outside(self, video: str, outside: list[tuple[str, dict]], count: int) -> None:
        """Some boxes wholly outside the image are nobody's mistake, most of them are one."""
        if 2 * len(outside) > count:
            for message, image in outside:
                self._add('box outside', message, video, image)
        elif outside:
            self.report.notes.append(
                f'video {video} has {len(outside)} boxes wholly outside the image, such as '
                f'{outside[0][0]}: left out in training, missed in testing'
            )

    def _check_classes(self, counts: Counter, names: Sequence[str]) -> None:
        """Each class that the json knows has boxes; in testing it is only noted."""
        if not counts and self._training:
            self._add('no boxes', 'there is nothing to train on')
        elif not counts:
            self.report.notes.append('no boxes: right for a test split without ground truth')
        for name in self._classes if counts else ():
            if name in names and not counts[name] and self._training:
                self._add('class absent', f'{name} has no box: it would never be learned')
            elif name in names and not counts[name]:
                self.report.notes.append(f'class {name} has no box')


def _describe(box: dict) -> str:
    return f'box {box["bbox"]} (x, y, w, h) of id {box["instance_id"]}'


def _box_defect(box: dict, size: tuple[int, int]) -> tuple[str | None, bool]:
    """What is wrong with a box in an image of (w, h) px, and whether it counts nevertheless."""
    _, _, w, h = box['bbox']
    if not cocovid_json.is_finite(box['bbox']):
        return 'box not finite', False
    if w <= 0 or h <= 0:
        return 'box of zero size', False
    if box['ignored']:
        return None, True
    if w < 1 and h < 1:  # fractions of the image instead of px?
        return 'box below 1 px', True
    if cocovid_json.is_outside(box['bbox'], size):
        return 'box outside', True
    if w > HUGE * size[0] or h > HUGE * size[1]:
        return 'huge box', True
    return None, True
