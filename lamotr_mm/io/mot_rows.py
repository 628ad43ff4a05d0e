"""MOTChallenge rows: the one form in which boxes reach the metric and its result files.

A row is ``frame, id, x, y, w, h, flag, class``: frame from 1, box in px of the original image, flag
the confidence (ground truth: 0 marks a box that is not scored), class from 1.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .files import replace_on_success

FRAME, ID, FLAG, CLASS = 0, 1, 6, 7
BOX = slice(2, 6)
# px: results are scored as they are written, so that a result file gives the very same numbers
RESULT_DECIMALS = 4


def as_rows(rows: ArrayLike, what: str) -> np.ndarray:
    """Rows as ``(N, 8)`` float64; further columns are dropped, a missing class becomes -1.

    Args:
        rows (array_like): ``(N, C)`` with ``C >= 7``, as ``numpy.loadtxt`` reads a MOTChallenge
            file; may be empty.
        what (str): Name of the rows for error messages.

    Raises:
        ValueError: Fewer than 7 columns, a box that is not finite or of negative width or height,
            or a frame or id that is no integer.
    """
    rows = np.asarray(rows, dtype=np.float64)
    if rows.size == 0:
        return np.empty((0, 8))
    if rows.ndim != 2 or rows.shape[1] < 7:
        raise ValueError(
            f'{what}: expected rows of frame, id, x, y, w, h, confidence and optionally class, '
            f'got an array of shape {rows.shape}'
        )
    if rows.shape[1] == 7:
        rows = np.column_stack([rows, np.full(len(rows), -1.0)])
    rows = rows[:, :8]
    for fits, why in (
        (np.isfinite(rows[:, :6]).all(1), 'is not finite'),
        ((rows[:, BOX][:, 2:] >= 0).all(1), 'has a negative width or height'),
    ):
        for bad in rows[~fits][:1]:
            raise ValueError(
                f'{what}, frame {bad[FRAME]:g}, id {bad[ID]:g}: the box (x, y, w, h) = '
                f'{bad[BOX].tolist()} {why}'
            )
    for bad in rows[(rows[:, :2] != np.round(rows[:, :2])).any(1)][:1]:
        raise ValueError(f'{what}: frame {bad[FRAME]:g} and id {bad[ID]:g} should be integers')
    return rows


def check_unique_ids(rows: np.ndarray, what: str) -> None:
    """Raise ValueError if an id occurs twice in a frame of `rows` ``(N, 8)``."""
    pairs, counts = np.unique(rows[:, [FRAME, ID]], axis=0, return_counts=True)
    for frame, track_id in pairs[counts > 1][:1]:
        raise ValueError(
            f'{what}, frame {frame:g}: id {track_id:g} occurs more than once; '
            'an id names one box per frame'
        )


def read_rows(path: str | os.PathLike) -> np.ndarray:
    """Read a MOTChallenge text file (comma separated, 7 columns or more).

    Returns:
        ndarray: ``(N, C)`` float64; ``(0, 8)`` for an empty file.

    Raises:
        ValueError: A row cannot be read; names the file.
    """
    return parse_rows(Path(path).read_text(), str(path))


def parse_rows(text: str, what: str) -> np.ndarray:
    """Rows of a MOTChallenge text file that is in memory, as `read_rows` gives them."""
    if not text.strip():
        return np.empty((0, 8))
    try:
        return np.loadtxt(text.splitlines(), delimiter=',', ndmin=2)
    except ValueError as error:
        raise ValueError(f'{what}: {error}') from error


def format_row(
    frame: float, track_id: float, box_xywh: Iterable[float], score: float, class_id: float = -1
) -> str:
    """A line of a MOTChallenge result file: ``frame,id,x,y,w,h,score,class,-1,-1``.

    Args:
        frame (float): Number of the frame, from 1.
        track_id (float): From 1.
        box_xywh (Iterable[float]): Top left, width and height in px.
        score (float): Confidence.
        class_id (float): From 1; -1 where a file is of one class.
    """
    box = ','.join(f'{value:.{RESULT_DECIMALS}f}' for value in box_xywh)
    return f'{frame:.0f},{track_id:.0f},{box},{score:.6f},{class_id:.0f},-1,-1\n'


def write_results(
    folder: str | os.PathLike, tracks: Mapping[str, np.ndarray], with_class: bool = False
) -> None:
    """Write ``<folder>/<sequence>.txt``; a file appears whole or not at all.

    Args:
        folder (str | os.PathLike): Is created if need be.
        tracks (Mapping[str, ndarray]): Rows ``(N, 8)`` of each sequence, see `format_rows`.
        with_class (bool): Write the class (from 1) in column 8, else -1.

    Raises:
        ValueError: An id is negative.
    """
    for sequence, rows in tracks.items():
        text = format_rows(rows, sequence, with_class)
        with replace_on_success(Path(folder) / f'{sequence}.txt') as part:
            part.write_text(text)


def format_rows(rows: np.ndarray, what: str, with_class: bool = False) -> str:
    """Text of a MOTChallenge result file, by frame and id.

    Args:
        rows (ndarray): ``(N, 8)``; ids that start at 0 are shifted, so that they count from 1.
        what (str): Name of the rows for error messages.
        with_class (bool): Write the class (from 1) in column 8, else -1.

    Raises:
        ValueError: An id is negative.
    """
    first_id = rows[:, ID].min(initial=1)
    if first_id < 0:
        raise ValueError(f'{what}: track id {first_id:g}; ids should be 0 or more')
    shift = 1 - min(first_id, 1)
    return ''.join(
        format_row(
            row[FRAME], row[ID] + shift, row[BOX], row[FLAG], row[CLASS] if with_class else -1
        )
        for row in rows[np.lexsort((rows[:, ID], rows[:, FRAME]))]
    )
