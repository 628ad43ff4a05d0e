"""The zip that a benchmark's test server takes: written, and checked against the server's rules.

docs/submissions.md says where each rule comes from.
"""

import io
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import mmengine
import numpy as np

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.mot_rows import (
    BOX,
    CLASS,
    FLAG,
    FRAME,
    ID,
    as_rows,
    check_unique_ids,
    format_rows,
    parse_rows,
)
from lamotr_mm.preparation.official_splits import DANCETRACK, MOT17, MOT17_DETECTORS, SPORTSMOT

COLUMNS = 10  # frame, id, x, y, w, h, score, -1, -1, -1

# frames of the sequences of MOT16 and MOT17
_MOT17_LENGTHS = {
    '01': 450, '02': 600, '03': 1500, '04': 1050, '05': 837, '06': 1194, '07': 500,
    '08': 625, '09': 525, '10': 654, '11': 900, '12': 900, '13': 750, '14': 750,
}  # fmt: skip


@dataclass(frozen=True)
class ServerRules:
    """What a server wants.

    Attributes:
        test (tuple[str, ...]): Sequences that must be there.
        train (tuple[str, ...]): Sequences that may be there as well, all of them or none.
        folder (str): Folder of the files in the zip, '' or with a slash at its end.
        copies (tuple[str, ...]): Detectors: the tracks of ``NAME-<any of them>`` are written once
            for each.
        lengths (Mapping[str, int]): Frames of the sequences (without detector) that are known.
    """

    test: tuple[str, ...]
    train: tuple[str, ...] = ()
    folder: str = ''
    copies: tuple[str, ...] = ()
    lengths: Mapping[str, int] = field(default_factory=dict)

    def scene(self, sequence: str) -> str:
        """Name without the detector."""
        name, _, copy = sequence.rpartition('-')
        return name if copy in self.copies else sequence

    def scenes(self, sequences: Iterable[str]) -> set[str]:
        """Names without the detector."""
        return {self.scene(sequence) for sequence in sequences}

    def files(self, scene: str) -> list[str]:
        """Names in the zip of the files that hold the tracks of a scene."""
        names = [f'{scene}-{copy}' for copy in self.copies] or [scene]
        return [f'{self.folder}{name}.txt' for name in names]


RULES = {
    'DanceTrack': ServerRules(test=DANCETRACK['test'], folder='tracker/'),
    'SportsMOT': ServerRules(test=SPORTSMOT['test']),
    'MOT17': ServerRules(
        test=MOT17['test'],
        train=MOT17['train'],
        copies=tuple(sorted(MOT17_DETECTORS)),
        lengths={f'MOT17-{number}': length for number, length in _MOT17_LENGTHS.items()},
    ),
}


def server_rules(benchmark: str | None) -> ServerRules:
    """Rules of a benchmark's server.

    Raises:
        ValueError: There are none for this name.
    """
    if benchmark is None or benchmark not in RULES:
        raise ValueError(
            f'submission: benchmark={benchmark!r} should be one of {", ".join(RULES)}, whose '
            "servers' rules are known"
        )
    return RULES[benchmark]


def read_lengths(ann_file: str | os.PathLike) -> dict[str, int]:
    """Number of frames of each video of a CocoVID json.

    Raises:
        ValueError: The file is missing or no CocoVID json.
    """
    content = _read_cocovid(ann_file)
    counts = Counter(image['video_id'] for image in content['images'])
    return {video['name']: counts[video['id']] for video in content['videos']}


def has_ground_truth(ann_file: str | os.PathLike, image_root: str | os.PathLike = '') -> bool:
    """Whether a CocoVID json has boxes, or a sequence of it a ``gt/gt.txt`` (which may be empty).

    Args:
        ann_file: The json.
        image_root: Folder that ``file_name`` is relative to.

    Raises:
        ValueError: The file is missing or no CocoVID json.
    """
    content = _read_cocovid(ann_file)
    folders = {Path(image_root, image['file_name']).parent.parent for image in content['images']}
    return bool(content['annotations']) or any((f / 'gt' / 'gt.txt').exists() for f in folders)


def _read_cocovid(ann_file: str | os.PathLike) -> dict:
    if not Path(ann_file).is_file():
        raise ValueError(
            f'annotation file {ann_file} does not exist: convert the split (docs/datasets.md)'
        )
    try:
        content = mmengine.load(ann_file)
        if not {'videos', 'images', 'annotations'} <= content.keys():
            raise ValueError('no videos, images and annotations')
    except (ValueError, AttributeError) as error:
        raise ValueError(f'{ann_file} is no CocoVID json: {error}') from error
    return content


def check_sequences(benchmark: str, lengths: Mapping[str, int], what: str) -> None:
    """Whether the sequences are those that the server scores.

    Args:
        benchmark (str): One of `RULES`.
        lengths (Mapping[str, int]): Frames of each sequence.
        what (str): What has these sequences, for error messages.

    Raises:
        ValueError: A sequence is missing, unknown, there in several copies, or has too many or too
            few frames.
    """
    rules = server_rules(benchmark)
    for scene, count in Counter(map(rules.scene, lengths)).items():
        if count > 1:
            raise ValueError(
                f'{what}: {scene} is there {count} times; track one detector copy of each sequence'
            )
    scenes, train = rules.scenes(lengths), rules.scenes(rules.train)
    wanted = rules.scenes(rules.test) | (train if scenes & train else set())
    if scenes - wanted:
        raise ValueError(
            f'{what}: {_first(scenes - wanted)} not in the test split of {benchmark}: is '
            'submission.ann_file right?'
        )
    if wanted - scenes:
        raise ValueError(
            f'{what} has {len(scenes)} of the {len(wanted)} sequences that the server of '
            f'{benchmark} wants; {_first(wanted - scenes)} missing: is the download complete? '
            'Convert it again (docs/datasets.md)'
        )
    for sequence, length in lengths.items():
        official = rules.lengths.get(rules.scene(sequence), length)
        if length != official:
            raise ValueError(
                f'{what}: {sequence} has {length} frames, of {official}: complete the download and '
                'convert it again (docs/datasets.md)'
            )


