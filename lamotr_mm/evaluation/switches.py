"""Where identities switch: the events that CLEAR's IDSW counts, one by one.

TrackEval's ``CLEAR`` returns their number only. The rule is its own: in each frame targets and
tracks are matched one to one at IoU >= 0.5, pairs of the frame before first, then by the sum of
IoU; a switch is a match with another id than in the target's last match.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from lamotr_mm.io.mot_rows import BOX, CLASS, ID, as_rows

from .sequences import ArrayDataset, check_classes, rows_by_frame, without_ignored

IOU_THR = 0.5


class Switch(NamedTuple):
    """A target that goes on under another id.

    Attributes:
        frame: number of the frame in which the new id has it.
        target: id of the ground truth.
        last_frame: number of the frame in which the old id had it last.
        old, new: ids of the tracks.
    """

    frame: int
    target: int
    last_frame: int
    old: int
    new: int


class ClearMatches(NamedTuple):
    """Which track has which target.

    Attributes:
        by_frame: frame number -> {target id: track id}.
        switches: by frame.
    """

    by_frame: dict[int, dict[int, int]]
    switches: list[Switch]


def clear_matches(
    ground_truth: np.ndarray,
    tracks: np.ndarray,
    frames: Iterable[int],
    num_classes: int = 1,
) -> ClearMatches:
    """Match targets and tracks as TrackEval's CLEAR does, and list the switches.

    Args:
        ground_truth: ``(N, C)`` rows ``frame, id, x, y, w, h, flag, class``, box in px, class from
            1; flag 0: not scored, and takes tracks out of the score that match nothing else.
        tracks: ``(M, C)`` rows alike, the flag is the score.
        frames: numbers of the frames that were tracked; rows of others are left out.
        num_classes: targets and tracks are matched within a class.

    Raises:
        ValueError: rows are broken, or of another class.
    """
    numbers = np.unique(np.fromiter(frames, dtype=np.float64))
    rows = [
        check_classes(as_rows(part, what), num_classes, what)
        for part, what in ((ground_truth, 'ground truth'), (tracks, 'tracks'))
    ]
    matches: dict[int, dict[int, int]] = {int(number): {} for number in numbers}
    switches: list[Switch] = []
    for label in range(1, num_classes + 1):
        of_class = [rows_by_frame(part[part[:, CLASS] == label], numbers) for part in rows]
        found = _match_class(*of_class)
        for number, pairs in zip(matches, found):
            matches[number] |= pairs
        switches += _switches(dict(zip(matches, found)))
    return ClearMatches(matches, sorted(switches))


def _match_class(truth: list[np.ndarray], tracks: list[np.ndarray]) -> list[dict[int, int]]:
    """{target id: track id} of each frame."""
    dataset = ArrayDataset(None)
    found: list[dict[int, int]] = []
    before: dict[int, int] = {}
    for true_rows, track_rows in zip(truth, tracks):
        targets, boxes = without_ignored(dataset, true_rows, track_rows)
        pairs: dict[int, int] = {}
        if len(targets) and len(boxes):
            ids, track_ids = targets[:, ID].astype(int), boxes[:, ID].astype(int)
            ious = dataset.similarities(targets[:, BOX], boxes[:, BOX])
            goes_on = track_ids == np.array([before.get(i, -1) for i in ids])[:, None]
            scores = 1000 * goes_on + ious
            scores[ious < IOU_THR - np.finfo('float').eps] = 0
            row, column = linear_sum_assignment(scores, maximize=True)
            hit = scores[row, column] > np.finfo('float').eps
            pairs = dict(zip(ids[row[hit]].tolist(), track_ids[column[hit]].tolist()))
            # as TrackEval: a frame without targets or tracks does not interrupt
            before = pairs
        found.append(pairs)
    return found


def _switches(by_frame: dict[int, dict[int, int]]) -> list[Switch]:
    last: dict[int, tuple[int, int]] = {}  # target -> frame, track of its last match
    found = []
    for number, pairs in by_frame.items():
        for target, track in pairs.items():
            last_frame, old = last.get(target, (number, track))
            if old != track:
                found.append(Switch(number, target, last_frame, old, track))
            last[target] = (number, track)
    return found
