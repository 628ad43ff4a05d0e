"""A tracked frame, as mmdet's metrics and visualizers want it."""

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from lamotr_mm.tracking.lifecycle import overlapping_pairs
from lamotr_mm.tracking.tracked_frame import (
    TrackedFrame,
    association_of,
    object_rows,
    shown_tracks,
)


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
    shown = shown_tracks(tracks, score_thr, min_area)
    frame.pred_track_instances = InstanceData(
        bboxes=torch.from_numpy(boxes[shown]),
        scores=torch.from_numpy(tracks.scores[shown]),
        labels=torch.from_numpy(tracks.labels[shown]),
        instances_id=torch.from_numpy(tracks.ids[shown]),
        ages=torch.from_numpy(tracks.ages[shown]),
        object_index=torch.from_numpy(object_rows(tracks)[shown]),
    )
    frame.pred_instances = InstanceData(
        bboxes=torch.from_numpy(scores.object_boxes_xyxy),
        scores=torch.from_numpy(scores.object_scores),
        labels=torch.from_numpy(scores.object_labels),
    )
    association = association_of(tracked)
    association['overlapping_live_pairs'] = overlapping_pairs(boxes, overlap_iou)
    frame.set_metainfo(dict(association=association))
