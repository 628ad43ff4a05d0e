"""The life of a track at inference: birth, keep, lose, recover, end (Sec. 3.3 and our decisions in
its silence).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from mmdet.evaluation.functional import bbox_overlaps
from scipy.optimize import linear_sum_assignment

from .session import NO_TRACK, TrackTable


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
        scores, labels, boxes_xyxy: ``(n,)``, ``(n,)``, ``(n, 4)`` px; the tracklet's own, a
            newborn's are its object's.
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
    ``keep_thr``, else it is lost and ends after ``miss_tolerance`` frames in a row. An unmatched
    object with score >= ``new_thr``, and ``S`` below the gate to every tracklet, starts a track.

    Two guards keep two live tracks from settling on one target: an unmatched tracklet may not live
    on at IoU > ``keep_iou`` with a matched or kept one, and no track starts at IoU > ``birth_iou``
    with a track of this frame.

    Args:
        det_thr, keep_thr, new_thr: τ_det, τ_trk, τ_new (0.5 each in the paper).
        gate: smallest ``S`` of a match.
        miss_tolerance: frames that a lost tracklet is remembered (MOT17: 15).
        birth_iou, keep_iou: the guards.
    """

    det_thr: float = 0.5
    keep_thr: float = 0.5
    new_thr: float = 0.5
    gate: float = 0.5
    miss_tolerance: int = 30
    birth_iou: float = 0.6
    keep_iou: float = 0.6

    def slots_needed(self, table: TrackTable, frame: FrameScores) -> int:
        """Most slots that the live tracklets and the tracks that this frame may start take up."""
        return len(table.live) + len(self._candidates(table, frame))

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
        live = table.live
        objects = np.flatnonzero(frame.object_scores >= self.det_thr)
        candidates = self._candidates(table, frame)
        matches = self._assign(frame.association, objects, live, table.misses[live] > 0)
        kept = self._keep(frame, live, matches)
        present = np.concatenate([matches[:, 1], kept])
        self._age(table, live, present)
        born = self._give_birth(table, frame, candidates, present)
        return _report(table, frame, objects, matches, present, born)

    def _assign(
        self, association: np.ndarray, objects: np.ndarray, live: np.ndarray, lost: np.ndarray
    ) -> np.ndarray:
        """One-to-one (object, slot) pairs: tracklets of the frame before, then lost ones."""
        first = self._best_pairs(association, objects, live[~lost])
        left = np.setdiff1d(objects, first[:, 0])
        return np.concatenate([first, self._best_pairs(association, left, live[lost])])

    def _best_pairs(
        self, association: np.ndarray, objects: np.ndarray, slots: np.ndarray
    ) -> np.ndarray:
        """One-to-one (object, slot) pairs with the largest sum of ``S``, at least the gate each."""
        scores = association[np.ix_(objects, slots)]
        # before the assignment: two pairs below the gate must not outbid one above it
        scores = np.where(scores >= self.gate, scores, 0)
        rows, columns = linear_sum_assignment(scores, maximize=True)
        passed = scores[rows, columns] >= self.gate
        return np.stack([objects[rows[passed]], slots[columns[passed]]], 1)

    def _keep(self, frame: FrameScores, live: np.ndarray, matches: np.ndarray) -> np.ndarray:
        """Unmatched slots that live on by their own score, best first, where nobody is yet."""
        boxes, scores = frame.tracklet_boxes_xyxy, frame.tracklet_scores
        alive = list(matches[:, 1])
        unmatched = np.setdiff1d(live, matches[:, 1])
        for slot in unmatched[np.argsort(-scores[unmatched], kind='stable')]:
            if scores[slot] < self.keep_thr:
                break
            if _max_iou(boxes[slot], boxes[alive]) <= self.keep_iou:
                alive.append(slot)
        return np.array(alive[len(matches) :], dtype=np.int64)

    def _age(self, table: TrackTable, live: np.ndarray, present: np.ndarray) -> None:
        """Count misses and free the slots of tracklets that have been lost for too long."""
        table.misses[live] += 1
        table.misses[present] = 0
        table.end(table.misses > self.miss_tolerance)

    def _candidates(self, table: TrackTable, frame: FrameScores) -> np.ndarray:
        """Objects that may start a track, best first: ``S`` to every tracklet is below the gate."""
        claimed = (frame.association[:, table.live] >= self.gate).any(1)
        confident = frame.object_scores >= max(self.new_thr, self.det_thr)
        candidates = np.flatnonzero(confident & ~claimed)
        return candidates[np.argsort(-frame.object_scores[candidates], kind='stable')]

    def _give_birth(
        self, table: TrackTable, frame: FrameScores, candidates: np.ndarray, present: np.ndarray
    ) -> list[tuple[int, int]]:
        """(object, slot) of each new track."""
        taken = list(frame.tracklet_boxes_xyxy[present])
        born = []
        for index in candidates:
            box = frame.object_boxes_xyxy[index]
            if _max_iou(box, np.array(taken).reshape(-1, 4)) > self.birth_iou:
                continue
            born.append((int(index), table.start()))
            taken.append(box)
        return born


def _report(
    table: TrackTable,
    frame: FrameScores,
    objects: np.ndarray,
    matches: np.ndarray,
    present: np.ndarray,
    born: list[tuple[int, int]],
) -> FrameTracks:
    born_objects, born_slots = np.array(born, dtype=np.int64).reshape(-1, 2).T
    slots = np.concatenate([present, born_slots])
    object_index = np.full(table.slots, -1, dtype=np.int64)
    object_index[matches[:, 1]] = matches[:, 0]
    object_index[born_slots] = born_objects
    return FrameTracks(
        slots=slots,
        ids=table.ids[slots],
        scores=np.concatenate([frame.tracklet_scores[present], frame.object_scores[born_objects]]),
        labels=np.concatenate([frame.tracklet_labels[present], frame.object_labels[born_objects]]),
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
    return float(bbox_overlaps(box_xyxy[None], boxes_xyxy).max())


def overlapping_pairs(boxes_xyxy: np.ndarray, iou: float) -> int:
    """Pairs of ``(n, 4)`` boxes that overlap by more than ``iou``: tracks that share a target."""
    if len(boxes_xyxy) < 2:
        return 0
    return int((np.triu(bbox_overlaps(boxes_xyxy, boxes_xyxy), 1) > iou).sum())
