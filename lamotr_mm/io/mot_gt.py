"""Ground truth of MOTChallenge: ``gt.txt``, and what its classes mean in each benchmark.

Format: https://motchallenge.net/instructions and Milan et al., arXiv:1603.00831. A row of
``gt.txt`` is ``frame,id,x,y,w,h,flag,class,visibility`` (MOT16 and later, DanceTrack, SportsMOT)
or, in MOT15, ``frame,id,x,y,w,h,flag,X,Y,Z`` without a class. Frames count from 1, boxes are px of
the image.
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .mot_folder import MOTFormatError

MAX_REPORTED_ERRORS = 10


class Row(NamedTuple):
    """One box of a ``gt.txt``; x, y (top left), w, h in px."""

    frame: int  # from 1
    id: int
    x: float
    y: float
    w: float
    h: float
    flag: float  # 0: not to be counted
    class_id: int
    visibility: float  # 0..1


@dataclass(frozen=True)
class ClassRule:
    """What becomes of each class id of a benchmark.

    Attributes:
        targets (dict[int, str]): Classes to track.
        ignored (dict[int, str]): Classes neither right nor wrong to find (TrackEval's distractors).
        dropped (tuple[int, ...]): Classes left out.
    """

    targets: dict[int, str]
    ignored: dict[int, str]
    dropped: tuple[int, ...] = ()

    def known(self, class_id: int) -> bool:
        """Whether the class may occur in a ``gt.txt``."""
        return class_id in self.targets or class_id in self.ignored or class_id in self.dropped


_PEDESTRIAN = {1: 'pedestrian'}
# distractors as in TrackEval's MotChallenge2DBox preprocessing
_DISTRACTORS = {2: 'person_on_vehicle', 7: 'static_person', 8: 'distractor', 12: 'reflection'}
_MOT17 = ClassRule(_PEDESTRIAN, _DISTRACTORS, (3, 4, 5, 6, 9, 10, 11, 13))
_MOT20 = ClassRule(_PEDESTRIAN, _DISTRACTORS | {6: 'non_mot_vehicle'}, (3, 4, 5, 9, 10, 11, 13))
_ONE_CLASS = ClassRule(_PEDESTRIAN, {})
BENCHMARKS = {
    'mot15': _ONE_CLASS,
    'mot16': _MOT17,
    'mot17': _MOT17,
    'mot20': _MOT20,
    'dancetrack': _ONE_CLASS,
    'sportsmot': _ONE_CLASS,
}


def class_rule(benchmark: str, classes: list[str] | None = None) -> ClassRule:
    """Returns the classes of a benchmark.

    Args:
        benchmark (str): A key of `BENCHMARKS`, or 'custom'.
        classes (list[str], optional): Names of the classes 1, 2, ... of a custom data set.
            Defaults to one class, 'pedestrian'.
    """
    if benchmark == 'custom':
        names = classes or ['pedestrian']
        return ClassRule(dict(enumerate(names, start=1)), {})
    if classes:
        raise ValueError(f'the classes of {benchmark} are fixed: drop --classes or use custom')
    return BENCHMARKS[benchmark]


def detect_benchmark(names: list[str]) -> str:
    """Guesses the benchmark from the names of sequences; 'custom' where they tell nothing."""
    prefixes = {'MOT16-': 'mot16', 'MOT17-': 'mot17', 'MOT20-': 'mot20', 'dancetrack': 'dancetrack'}
    prefixes['v_'] = 'sportsmot'
    found = {
        next((b for prefix, b in prefixes.items() if name.startswith(prefix)), 'custom')
        for name in names
    }
    if len(found) > 1:
        raise ValueError(
            f'sequences of several benchmarks ({", ".join(sorted(found))}): give --benchmark'
        )
    return found.pop() if found else 'custom'


def read_gt(path: Path, length: int, rule: ClassRule) -> tuple[list[Row], Counter]:
    """Reads and validates a ``gt.txt``; rows may be in any order.

    Args:
        path (Path): The file.
        length (int): Number of frames in the sequence.
        rule (ClassRule): The benchmark's classes.

    Returns:
        tuple[list[Row], Counter]: Rows of target and ignored classes in order of (frame, id);
        numbers of rows skipped: 'zero size', 'other class'.

    Raises:
        MOTFormatError: Names file, line and value of each broken row (the first ten): wrong number
            of columns, no number, NaN or infinite, negative size, frame outside 1..length, unknown
            class, negative id, or an id twice in a frame.
    """
    rows: list[Row] = []
    skipped: Counter = Counter()
    errors: list[str] = []
    lines: dict[tuple[int, int], int] = {}
    text = path.read_text(encoding='utf-8-sig', errors='replace')
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = _parse_row(line, length, rule)
            earlier = lines.setdefault((row.frame, row.id), number)
            if earlier != number:
                raise ValueError(f'id {row.id} is in frame {row.frame} already, at line {earlier}')
        except ValueError as error:
            errors.append(f'{path}:{number}: {error}')
            if len(errors) == MAX_REPORTED_ERRORS:
                errors.append('... and perhaps more')
                break
            continue
        if row.class_id in rule.dropped:
            skipped['other class'] += 1
        elif row.w == 0 or row.h == 0:
            skipped['zero size'] += 1
        else:
            rows.append(row)
    if errors:
        raise MOTFormatError('broken ground truth:\n' + '\n'.join(errors))
    return sorted(rows, key=lambda row: (row.frame, row.id)), skipped


def _parse_row(line: str, length: int, rule: ClassRule) -> Row:
    """Parses one row; ValueError says what is wrong with it."""
    fields = [field.strip() for field in line.split(',')]
    if len(fields) not in (9, 10):
        raise ValueError(f'9 columns expected (10 in MOT15), got {len(fields)}: {line.strip()!r}')
    values = []
    for column, field in enumerate(fields, start=1):
        try:
            value = float(field)
        except ValueError:
            raise ValueError(f'column {column} is no number: {field!r}') from None
        if not math.isfinite(value):
            raise ValueError(f'column {column} is not finite: {field!r}')
        values.append(value)
    # MOT15's columns 8-10 are a position in the world
    class_id, visibility = values[7:9] if len(fields) == 9 else (1.0, 1.0)
    for name, value in (('frame', values[0]), ('id', values[1]), ('class', class_id)):
        if not value.is_integer():
            raise ValueError(f'{name} must be whole, got {value}')
    x, y, w, h, flag = values[2:7]
    row = Row(int(values[0]), int(values[1]), x, y, w, h, flag, int(class_id), visibility)
    if not 1 <= row.frame <= length:
        raise ValueError(f'frame {row.frame} is outside 1..{length}')
    if row.id < 0:
        raise ValueError(f'id must be >= 0, got {row.id}')
    if row.w < 0 or row.h < 0:
        raise ValueError(f'width and height must be >= 0, got {row.w} and {row.h}')
    if not rule.known(row.class_id):
        raise ValueError(
            f'class {row.class_id} is none of {sorted(rule.targets | rule.ignored)}: give the '
            'right benchmark, or name the classes'
        )
    return row
