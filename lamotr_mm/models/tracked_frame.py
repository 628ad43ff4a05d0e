"""A tracked frame, as mmdet's metrics and visualizers want it."""

from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from lamotr_mm.tracking.lifecycle import FrameScores, FrameTracks, overlapping_pairs
from lamotr_mm.tracking.session import NO_TRACK


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


def report_tracks(
    frame: DetDataSample,
    tracked: TrackedFrame,
    score_thr: float,
    min_area: float,
    overlap_iou: float,
) -> None:
    """Fill a frame's sample in place.

    It gets ``pred_track_instances`` (``bboxes`` xyxy px of the original image, ``scores``,
    ``labels``, ``instances_id``; ``ages``: frames since birth; ``object_index``: the row of
    ``association`` whose object the track was matched with or born from, -1: none),
    ``pred_instances`` (every object query's detection, as an mmdet detector gives it) and the
    metainfo ``association`` (scores ``S`` of the kept objects and live tracklets, boxes, ids,
    matches, number of overlapping tracks).

    Args:
        frame: sample to fill.
        tracked: what :meth:`LAMOTR.track_frame` returned.
        score_thr: tracks with a score above it are output (probability).
        min_area: tracks with an area above it are output, px^2.
        overlap_iou: two live tracks above it count as overlapping.
    """
    tracks, scores = tracked.tracks, tracked.scores
    boxes = tracks.boxes_xyxy
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=0)
    shown = (tracks.scores > score_thr) & (sides.prod(1) > min_area)
    frame.pred_track_instances = InstanceData(
        bboxes=torch.from_numpy(boxes[shown]),
        scores=torch.from_numpy(tracks.scores[shown]),
        labels=torch.from_numpy(tracks.labels[shown]),
        instances_id=torch.from_numpy(tracks.ids[shown]),
        ages=torch.from_numpy(tracks.ages[shown]),
        object_index=torch.from_numpy(_object_rows(tracks)[shown]),
    )
    frame.pred_instances = InstanceData(
        bboxes=torch.from_numpy(scores.object_boxes_xyxy),
        scores=torch.from_numpy(scores.object_scores),
        labels=torch.from_numpy(scores.object_labels),
    )
    association = _association(tracked)
    association['overlapping_live_pairs'] = overlapping_pairs(boxes, overlap_iou)
    frame.set_metainfo(dict(association=association))


def _object_rows(tracks: FrameTracks) -> np.ndarray:
    """Of each track, the place of its object among the kept ones ``(n,)``; -1: none."""
    index = tracks.object_index[tracks.slots]
    return np.where(index < 0, -1, np.searchsorted(tracks.objects, index))


def _association(tracked: TrackedFrame) -> dict[str, Any]:
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
