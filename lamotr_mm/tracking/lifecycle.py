"""The life of a track at inference: birth, keep, lose, recover, end (Sec. 3.3 and our decisions in
its silence).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from .boxes import pair_iou
from .table import NO_TRACK, TrackTable


class FrameScores(NamedTuple):
    """What the network says of one frame, on the host. Boxes are xyxy in px of the original image.

    Attributes:
        object_scores, object_labels, object_boxes_xyxy: ``(Nd,)``, ``(Nd,)``, ``(Nd, 4)`` of
            ``O^obj``.
        tracklet_scores, tracklet_labels, tracklet_boxes_xyxy: ``(Nt,)``, ``(Nt,)``, ``(Nt, 4)`` of
            ``O^tck``.
        association: ``(Nd, Nt)``, ``S`` as probabilities.
    """

    object_scores: np.ndarray
    object_labels: np.ndarray
    object_boxes_xyxy: np.ndarray
    tracklet_scores: np.ndarray
    tracklet_labels: np.ndarray
    tracklet_boxes_xyxy: np.ndarray
    association: np.ndarray


class FrameTracks(NamedTuple):
    """Tracks of one frame and what became of each slot.

    Attributes:
        slots: ``(n,)`` int64, slots of the tracks that are alive in this frame.
        ids: ``(n,)`` int64, their ids, from 1.
        scores, boxes_xyxy: ``(n,)``, ``(n, 4)`` px; the tracklet's own, a newborn's are its
            object's (`Lifecycle.report`: so are the boxes of matched ones).
        labels: ``(n,)``, the class that the track has most votes for.
        ages: ``(n,)`` int64, frames since their birth.
        object_index: ``(Nt,)`` int64, object that each slot was matched with or born from; -1:
            none.
        present, born, valid: ``(Nt,)`` bool, see ``SlotDecisions``.
        objects: ``(No,)`` int64, objects that passed ``det_thr``.
        matches: ``(K, 2)`` int64, matched (object, slot).
    """

    slots: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    ages: np.ndarray
    boxes_xyxy: np.ndarray
    object_index: np.ndarray
    present: np.ndarray
    born: np.ndarray
    valid: np.ndarray
    objects: np.ndarray
    matches: np.ndarray


@dataclass
class Lifecycle:
    """Assigns objects to tracklets by ``S`` and decides who lives, in the `TrackTable` of a video.

    A frame: objects with score >= ``det_thr`` are assigned one to one to the tracklets by the
    largest sum of ``S``; pairs below ``gate`` do not count. Tracklets of the frame before come
    first, lost ones get what is left: the memory of a target that has a new track would else take
    turns with it. A matched tracklet lives. An unmatched one lives while its own score >=
    ``keep_thr``, else it is lost and ends after ``miss_tolerance`` frames in a row. An object with
    score >= ``new_thr`` that nobody took starts a track; ``S`` with a tracklet that took another
    object does not prevent it, and with a free one it is below the gate, or the two would be
    matched.

    Two guards keep two live tracks from settling on one target: an unmatched tracklet may not live
    on at IoU > ``keep_iou`` with a matched or kept one, and no track starts at IoU > ``birth_iou``
    with a track of this frame.

    Pairs and guards hold within a class. An object's class is its best one; a track's is voted: in
    each frame in which it lives its class of that frame gets its score.

    Args:
        det_thr, keep_thr, new_thr: τ_det, τ_trk, τ_new (0.5 each in the paper).
        gate: smallest ``S`` of a match.
        miss_tolerance: frames that a lost tracklet is remembered (MOT17: 15).
        birth_iou, keep_iou: the guards.
        class_agnostic: pairs and guards hold between all classes, for classes that the detector
            mixes up.
        report: what a matched track gives out: its tracklet's box and score (``'tracklet'``,
            Sec. 3.2), or its object's box and the larger score (``'object'``).
    """

    det_thr: float = 0.5
    keep_thr: float = 0.5
    new_thr: float = 0.5
    gate: float = 0.5
    miss_tolerance: int = 30
    birth_iou: float = 0.6
    keep_iou: float = 0.6
    class_agnostic: bool = False
    report: str = 'tracklet'

    def __post_init__(self) -> None:
        if self.report not in ('tracklet', 'object'):
            raise ValueError(f"lifecycle.report={self.report!r} must be 'tracklet' or 'object'")

    def slots_needed(self, table: TrackTable, frame: FrameScores) -> int:
        """Most slots that the live tracklets and the tracks that this frame may start take up."""
        matches = self._assign(table, frame)
        return len(table.live) + len(self._candidates(frame, matches))

    def step(self, table: TrackTable, frame: FrameScores) -> FrameTracks:
        """Decide one frame.

        Args:
            table: the video's tracks before this frame; changed in place.
            frame: what the network says, ``Nt`` slots as in the table.

        Raises:
            FloatingPointError: if the network's scores or boxes are not finite.
            IndexError: if more tracks are born than slots are free.
        """
        for name, values in frame._asdict().items():
            if not np.isfinite(values).all():
                raise FloatingPointError(
                    f'{name} of this frame are not finite: the checkpoint is broken, or half '
                    'precision overflows (run without --amp)'
                )
        matches = self._assign(table, frame)
        kept = self._keep(table, frame, matches)
        present = np.concatenate([matches[:, 1], kept])
        self._age(table, present)
        born = self._give_birth(table, frame, self._candidates(frame, matches), present)
        table.vote(present, frame.tracklet_labels[present], frame.tracklet_scores[present])
        table.vote(born[:, 1], frame.object_labels[born[:, 0]], frame.object_scores[born[:, 0]])
        if self.report == 'object':
            frame = with_objects(frame, matches)
        return _report(table, frame, self._objects(frame), matches, present, born)

    def _objects(self, frame: FrameScores) -> np.ndarray:
        """Objects that count as detections."""
        return np.flatnonzero(frame.object_scores >= self.det_thr)

    def _assign(self, table: TrackTable, frame: FrameScores) -> np.ndarray:
        """One-to-one (object, slot) pairs ``(K, 2)``: tracklets of the frame before, then lost."""
        allowed = frame.association >= self.gate
        allowed &= self._comparable(frame.object_labels[:, None], table.labels)
        objects, live = self._objects(frame), table.live
        lost = table.misses[live] > 0
        first = best_pairs(frame.association, allowed, objects, live[~lost])
        left = np.setdiff1d(objects, first[:, 0])
        rest = best_pairs(frame.association, allowed, left, live[lost])
        return np.concatenate([first, rest])

    def _comparable(self, labels: np.ndarray | int, others: np.ndarray) -> np.ndarray:
        """bool: of one class, or classes do not matter."""
        return np.equal(labels, others) | self.class_agnostic

    def _keep(self, table: TrackTable, frame: FrameScores, matches: np.ndarray) -> np.ndarray:
        """Unmatched slots that live on by their own score, best first, where nobody is yet."""
        boxes, scores = frame.tracklet_boxes_xyxy, frame.tracklet_scores
        alive = list(matches[:, 1])
        unmatched = np.setdiff1d(table.live, matches[:, 1])
        for slot in unmatched[np.argsort(-scores[unmatched], kind='stable')]:
            if scores[slot] < self.keep_thr:
                break
            rivals = boxes[alive][self._comparable(table.labels[slot], table.labels[alive])]
            if _max_iou(boxes[slot], rivals) <= self.keep_iou:
                alive.append(slot)
        return np.array(alive[len(matches) :], dtype=np.int64)

    def _age(self, table: TrackTable, present: np.ndarray) -> None:
        """Count frames and misses; free the slots of tracklets that were lost for too long."""
        table.misses[table.live] += 1
        table.ages[table.live] += 1
        table.misses[present] = 0
        table.end(table.misses > self.miss_tolerance)

    def _candidates(self, frame: FrameScores, matches: np.ndarray) -> np.ndarray:
        """Objects that may start a track, best first."""
        confident = np.flatnonzero(frame.object_scores >= max(self.new_thr, self.det_thr))
        candidates = np.setdiff1d(confident, matches[:, 0])
        return candidates[np.argsort(-frame.object_scores[candidates], kind='stable')]

    def _give_birth(
        self, table: TrackTable, frame: FrameScores, candidates: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        """(object, slot) of each new track, ``(n, 2)``."""
        boxes = list(frame.tracklet_boxes_xyxy[present])
        labels = list(table.labels[present])
        born = []
        for index in candidates:
            box, label = frame.object_boxes_xyxy[index], int(frame.object_labels[index])
            comparable = self._comparable(label, np.array(labels, dtype=np.int64))
            if _max_iou(box, np.array(boxes).reshape(-1, 4)[comparable]) > self.birth_iou:
                continue
            born.append((index, table.start(label)))
            boxes.append(box)
            labels.append(label)
        return np.array(born, dtype=np.int64).reshape(-1, 2)


def best_pairs(
    association: np.ndarray, allowed: np.ndarray, objects: np.ndarray, slots: np.ndarray
) -> np.ndarray:
    """One-to-one allowed (object, slot) pairs with the largest sum of ``S``."""
    pairs = np.ix_(objects, slots)
    # before the assignment: two pairs below the gate must not outbid one above it
    rows, columns = linear_sum_assignment(
        np.where(allowed[pairs], association[pairs], 0), maximize=True
    )
    passed = allowed[pairs][rows, columns]
    return np.stack([objects[rows[passed]], slots[columns[passed]]], 1)


def with_objects(frame: FrameScores, matches: np.ndarray) -> FrameScores:
    """Matched tracklets with the boxes of their objects and the larger scores."""
    objects, slots = matches.T
    boxes, scores = frame.tracklet_boxes_xyxy.copy(), frame.tracklet_scores.copy()
    boxes[slots] = frame.object_boxes_xyxy[objects]
    scores[slots] = np.maximum(scores[slots], frame.object_scores[objects])
    return frame._replace(tracklet_boxes_xyxy=boxes, tracklet_scores=scores)


def _report(
    table: TrackTable,
    frame: FrameScores,
    objects: np.ndarray,
    matches: np.ndarray,
    present: np.ndarray,
    born: np.ndarray,
) -> FrameTracks:
    born_objects, born_slots = born.T
    slots = np.concatenate([present, born_slots])
    object_index = np.full(table.slots, -1, dtype=np.int64)
    object_index[matches[:, 1]] = matches[:, 0]
    object_index[born_slots] = born_objects
    return FrameTracks(
        slots=slots,
        ids=table.ids[slots],
        scores=np.concatenate([frame.tracklet_scores[present], frame.object_scores[born_objects]]),
        labels=table.labels[slots],
        ages=table.ages[slots],
        boxes_xyxy=np.concatenate(
            [frame.tracklet_boxes_xyxy[present], frame.object_boxes_xyxy[born_objects]]
        ),
        object_index=object_index,
        present=_mask(present, table.slots),
        born=_mask(born_slots, table.slots),
        valid=table.ids != NO_TRACK,
        objects=objects,
        matches=matches,
    )


def _mask(index: np.ndarray, length: int) -> np.ndarray:
    mask = np.zeros(length, dtype=bool)
    mask[index] = True
    return mask


def _max_iou(box_xyxy: np.ndarray, boxes_xyxy: np.ndarray) -> float:
    """Largest IoU of one box ``(4,)`` with ``(n, 4)``; 0 for none."""
    if len(boxes_xyxy) == 0:
        return 0.0
    return float(pair_iou(box_xyxy[None], boxes_xyxy).max())


def overlapping_pairs(boxes_xyxy: np.ndarray, iou: float) -> int:
    """Pairs of ``(n, 4)`` boxes that overlap by more than ``iou``: tracks that share a target."""
    if len(boxes_xyxy) < 2:
        return 0
    return int((np.triu(pair_iou(boxes_xyxy, boxes_xyxy), 1) > iou).sum())
