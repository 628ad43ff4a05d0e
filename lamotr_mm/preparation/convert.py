"""Annotations of other tools and data sets into what the configs read.

For each video of a source a folder ``OUT/<split>/<video>/img1`` appears, of links to its images, or
of the frames of its video file, and one ``OUT/annotations/<split>.json`` for all (CocoVID).
"""

import fnmatch
import itertools
import math
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lamotr_mm.io.annotations import (
    bdd100k,
    coco_vid,
    cvat_mot,
    cvat_video,
    kitti,
    label_studio,
    visdrone,
)
from lamotr_mm.io.annotations.video import AnnotatedVideo, Box
from lamotr_mm.io.archives import Archive, link
from lamotr_mm.io.extract_frames import extract_frames
from lamotr_mm.io.files import new_folder
from lamotr_mm.io.frames import open_frames
from lamotr_mm.io.images import stated_size
from lamotr_mm.io.mot_folder import MOTFormatError, image_files
from lamotr_mm.io.mot_gt import ClassRule, Row

from .cocovid import CocoVID, count, write_json
from .console import print_notes, print_table, progress_bar

DEFAULT_FPS = 30.0


@dataclass(frozen=True)
class Format:
    """A format that can be converted.

    Attributes:
        read (Callable): Gives the videos of a source, see `lamotr_mm.io.annotations`.
        title (str): What it is.
        near (dict[str, str]): Classes that are ignored where only the other one is asked for.
    """

    read: Callable[[Path, Path | None], list[AnnotatedVideo]]
    title: str
    near: dict[str, str] = field(default_factory=dict)


FORMATS = {
    'cvat-mot': Format(cvat_mot.read, "zip of CVAT's MOT 1.1"),
    'cvat-video': Format(cvat_video.read, 'zip or xml of CVAT for video 1.1'),
    'kitti': Format(kitti.read, 'KITTI tracking: training/', kitti.NEAR),
    'visdrone': Format(visdrone.read, 'VisDrone MOT: VisDrone2019-MOT-train/'),
    'bdd100k': Format(bdd100k.read, 'BDD100K MOT: labels/box_track_20/train/'),
    'label-studio': Format(label_studio.read, 'json of Label Studio, video object tracking'),
    'coco-vid': Format(coco_vid.read, 'COCO-VID json of mmtracking, mmdet or TAO'),
}


def convert(
    name: str,
    sources: list[Path],
    out: Path,
    split: str,
    media: Path | None = None,
    classes: list[str] | None = None,
    videos: list[str] | None = None,
    on_note: Callable[[str], None] = lambda note: None,
) -> list[dict]:
    """Converts annotations.

    Args:
        name (str): A key of `FORMATS`.
        sources (list[Path]): Files or folders of that format.
        out (Path): ``data_root`` of the configs.
        split (str): Name of the json.
        media (Path, optional): Where videos or images are, if not beside the annotations.
        classes (list[str], optional): Classes to track. Defaults to all there are.
        videos (list[str], optional): Names or patterns of the videos to take. Defaults to all.
        on_note (Callable): Called with each thing that was assumed.

    Returns:
        list[dict]: Per video a summary, as of `make_cocovid`.

    Raises:
        ValueError: A source, a class, a video or frames are not there. No json is written.
        MOTFormatError: An annotation is broken.
    """
    if not re.fullmatch(r'[\w-]+', split):
        raise ValueError(f'a split is called train, val or the like, got {split!r}')
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix='.unpacked') as unpacked:
        found = [v for s in sources for v in _read(FORMATS[name], s, media, Path(unpacked))]
        chosen = _choose(found, videos)
        rule, numbers = _classes(list(chosen.values()), classes, FORMATS[name].near)
        # a broken box should not cost the extraction of the frames
        rows = {title: _rows(title, video.boxes, numbers) for title, video in chosen.items()}
        content, summary = CocoVID(rule), []
        with progress_bar('videos', len(chosen)) as advance:
            for title, video in chosen.items():
                kept, skipped = rows[title]
                frames = _Frames(title, video, out / split / title / 'img1', out)
                frames.take(Path(unpacked))
                kept = frames.check(kept)
                size = stated_size(out / next(iter(frames.files.values())))
                added = content.add_video(title, frames.fps, size, frames.files, kept)
                counts = count(added, size, skipped)
                summary.append(dict(sequence=title, frames=len(frames.files)) | counts)
                for note in [*video.notes, *frames.notes]:
                    on_note(f'{title}: {note}')
                advance()
    write_json({out / 'annotations' / f'{split}.json': content.content})
    return summary


