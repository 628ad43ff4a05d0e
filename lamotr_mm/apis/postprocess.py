"""What may follow tracking: gaps are filled (offline), people are counted in regions (online)."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.mot_rows import BOX, CLASS, FRAME, ID, as_rows, format_rows, read_rows

from .results import Tracks, optional_package

MIN_FRAMES = 5  # mmdet's: shorter tracks are left as they are


def fill_gaps(rows: np.ndarray, max_gap: int) -> np.ndarray:
    """Fill the gaps of tracks by straight lines, as ByteTrack does (mmdet's
    ``InterpolateTracklets``). Offline: a gap can be filled when its end is known.

    Args:
        rows: ``(N, 8)``, `frame, id, x, y, w, h, score, class`.
        max_gap: most frames that a gap may have, 1 or more.

    Returns:
        ``(M, 8)``, ``M >= N``, by frame and id. What was filled in has the score 1 and the class of
        its track. Tracks of 5 frames or fewer stay as they are.

    Raises:
        ValueError: ``max_gap < 1``, or mmdet or scikit-learn, which it asks for, is not installed.
    """
    try:
        from mmdet.models.task_modules.tracking import InterpolateTracklets
    except ImportError as error:
        raise ValueError(f'interpolation needs mmdet, see docs/install.md ({error})') from error
    if max_gap < 1:
        raise ValueError(f'interpolation over {max_gap} frames: give 1 or more')
    rows = as_rows(rows, 'tracks')
    ids, length = np.unique(rows[:, ID], return_counts=True)
    long = np.isin(rows[:, ID], ids[length > MIN_FRAMES])
    parts = [rows[~long]]
    try:
        # mmdet counts from the last frame before the gap to the first one behind it, exclusively
        interpolate = InterpolateTracklets(MIN_FRAMES, max_num_frames=max_gap + 2)
    except RuntimeError as error:
        raise ValueError('interpolation needs scikit-learn: pip install scikit-learn') from error
    for track_id in ids[length > MIN_FRAMES]:
        # one by one: mmdet walks through all numbers from the smallest id to the largest
        track = rows[rows[:, ID] == track_id]
        track = track[np.argsort(track[:, FRAME])]
        corners = np.hstack([track[:, BOX][:, :2], track[:, BOX][:, :2] + track[:, BOX][:, 2:]])
        filled = interpolate.forward(np.column_stack([track[:, :2], corners, track[:, 6]]))
        boxes_xywh = np.hstack([filled[:, 2:4], filled[:, 4:6] - filled[:, 2:4]])
        label = np.full(len(filled), track[0, CLASS])
        parts.append(np.column_stack([filled[:, :2], boxes_xywh, filled[:, 6], label]))
    found = np.concatenate(parts)
    return found[np.lexsort((found[:, ID], found[:, FRAME]))]


def fill_gaps_of_file(path: str | os.PathLike, max_gap: int) -> int:
    """:func:`fill_gaps` of a MOTChallenge result file, in place; the number of boxes added."""
    rows = as_rows(read_rows(path), str(path))
    filled = fill_gaps(rows, max_gap)
    with replace_on_success(path) as part:
        part.write_text(format_rows(filled, str(path), with_class=True))
    return len(filled) - len(rows)


class RegionCounter:
    """Counts who crosses lines and who is inside polygons, frame by frame (supervision's zones).

    A person is where the middle of the lower side of the box is.

    Args:
        lines: ``(x1, y1, x2, y2)`` px of each; seen from the first point, *in* is to the left.
        polygons: ``(x1, y1, x2, y2, x3, y3, ...)`` px of each.

    Raises:
        ValueError: a line has not 4 numbers or no length, a polygon not 6 or more, or supervision
            is not installed.
    """

    def __init__(
        self, lines: Sequence[Sequence[float]] = (), polygons: Sequence[Sequence[float]] = ()
    ) -> None:
        for line in lines:
            if len(line) != 4 or tuple(line[:2]) == tuple(line[2:]):
                raise ValueError(f'line {_text(line)}: give x1,y1,x2,y2 of two points, px')
        for polygon in polygons:
            if len(polygon) < 6 or len(polygon) % 2:
                raise ValueError(f'polygon {_text(polygon)}: give x,y of three points or more, px')
        sv: Any = optional_package('supervision')
        feet = (sv.Position.BOTTOM_CENTER,)
        self.lines = [
            sv.LineZone(sv.Point(*line[:2]), sv.Point(*line[2:]), triggering_anchors=feet)
            for line in lines
        ]
        self.polygons = [
            sv.PolygonZone(np.array(polygon, dtype=np.int64).reshape(-1, 2), feet)
            for polygon in polygons
        ]
        self._names = [_text(region) for region in (*lines, *polygons)]
        self._most = [0 for _ in polygons]
        self._visitors: list[set[int]] = [set() for _ in polygons]

    def update(self, tracks: Tracks) -> None:
        """Count the next frame."""
        detections = tracks.to_supervision()
        for line in self.lines:
            line.trigger(detections)
        for place, polygon in enumerate(self.polygons):
            inside = polygon.trigger(detections)
            self._most[place] = max(self._most[place], int(inside.sum()))
            self._visitors[place].update(tracks.ids[inside].tolist())

    def counts(self) -> list[dict[str, Any]]:
        """``region`` of each line and polygon, as given; of a line ``in`` and ``out``, crossings so
        far; of a polygon ``now``, ``most`` at once and ``all`` ids so far.
        """
        lines = [dict(zip(('in', 'out'), (zone.in_count, zone.out_count))) for zone in self.lines]
        polygons = [
            dict(now=int(zone.current_count), most=most, all=len(visitors))
            for zone, most, visitors in zip(self.polygons, self._most, self._visitors)
        ]
        return [dict(region=name, **c) for name, c in zip(self._names, [*lines, *polygons])]


def _text(numbers: Sequence[float]) -> str:
    return ','.join(f'{number:g}' for number in numbers)
