"""From MOTChallenge sequences to CocoVID json, the format that `MOTVideoDataset` reads.

CocoVID is COCO's json with videos, as mmdet's ``mot2coco.py`` writes it: images carry
``video_id``, ``frame_id`` (from 0 within the video) and ``mot_frame_id`` (the original number),
annotations ``instance_id`` (unique in the file), ``mot_instance_id`` (the original), ``mot_conf``,
``visibility`` and ``iscrowd`` (1: neither right nor wrong to find).
"""

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mmengine

from lamotr_mm.io.cocovid_json import is_outside
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.mot_folder import MOTFormatError, Sequence, find_video, read_sequence
from lamotr_mm.io.mot_gt import ClassRule, Row, read_gt

# [first, last], from 1, of a sequence of n frames; the halves as in mmdet's mot2coco
HALVES = {
    'half-train': lambda n: (1, n // 2 + 1),
    'half-val': lambda n: (n // 2 + 2, n),
}


@dataclass(frozen=True)
class Part:
    """A sequence, or some of its frames, as part of a split.

    Attributes:
        folder (Path): Folder of the sequence.
        frames (str): '' for all, 'first-last' (from 1, both included), 'half-train' or 'half-val'.
    """

    folder: Path
    frames: str = ''

    def bounds(self, length: int) -> tuple[int, int]:
        """First and last frame, from 1, in a sequence of so many frames."""
        if self.frames in HALVES:
            return HALVES[self.frames](length)
        first, last = map(int, (self.frames or f'1-{length}').split('-'))
        if not 1 <= first <= last <= length:
            raise ValueError(f'{self.folder}: frames {first}-{last} are outside 1-{length}')
        return first, last


def parse_split(text: str, root: Path) -> tuple[str, list[Part]]:
    """Parses ``name=item,item``: what a split is called and made of.

    An item is a sequence, a folder of sequences, a pattern (``train/*FRCNN``) or a text file with
    one name a line, seen from `root` or from a folder in it; ``:1-450``, ``:half-train`` or
    ``:half-val`` behind it takes some frames only.

    Raises:
        ValueError: The text has another form, names nothing that exists, or a sequence twice.
    """
    name, equals, items = text.partition('=')
    if not equals or not items or not re.fullmatch(r'[\w-]+', name):
        raise ValueError(f'a split looks like train=SEQUENCE,SEQUENCE:1-450, got {text!r}')
    parts: list[Part] = []
    for item in items.split(','):
        target, _, frames = item.partition(':')
        if frames not in ('', *HALVES) and not re.fullmatch(r'\d+-\d+', frames):
            raise ValueError(f'frames look like 1-450, half-train or half-val, got {frames!r}')
        parts.extend(Part(folder, frames) for folder in find_sequences(root, target))
    twice = [f.name for f, n in Counter(part.folder for part in parts).items() if n > 1]
    if twice:
        raise ValueError(f'split {name} has {", ".join(twice)} more than once')
    return name, parts


def find_sequences(root: Path, target: str) -> list[Path]:
    """Folders of the sequences that `target` names (see `parse_split`), sorted.

    Raises:
        ValueError: There are none.
    """
    if target.endswith('.txt'):
        listed = (root / target).read_text().split()
        # TrackEval's sequence maps begin with a headline
        return [f for name in listed if name != 'name' for f in find_sequences(root, name)]
    # not Path.glob, which takes neither absolute paths nor '.'
    for pattern in (target, f'*/{target}') if target else ():
        folders = sorted(root / f for f in glob.glob(pattern, root_dir=root) if (root / f).is_dir())
        found = [f for f in folders if _is_sequence(f)] or [
            f for folder in folders for f in sorted(folder.iterdir()) if _is_sequence(f)
        ]
        if found:
            return found
    raise ValueError(f'{root}: {target!r} names no sequence (a folder with gt/ or img1/)')


def _is_sequence(folder: Path) -> bool:
    if any((folder / name).exists() for name in ('seqinfo.ini', 'img1', 'gt/gt.txt')):
        return True
    return folder.is_dir() and find_video(folder) is not None


class CocoVID:
    """The content of a CocoVID json, filled video by video.

    Args:
        rule (ClassRule): The benchmark's classes.

    Attributes:
        content (dict): What is to be written: categories, videos, images, annotations.
    """

    def __init__(self, rule: ClassRule):
        self._rule = rule
        self._next_instance_id = 0
        names = rule.targets | rule.ignored
        self.content: dict = dict(
            categories=[dict(id=key, name=name) for key, name in sorted(names.items())],
            videos=[],
            images=[],
            annotations=[],
        )

    def add_video(
        self, name: str, fps: float, size: tuple[int, int], files: dict[int, str], rows: list[Row]
    ) -> list[dict]:
        """Adds a video; ids go on from those of earlier ones.

        Args:
            name (str): Name of the video.
            fps (float): Frames per second.
            size (tuple[int, int]): Width and height of the frames in px.
            files (dict[int, str]): ``file_name`` by the frame's original number, ascending.
            rows (list[Row]): Boxes, of which those in other frames are left out.

        Returns:
            list[dict]: The new annotations.
        """
        shape = dict(zip(('width', 'height'), size))
        videos, images = self.content['videos'], self.content['images']
        video_id = len(videos) + 1
        videos.append(dict(id=video_id, name=name, fps=fps, **shape))
        image_ids = {}
        for index, (number, file_name) in enumerate(files.items()):
            image_ids[number] = len(images) + 1
            image = dict(id=image_ids[number], video_id=video_id, file_name=file_name, **shape)
            images.append(image | dict(frame_id=index, mot_frame_id=number))
        return self._add_annotations([row for row in rows if row.frame in image_ids], image_ids)

    def _add_annotations(self, rows: list[Row], image_ids: dict[int, int]) -> list[dict]:
        """CocoVID entries of the boxes of one video."""
        earlier = len(self.content['annotations'])
        first_id = self._next_instance_id
        instance_ids: dict[int, int] = {}
        annotations = [
            dict(
                id=earlier + count,
                image_id=image_ids[row.frame],
                category_id=row.class_id,
                bbox=[row.x, row.y, row.w, row.h],
                area=row.w * row.h,
                iscrowd=int(row.class_id not in self._rule.targets or row.flag == 0),
                instance_id=instance_ids.setdefault(row.id, first_id + len(instance_ids)),
                mot_instance_id=row.id,
                mot_conf=row.flag,
                visibility=row.visibility,
            )
            for count, row in enumerate(rows, start=1)
        ]
        self._next_instance_id += len(instance_ids)
        self.content['annotations'].extend(annotations)
        return annotations


def make_cocovid(
    parts: list[Part],
    root: Path,
    rule: ClassRule,
    on_sequence: Callable[[], None] = lambda: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> tuple[dict, list[dict]]:
    """Converts sequences whose frames are on disk.

    Args:
        parts (list[Part]): Sequences, each in all or in part.
        root (Path): Folder that ``file_name`` is relative to.
        rule (ClassRule): The benchmark's classes.
        on_sequence (Callable): Called after each sequence.
        on_note (Callable): Called with each thing that was assumed about a sequence.

    Returns:
        tuple[dict, list[dict]]: The CocoVID content, and per sequence a summary: sequence, frames,
        and the counts of `count` (skipped rows in the whole file, the rest in the chosen frames).

    Raises:
        MOTFormatError: A sequence breaks the format, or frames that are asked for are missing.
    """
    content = CocoVID(rule)
    summary = []
    for part in parts:
        sequence = read_sequence(part.folder)
        numbers = _numbers(part, sequence)
        rows: list[Row] = []
        skipped: Counter[str] = Counter()
        notes = list(sequence.notes)
        if sequence.gt_file.is_file():
            rows, skipped = read_gt(
                sequence.gt_file, sequence.length, rule, sequence.from_zero, notes.append
            )
        files = {
            number: Path(os.path.relpath(sequence.frames[number], root)).as_posix()
            for number in numbers
        }
        size = (sequence.width, sequence.height)
        annotations = content.add_video(sequence.name, sequence.fps, size, files, rows)
        frames = f'{numbers[0]}-{numbers[-1]}'
        summary.append(
            dict(sequence=sequence.name, frames=frames) | count(annotations, size, skipped)
        )
        for note in notes:
            on_note(f'{sequence.name}: {note}')
        on_sequence()
    return content.content, summary


def _numbers(part: Part, sequence: Sequence) -> range:
    """Frame numbers of a part, all of which are on disk."""
    first, last = part.bounds(sequence.length)
    missing = [n for n in range(first, last + 1) if n not in sequence.frames]
    if missing:
        raise MOTFormatError(
            f'{part.folder}: {len(missing)} of the frames {first}-{last} are missing, the first is '
            f'{missing[0]}: complete the download, or give a range such as {sequence.name}:1-100'
        )
    return range(first, last + 1)


def count(annotations: list[dict], size: tuple[int, int], skipped: Mapping[str, int]) -> dict:
    """Counts of a video of (w, h) px: its annotations, and the boxes that were skipped."""
    boxes = [a for a in annotations if not a['iscrowd']]
    return {
        'boxes': len(boxes),
        'ids': len({a['instance_id'] for a in boxes}),
        'ignored': len(annotations) - len(boxes),
        'zero size': skipped.get('zero size', 0),
        'other class': skipped.get('other class', 0),
        'outside image': sum(is_outside(a['bbox'], size) for a in annotations),
    }


def total(rows: list[dict]) -> dict:
    """Sum of the counts of several videos (see `count`)."""
    return {key: sum(row[key] for row in rows) for key in count([], (0, 0), {})}


def write_json(contents: dict[Path, dict]) -> None:
    """Writes json files, each of which appears whole or not at all."""
    for path, content in contents.items():
        with replace_on_success(path) as part:
            mmengine.dump(content, part)