def convert_and_print(
    name: str,
    sources: list[Path],
    out: Path,
    split: str,
    media: Path | None,
    classes: list[str] | None,
    videos: list[str] | None,
) -> None:
    """Does `convert`, and prints what was made and what was assumed."""
    notes: list[str] = []
    rows = convert(name, sources, out, split, media, classes, videos, notes.append)
    print_table(str(out / 'annotations' / f'{split}.json'), rows)
    print_notes(notes)


def _read(form: Format, source: Path, media: Path | None, unpacked: Path) -> list[AnnotatedVideo]:
    """Videos of a source, a zip of which is unpacked first."""
    for path in (source, media):
        if path is not None and not path.exists():
            raise ValueError(f'{path} does not exist')
    if source.suffix.lower() == '.zip':
        archive, source = Archive(source), unpacked / source.stem
        if source.exists():
            raise ValueError(f'two sources are called {source.name}.zip: rename one')
        for member in archive.sizes:
            archive.copy(member, source / member)
    return form.read(source, media)


def _choose(videos: list[AnnotatedVideo], patterns: list[str] | None) -> dict[str, AnnotatedVideo]:
    """Videos by name, which becomes that of a folder."""
    chosen: dict[str, AnnotatedVideo] = {}
    for video in videos:
        name = re.sub(r'[^\w.-]+', '_', video.name)
        if name in chosen:
            raise ValueError(f'two videos are called {name}: convert them into two splits')
        chosen[name] = video
    for pattern in patterns or ():
        if not fnmatch.filter(chosen, pattern):
            raise ValueError(
                f'no video is called {pattern}; there are {", ".join(chosen) or "none"}'
            )
    if patterns:
        chosen = {n: v for n, v in chosen.items() if any(fnmatch.fnmatch(n, p) for p in patterns)}
    if not chosen:
        raise ValueError('the annotations are of no video')
    return chosen


def _classes(
    videos: list[AnnotatedVideo], asked: list[str] | None, near: dict[str, str]
) -> tuple[ClassRule, dict[str, int]]:
    """Classes of the json, and its number for each class that the boxes may have; '' is for ignored
    ones of other classes.
    """
    declared = [label for video in videos for label in video.labels]
    met = sorted({box.label for v in videos for box in v.boxes if not v.labels and not box.ignored})
    there = list(dict.fromkeys([*declared, *met]))
    absent = [label for label in asked or () if label not in there]
    if absent:
        raise ValueError(f'no class {", ".join(absent)}; there are {", ".join(there) or "none"}')
    targets = dict(enumerate(asked or there, start=1))
    numbers = {label: number for number, label in targets.items()}
    other = len(targets) + 1
    numbers |= {n: other for n, to in near.items() if to in numbers and n not in numbers}
    used = any(
        numbers.get(b.label, other if b.ignored else 0) == other for v in videos for b in v.boxes
    )
    return ClassRule(targets, {other: 'ignored'} if used else {}), numbers | {'': other}


def _rows(title: str, boxes: list[Box], numbers: dict[str, int]) -> tuple[list[Row], Counter[str]]:
    """Rows of a video in order of (frame, id), and how many boxes were left out, by why.

    Raises:
        MOTFormatError: A box is not finite or has a negative size, or an id is twice in a frame.
    """
    ids = _ids(boxes)
    rows: list[Row] = []
    skipped: Counter[str] = Counter()
    seen = set()
    for box, number in zip(boxes, ids):
        where = f'video {title}, frame {box.frame}, {box.label} {box.id}'
        sides = box.x, box.y, box.w, box.h
        if not all(map(math.isfinite, sides)) or min(box.w, box.h) < 0:
            raise MOTFormatError(f'{where}: x, y, width, height = {sides} is no box')
        class_id = numbers.get(box.label, numbers[''] if box.ignored else None)
        if class_id is None:
            skipped['other class'] += 1
        elif min(box.w, box.h) == 0:
            skipped['zero size'] += 1
        elif (box.frame, number) in seen:
            raise MOTFormatError(f'{where}: the id is in this frame already')
        else:
            seen.add((box.frame, number))
            ignored = box.ignored or class_id == numbers['']
            flag = float(not ignored)
            rows.append(Row(box.frame, number, *sides, flag, class_id, box.visibility))
    return sorted(rows, key=lambda row: (row.frame, row.id)), skipped


