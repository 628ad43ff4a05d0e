"""A tracked frame on the host: what was seen and decided, and what of it is given out."""

from typing import Any, NamedTuple

import numpy as np

from .lifecycle import FrameScores, FrameTracks
from .table import NO_TRACK


class TrackedFrame(NamedTuple):
    """What was seen and decided in one frame.

    Attributes:
        entered_ids: ``(Nt,)`` int64, ids by slot before the frame, `NO_TRACK` in free slots.
        scores: what the network said.
        tracks: what the lifecycle decided.
    """

    entered_ids: np.ndarray
    scores: FrameScores
    tracks: FrameTracks


def unpack_scores(packed: np.ndarray, num_objects: int, ori_shape: tuple[int, int]) -> FrameScores:
    """What the network packed of a frame, in px of the original image.

    Args:
        packed: of ``pack_scores`` in :mod:`lamotr_mm.models.host_frame`, on the host.
        num_objects: ``Nd``.
        ori_shape: (height, width) in px of the original image.
    """
    height, width = ori_shape[:2]
    # 6 (Nd + Nt) + Nd Nt numbers
    slots = (len(packed) - 6 * num_objects) // (6 + num_objects)
    queries, association = np.split(packed, [6 * (num_objects + slots)])
    queries = queries.reshape(-1, 6)
    parts = (
        queries[:, 0],
        queries[:, 1].astype(np.int64),
        queries[:, 2:] * np.array([width, height, width, height], packed.dtype),
    )
    objects, tracklets = zip(*(np.split(part, [num_objects]) for part in parts))
    return FrameScores._make([*objects, *tracklets, association.reshape(num_objects, slots)])


def shown_tracks(tracks: FrameTracks, score_thr: float, min_area: float) -> np.ndarray:
    """``(n,)`` bool, the tracks that are output.

    Args:
        tracks: what the lifecycle decided.
        score_thr: tracks with a score above it are output (probability).
        min_area: tracks with an area above it are output, px^2.
    """
    boxes = tracks.boxes_xyxy
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=0)
    return (tracks.scores > score_thr) & (sides.prod(1) > min_area)


def object_rows(tracks: FrameTracks) -> np.ndarray:
    """Of each track, the place of its object among the kept ones ``(n,)``; -1: none."""
    index = tracks.object_index[tracks.slots]
    return np.where(index < 0, -1, np.searchsorted(tracks.objects, index))


def association_of(tracked: TrackedFrame) -> dict[str, Any]:
    """``S`` between the kept objects and the tracklets that entered the frame."""
    ids, scores, tracks = tracked
    live = np.flatnonzero(ids != NO_TRACK)
    return dict(
        scores=scores.association[np.ix_(tracks.objects, live)],
        object_bboxes=scores.object_boxes_xyxy[tracks.objects],
        object_scores=scores.object_scores[tracks.objects],
        object_labels=scores.object_labels[tracks.objects],
        tracklet_ids=ids[live],
        tracklet_bboxes=scores.tracklet_boxes_xyxy[live],
        matches=np.stack(
            [
                np.searchsorted(tracks.objects, tracks.matches[:, 0]),
                np.searchsorted(live, tracks.matches[:, 1]),
            ],
            1,
        ),
    )
