"""The lines of a ``gt.txt`` as people write it: separators, a headline, a comma at the end.

What the format asks for (https://motchallenge.net/instructions) is commas and no headline. Other
ways to write the same table are read where they can mean one thing only.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .mot_folder import MOTFormatError

MIN_COLUMNS = 6  # frame, id and a box
_SEPARATORS = {',': 'commas', ';': 'semicolons', '\t': 'tabs', None: 'spaces'}
# what the first columns may be called in a headline, letters only
_HEADLINE = (
    ('frame', {'frame', 'frameid', 'frameindex', 'frameidx', 'framenumber', 'framenum', 'frameno'}),
    ('id', {'id', 'trackid', 'targetid', 'objectid', 'objid', 'trackletid', 'identity'}),
    ('x', {'x', 'left', 'bbleft', 'bboxleft', 'bboxx', 'bbx', 'xmin', 'xtl', 'xlefttop'}),
    ('y', {'y', 'top', 'bbtop', 'bboxtop', 'bboxy', 'bby', 'ymin', 'ytl', 'ylefttop'}),
    ('w', {'w', 'width', 'bbwidth', 'bboxwidth', 'bboxw', 'bbw'}),
    ('h', {'h', 'height', 'bbheight', 'bboxheight', 'bboxh', 'bbh'}),
)


@dataclass(frozen=True)
class Table:
    """A file's rows, still text.

    Attributes:
        rows (list[tuple[int, list[str]]]): Line number, from 1, and fields, without blanks.
        columns (int): Number of fields that most rows have; 0 where there are no rows.
    """

    rows: list[tuple[int, list[str]]]
    columns: int


def read_table(path: Path, on_note: Callable[[str], None] = lambda note: None) -> Table:
    """Splits a file into fields; empty lines are left out.

    Args:
        path (Path): A text file, perhaps with a byte order mark.
        on_note (Callable): Called with each thing that was assumed.

    Raises:
        MOTFormatError: A headline names other columns than frame, id, x, y, w, h.
    """
    text = path.read_text(encoding='utf-8-sig', errors='replace')
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        return Table([], 0)
    separator = _separator([line for _, line in lines[:2]])
    if separator != ',':
        on_note(f'columns are separated by {_SEPARATORS[separator]}')
    rows = [(n, [field.strip() for field in line.split(separator)]) for n, line in lines]
    if _is_headline(rows[0][1]):
        _check_headline(path, *rows.pop(0))
        on_note('the first line names the columns')
    ended = [len(fields) > MIN_COLUMNS and not fields[-1] for _, fields in rows]
    if any(ended):
        on_note('a separator at the end of a row means nothing')
        rows = [(n, fields[:-1] if end else fields) for (n, fields), end in zip(rows, ended)]
    columns = Counter(len(fields) for _, fields in rows).most_common(1)
    return Table(rows, columns[0][0] if columns else 0)


def _separator(lines: list[str]) -> str | None:
    """What makes columns of one of the first lines; a comma where nothing does."""
    for separator in _SEPARATORS:
        if any(len(line.split(separator)) >= MIN_COLUMNS for line in lines):
            return separator
    return ','


def _is_headline(fields: list[str]) -> bool:
    return len(fields) >= MIN_COLUMNS and all(
        re.match(r'[#<"]*[A-Za-z_]', field) and field.lower() not in ('nan', 'inf')
        for field in fields[:MIN_COLUMNS]
    )


def _check_headline(path: Path, number: int, fields: list[str]) -> None:
    for column, (field, (name, known)) in enumerate(zip(fields, _HEADLINE), start=1):
        if re.sub(r'[^a-z0-9]', '', field.lower()) not in known:
            raise MOTFormatError(
                f'{path}:{number}: column {column} is called {field!r}, {name} is expected: '
                'frame, id, x, y (top left), w, h'
            )
