"""Ground truth of MOTChallenge: ``gt.txt``, and what its classes mean in each benchmark.

Format: https://motchallenge.net/instructions and Milan et al., arXiv:1603.00831. A row of
``gt.txt`` is ``frame,id,x,y,w,h,flag,class,visibility`` (MOT16 and later, DanceTrack, SportsMOT)
or, in MOT15, ``frame,id,x,y,w,h,flag,X,Y,Z`` without a class. Frames count from 1, boxes are px of
the image. Rows that end with the box or the flag are read where there is one class to track.
"""

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .mot_folder import MOTFormatError
from .mot_table import Table, read_table

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


@dataclass(frozen=True)
class _Reading:
    """How the rows of one file are to be read: number of columns, what to add to the frame, number
    of frames, classes.
    """

    columns: int
    shift: int
    length: int
    rule: ClassRule


def read_gt(
    path: Path,
    length: int,
    rule: ClassRule,
    from_zero: bool = False,
    on_note: Callable[[str], None] = lambda note: None,
) -> tuple[list[Row], Counter]:
    """Reads and validates a ``gt.txt``; rows may be in any order.

    Args:
        path (Path): The file.
        length (int): Number of frames in the sequence.
        rule (ClassRule): The benchmark's classes.
        from_zero (bool): The names of the images count from 0; then so do the rows where one is of
            frame 0, and they count from 1 where one is of frame `length`.
        on_note (Callable): Called with each thing that was assumed.

    Returns:
        tuple[list[Row], Counter]: Rows of target and ignored classes in order of (frame, id);
        numbers of rows skipped: 'zero size', 'other class'.

    Raises:
        MOTFormatError: Names file, line and value of each broken row (the first ten): wrong number
            of columns, no number, NaN or infinite, negative size, frame outside 1..length, unknown
            class, negative id, or an id twice in a frame. Or the rows could mean several things.
    """
    table = read_table(path, on_note)
    shift = _shift(path, table, length) if from_zero and table.rows else 0
    if from_zero and table.rows:
        on_note(f'frames in gt.txt count from {1 - shift}')
    reading = _Reading(_columns(path, table, rule, on_note), shift, length, rule)
    rows: list[Row] = []
    skipped: Counter = Counter()
    errors: list[str] = []
    lines: dict[tuple[int, int], int] = {}
    for number, fields in table.rows:
        try:
            row = _parse_row(fields, reading)
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


def _shift(path: Path, table: Table, length: int) -> int:
    """What to add to frame numbers where the names of the images count from 0.

    Raises:
        MOTFormatError: No row tells whether they count from 0 or from 1.
    """
    numbers = _values(table, 0)
    first, last = 0 in numbers, length in numbers
    if first != last:
        return int(first)
    why = 'there are rows of both' if first else 'there is no row of either'
    raise MOTFormatError(
        f'{path}: the names of the images count from 0; rows of frame 0 would do so, too, rows of '
        f'frame {length} count from 1, but {why}: rename the images, so that they count from 1 as '
        'the rows must'
    )


def _columns(path: Path, table: Table, rule: ClassRule, on_note: Callable[[str], None]) -> int:
    """Number of columns in the rows: 6, 7, 9 or 10; other numbers are an error of each row.

    Raises:
        MOTFormatError: The rows lack a class and there are several, or the last of 7 columns need
            not be a flag.
    """
    if table.columns not in (6, 7):
        return table.columns if table.columns == 10 else 9
    if len(rule.targets) > 1:
        names = ', '.join(rule.targets.values())
        raise MOTFormatError(
            f'{path}: rows of {table.columns} columns name no class, and there are several '
            f'({names}): 9 columns expected, frame,id,x,y,w,h,flag,class,visibility'
        )
    flags = _values(table, 6)
    if table.columns == 7 and flags and not (min(flags) >= 0 and 0 < max(flags) <= 1):
        raise MOTFormatError(
            f'{path}: column 7, the last one, is {min(flags):g} to {max(flags):g}: a flag is 0 '
            '(ignored) to 1, and not 0 in all rows; leave the column out, or write 9 columns: '
            'frame,id,x,y,w,h,flag,class,visibility'
        )
    (name,) = rule.targets.values()
    what = 'end with the box' if table.columns == 6 else 'end with the flag'
    on_note(f'rows of {table.columns} columns {what}, all are of class {name}')
    return table.columns


def _values(table: Table, column: int) -> set[float]:
    """Different numbers in a column, from 0; what is none is said of its row, later."""
    texts = {fields[column] for _, fields in table.rows if len(fields) > column}
    return {float(text) for text in texts if re.fullmatch(r'-?\d+(\.\d*)?', text)}


def _numbers(fields: list[str], columns: int) -> list[float]:
    """The values of a row; ValueError says what is wrong with it."""
    if len(fields) != columns:
        also = ' (10 in MOT15)' if columns == 9 else ''
        raise ValueError(
            f'{columns} columns expected{also}, got {len(fields)}: {",".join(fields)!r}'
        )
    values = []
    for column, field in enumerate(fields, start=1):
        try:
            value = float(field)
        except ValueError:
            raise ValueError(f'column {column} is no number: {field!r}') from None
        if not math.isfinite(value):
            raise ValueError(f'column {column} is not finite: {field!r}')
        values.append(value)
    return values


def _parse_row(fields: list[str], reading: _Reading) -> Row:
    """Parses one row; ValueError says what is wrong with it."""
    values = _numbers(fields, reading.columns)
    rule = reading.rule
    # MOT15's columns 8-10 are a position in the world
    class_id, visibility = values[7:9] if len(values) == 9 else (next(iter(rule.targets)), 1.0)
    for name, value in (('frame', values[0]), ('id', values[1]), ('class', class_id)):
        if value != int(value):
            raise ValueError(f'{name} must be whole, got {value}')
    x, y, w, h = values[2:6]
    flag = values[6] if len(values) > 6 else 1.0
    frame = int(values[0]) + reading.shift
    row = Row(frame, int(values[1]), x, y, w, h, flag, int(class_id), visibility)
    if not 1 <= row.frame <= reading.length:
        first = 1 - reading.shift
        last = reading.length - reading.shift
        raise ValueError(f'frame {int(values[0])} is outside {first}..{last}')
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