def _ids(boxes: list[Box]) -> list[int]:
    """A number for each box: the id where all are numbers, else counted; regions have their own."""
    named = dict.fromkeys(box.id for box in boxes if box.id is not None)
    whole = [name for name in named if isinstance(name, int) and name >= 0]
    order = whole if len(whole) == len(named) else range(1, len(named) + 1)
    numbers = dict(zip(named, order))
    free = itertools.count(max(numbers.values(), default=0) + 1)
    return [next(free) if box.id is None else numbers[box.id] for box in boxes]


class _Frames:
    """Frames of a video in the folder of the data set.

    Args:
        title (str): Name of the video.
        video (AnnotatedVideo): The video.
        folder (Path): Where its images shall be.
        root (Path): Folder that ``file_name`` is relative to.

    Attributes:
        files (dict[int, str]): ``file_name`` by frame number, ascending.
        fps (float): Frames per second.
        notes (list[str]): What was assumed.
    """

    def __init__(self, title: str, video: AnnotatedVideo, folder: Path, root: Path) -> None:
        self._title, self._video, self._folder, self._root = title, video, folder, root
        self.files: dict[int, str] = {}
        self.fps = video.fps or DEFAULT_FPS
        self.notes: list[str] = []

    def take(self, unpacked: Path) -> None:
        """Links to the images, extracts them, or moves them from what was unpacked.

        Raises:
            ValueError: The folder is there with other images, or some are missing.
        """
        before = self._folder.exists()
        images = self._extract() if self._video.files is None else self._place(unpacked)
        missing = [name for name in images.values() if not (self._folder / name).is_file()]
        if missing:
            why = 'was there before' if before else f'is of {self._video.media}'
            raise ValueError(
                f'video {self._title}: {len(missing)} images are missing, the first is '
                f'{missing[0]}; {self._folder} {why}: '
                + ('remove it and convert again' if before else 'complete the download')
            )
        path = self._folder.relative_to(self._root).as_posix()
        self.files = {number: f'{path}/{name}' for number, name in images.items()}

    def _extract(self) -> dict[int, str]:
        video = self._video
        extract_frames(video.media, self._folder)
        last = len(image_files(self._folder))
        if video.counted is not None and abs(video.counted - last) > 1:
            raise ValueError(
                f'{video.media} has {last} frames, the annotation tool counted {video.counted}: it '
                'took another frame rate (framerate="..." of the Video tag), so boxes would be in '
                'the wrong frames'
            )
        numbers = video.numbers or range(1, last + 1)
        self.fps = (video.fps or open_frames(video.media).fps) / numbers.step
        return {number: f'{number:06d}.jpg' for number in numbers}

    def _place(self, unpacked: Path) -> dict[int, str]:
        paths = {n: self._video.media / name for n, name in (self._video.files or {}).items()}
        parents = {path.parent for path in paths.values()}
        names = {number: path.name for number, path in paths.items()}
        if len(parents) > 1:
            names = {number: f'{number:06d}{path.suffix}' for number, path in paths.items()}
        if self._folder.exists():
            return names
        absent = [path for path in paths.values() if not path.is_file()]
        if absent:
            raise ValueError(f'{absent[0]} is missing, and {len(absent) - 1} more: complete them')
        if len(parents) > 1:
            with new_folder(self._folder) as part:
                for number, path in paths.items():
                    link(path, part / names[number], self._root)
            return names
        (parent,) = parents
        if parent.is_relative_to(unpacked):
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            os.replace(parent, self._folder)
        else:
            link(parent, self._folder, self._root)
        return names

    def check(self, rows: list[Row]) -> list[Row]:
        """Rows in frames that are there; those that the tool counted beyond the end are left out.

        Raises:
            MOTFormatError: A box is in a frame that isn't there.
        """
        kept = [row for row in rows if row.frame in self.files]
        if len(kept) == len(rows):
            return rows
        frames = sorted({row.frame for row in rows} - self.files.keys())
        first, last = min(self.files), max(self.files)
        if self._video.counted is None or frames != [last + 1]:
            raise MOTFormatError(
                f'video {self._title}: {len(rows) - len(kept)} boxes are in frames that are not '
                f'there, the first in {frames[0]}; it has {first} to {last} ({len(self.files)})'
            )
        self.notes.append(f'boxes after the last frame, {last}, are left out')
        return kept