def _first(names: set[str]) -> str:
    """Up to three of the names."""
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(sorted(names)[:3]) + more


def write_submission(
    path: str | os.PathLike,
    benchmark: str,
    tracks: Mapping[str, np.ndarray],
    lengths: Mapping[str, int],
) -> list[str]:
    """Write a benchmark's zip; it appears if the server would take it, or not at all.

    Args:
        path (str | os.PathLike): The zip.
        benchmark (str): One of `RULES`.
        tracks (Mapping[str, ndarray]): Rows ``(N, 8)`` of each sequence, see
            `lamotr_mm.io.mot_rows`.
        lengths (Mapping[str, int]): Frames of each sequence.

    Returns:
        list[str]: Sequences without any track, which the servers take.

    Raises:
        ValueError: The tracks break a rule; names the first one.
    """
    rules = server_rules(benchmark)
    check_sequences(benchmark, lengths, 'the tracked split')
    texts = {
        file: format_rows(rows, sequence)
        for sequence, rows in tracks.items()
        for file in rules.files(rules.scene(sequence))
    }
    with replace_on_success(path) as part:
        with zipfile.ZipFile(part, 'w') as archive:
            for file in sorted(texts):
                # ZipInfo has a fixed date: equal tracks give equal bytes
                entry = zipfile.ZipInfo(file)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, texts[file], zipfile.ZIP_DEFLATED)
        problems = find_problems(part, benchmark, lengths)
        if problems:
            more = f' (and {len(problems) - 1} more)' if len(problems) > 1 else ''
            raise ValueError(f'{path} was not written: {problems[0]}{more}')
    return sorted(sequence for sequence, rows in tracks.items() if len(rows) == 0)


def find_problems(
    path: str | os.PathLike, benchmark: str, lengths: Mapping[str, int] | None = None
) -> list[str]:
    """What a server would not take, or not score.

    Args:
        path (str | os.PathLike): A zip.
        benchmark (str): One of `RULES`.
        lengths (Mapping[str, int], optional): Frames of each sequence, as far as known.

    Returns:
        list[str]: One line each, of a file the first one only; none: the zip may be uploaded.
    """
    rules = server_rules(benchmark)
    frames = {**rules.lengths, **{rules.scene(s): n for s, n in (lengths or {}).items()}}
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        return [f'{path} is no zip file that can be read: {error}']
    with archive:
        entries = [entry for entry in archive.namelist() if entry != rules.folder]
        problems = _name_problems(rules, entries)
        for file in sorted({entry for entry in entries if entry.endswith('.txt')}):
            try:
                _check_text(archive.read(file), file, frames.get(rules.scene(Path(file).stem)))
            except ValueError as error:
                problems.append(str(error))
            except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
                problems.append(f'{file} cannot be read: {error}')
    return problems


def _name_problems(rules: ServerRules, entries: list[str]) -> list[str]:
    """Of the names in a zip: missing, unexpected and repeated ones."""
    test, train = (
        [file for scene in sorted(rules.scenes(part)) for file in rules.files(scene)]
        for part in (rules.test, rules.train)
    )
    wanted = test + (train if set(entries) & set(train) else [])
    problems = [f'{file} is missing' for file in wanted if file not in entries]
    for file, count in sorted(Counter(entries).items()):
        if file not in wanted:
            form = f'{rules.folder}<sequence>.txt'
            problems.append(f'{file} should not be there: the zip holds only {form}')
        elif count > 1:
            problems.append(f'{file} is there {count} times')
    return problems


def _check_text(data: bytes, file: str, length: int | None) -> None:
    """Raise ValueError, which names the file, for the first rule that a result file breaks."""
    try:
        text = data.decode('ascii')
    except UnicodeDecodeError as error:
        raise ValueError(f'{file}: not plain text: {error}') from error
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            raise ValueError(f'{file}, line {number}: empty; TrackEval cannot read it')
    rows = parse_rows(text, file)
    if len(rows) == 0:
        return
    if rows.shape[1] != COLUMNS:
        raise ValueError(f'{file}: {rows.shape[1]} columns; there should be {COLUMNS}')
    rows = as_rows(rows, file)
    last = np.inf if length is None else length
    frame, box = rows[:, FRAME], rows[:, BOX]
    for fits, what in (
        (frame >= 1, 'frames count from 1'),
        (frame <= last, f'the sequence has {length} frames'),
        (rows[:, ID] >= 1, 'ids count from 1'),
        (box[:, 2:].min(1) > 0, 'width and height should be positive'),
        (np.isfinite(rows[:, FLAG]), 'the score is not finite'),
        # -1 or pedestrian, the only class that TrackEval takes
        (np.isin(rows[:, CLASS], (-1, 1)), 'column 8 should be -1'),
    ):
        for bad in rows[~fits][:1]:
            raise ValueError(f'{file}, frame {bad[FRAME]:g}, id {bad[ID]:g}: {what}')
    check_unique_ids(rows, file)
