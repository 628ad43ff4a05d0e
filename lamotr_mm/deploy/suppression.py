"""What a dense detector does behind its network: thresholds, non-maximum suppression; in NumPy."""

import numpy as np

from lamotr_mm.tracking.boxes import pair_iou

from .settings import ProposalSettings


def propose(
    boxes_xyxy: np.ndarray,
    scores: np.ndarray,
    factors: np.ndarray,
    img_shape: tuple[int, int],
    settings: ProposalSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Proposals of a frame, as mmdet's ``predict_by_feat`` makes them of a head with one class.

    Args:
        boxes_xyxy: ``(A, 4)``, px of the resized frame, the levels one after another.
        scores: ``(A,)`` probabilities, by which candidates are chosen.
        factors: ``(A,)``, the scores of candidates are multiplied by them (centerness).
        img_shape: (height, width) in px of the resized frame.
        settings: of the exported model.

    Returns:
        Boxes ``(1, P, 4)`` cxcywh, normalised by the frame, and scores ``(1, P)``, float32, best
        first; a score of 0 marks an empty place.
    """
    candidates = np.concatenate(_of_levels(scores, settings))
    found, ranks = boxes_xyxy[candidates], scores[candidates] * factors[candidates]
    if settings.min_size >= 0:
        large = ((found[:, 2:] - found[:, :2]) > settings.min_size).all(1)
        found, ranks = found[large], ranks[large]
    order = np.argsort(-ranks, kind='stable')
    found, ranks = found[order], ranks[order]
    kept = _suppress(found, settings.iou, settings.places)
    height, width = img_shape
    boxes = np.zeros((1, settings.places, 4), np.float32)
    places = np.zeros((1, settings.places), np.float32)
    low, high = found[kept, :2], found[kept, 2:]
    size = np.array([width, height], np.float32)
    boxes[0, : len(kept), :2] = (low + high) / 2 / size
    boxes[0, : len(kept), 2:] = (high - low) / size
    places[0, : len(kept)] = ranks[kept]
    return boxes, places


def _of_levels(scores: np.ndarray, settings: ProposalSettings) -> list[np.ndarray]:
    """Places of each level's candidates, best first."""
    found, start = [], 0
    for size in settings.level_sizes:
        level = scores[start : start + size]
        passed = np.flatnonzero(level > settings.score_thr)
        best = np.argsort(-level[passed], kind='stable')[: settings.nms_pre]
        found.append(start + passed[best])
        start += size
    return found


def _suppress(boxes_xyxy: np.ndarray, iou: float, most: int) -> list[int]:
    """Indices of the boxes ``(n, 4)``, best first, that overlap no better one that stays."""
    free = np.ones(len(boxes_xyxy), dtype=bool)
    kept: list[int] = []
    for index in range(len(boxes_xyxy)):
        if len(kept) == most:
            break
        if free[index]:
            kept.append(index)
            free &= pair_iou(boxes_xyxy[index, None], boxes_xyxy)[0] <= iou
    return kept
