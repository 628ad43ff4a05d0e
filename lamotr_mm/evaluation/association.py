"""How well the association scores S tell which object is which tracklet (Sec. 3.2)."""

import numpy as np
from mmdet.evaluation import bbox_overlaps
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

UNKNOWN, IGNORED = -1, -2
# boxes (N, 4) xyxy px, ids (N,), ignored (N,) bool
Truth = tuple[np.ndarray, np.ndarray, np.ndarray]


class AssociationCounter:
    """Counts true and false pairs of S over tracked frames with ground truth.

    An object has the identity of the ground truth that its box overlaps (one to one, IoU >=
    `iou_thr`). A tracklet has the one that its box had in the last frame in which it was output on
    a target. A pair is true if the identities are the same; pairs with an object on ignored ground
    truth, and of two boxes without an identity, do not count.

    Args:
        gate (float): A pair is predicted where S >= gate.
        iou_thr (float): Least IoU of a box with its ground truth.
    """

    NAMES = ('asso_tp', 'asso_fp', 'asso_fn', 'tck_carried', 'tck_total', 'pairs', 'frames')

    def __init__(self, gate: float, iou_thr: float) -> None:
        self.gate = gate
        self.iou_thr = iou_thr
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self.counts = dict.fromkeys(self.NAMES, 0)
        self._video_id = None
        self._identity: dict[int, int] = {}

    def add(self, frame: DetDataSample) -> None:
        """Count one tracked frame; the frames of a video come in order.

        Args:
            frame (DetDataSample): Has ``pred_track_instances`` and the metainfo ``association``
                (``scores`` ``(No, Nt)``, ``object_bboxes`` ``(No, 4)`` xyxy px of the original
                image, ``tracklet_ids`` ``(Nt,)``, ``matches`` ``(K, 2)``,
                ``overlapping_live_pairs``) and ``instances`` (``bbox`` xyxy px, ``instance_id``,
                ``ignore_flag``). Without these two it is passed over.
        """
        meta = frame.metainfo
        if 'association' not in meta or 'instances' not in meta:
            return
        if meta.get('frame_id') == 0 or meta.get('video_id') != self._video_id:
            self._identity = {}
            self._video_id = meta.get('video_id')
        truth = frame_truth(meta['instances'])
        association = meta['association']
        objects = identities(association['object_bboxes'], truth, self.iou_thr)
        tracklets = np.array(
            [self._identity.get(int(i), UNKNOWN) for i in association['tracklet_ids']],
            dtype=np.int64,
        )
        self._count_pairs(association['scores'], objects, tracklets)
        self._count_carried(association['matches'], objects, tracklets, truth)
        self.counts['pairs'] += int(association['overlapping_live_pairs'])
        self.counts['frames'] += 1
        self._remember(frame.pred_track_instances, truth)

    def _count_pairs(self, scores: ArrayLike, objects: np.ndarray, tracklets: np.ndarray) -> None:
        predicted = np.asarray(scores).reshape(len(objects), len(tracklets)) >= self.gate
        objects, tracklets = objects[:, None], tracklets[None]
        true = (objects == tracklets) & (objects >= 0)
        counted = (objects != IGNORED) & ((objects >= 0) | (tracklets >= 0))
        self.counts['asso_tp'] += int((predicted & true).sum())
        self.counts['asso_fp'] += int((predicted & ~true & counted).sum())
        self.counts['asso_fn'] += int((~predicted & true).sum())

    def _count_carried(
        self, matches: ArrayLike, objects: np.ndarray, tracklets: np.ndarray, truth: Truth
    ) -> None:
        """Tracklets whose target is in the frame, and those of them that were matched to it."""
        _, ids, ignored = truth
        pairs = np.asarray(matches, dtype=np.int64).reshape(-1, 2)
        matched_to = np.full(len(tracklets), UNKNOWN)
        matched_to[pairs[:, 1]] = objects[pairs[:, 0]]
        present = np.isin(tracklets, ids[~ignored])
        self.counts['tck_total'] += int(present.sum())
        self.counts['tck_carried'] += int((present & (matched_to == tracklets)).sum())

    def _remember(self, tracks: InstanceData, truth: Truth) -> None:
        found = identities(tracks.bboxes.cpu().numpy(), truth, self.iou_thr)
        for track_id, identity in zip(tracks.instances_id.tolist(), found.tolist()):
            if identity >= 0:
                self._identity[track_id] = identity


def identities(boxes_xyxy: np.ndarray, truth: Truth, iou_thr: float) -> np.ndarray:
    """Whose each box is: that of the ground truth which it overlaps, one to one.

    Args:
        boxes_xyxy (ndarray): ``(N, 4)`` px.
        truth (Truth): Of :func:`frame_truth`.
        iou_thr (float): Least IoU.

    Returns:
        ndarray: ``(N,)`` ids, `IGNORED` (only on ignored ground truth) or `UNKNOWN`.
    """
    truth_xyxy, ids, ignored = truth
    ious = bbox_overlaps(np.asarray(boxes_xyxy).reshape(-1, 4), truth_xyxy)
    ious = np.where(ious >= iou_thr, ious, 0)
    found = np.where((ious[:, ignored] > 0).any(1), IGNORED, UNKNOWN)
    scored = ious[:, ~ignored]
    rows, columns = linear_sum_assignment(scored, maximize=True)
    hit = scored[rows, columns] > 0
    found[rows[hit]] = ids[~ignored][columns[hit]]
    return found


def frame_truth(instances: list[dict]) -> Truth:
    """Boxes ``(N, 4)`` xyxy px, ids ``(N,)``, ignored ``(N,)`` bool of a frame's ``instances``."""
    boxes = np.array([i['bbox'] for i in instances], dtype=np.float64).reshape(-1, 4)
    ids = np.array([i['instance_id'] for i in instances], dtype=np.int64)
    return boxes, ids, np.array([bool(i.get('ignore_flag')) for i in instances], dtype=bool)


def association_scores(counts: dict[str, float]) -> dict[str, float]:
    """Precision, recall and F1 of S and the share of tracklets carried on.

    Args:
        counts (dict[str, float]): `AssociationCounter.NAMES`; ``pairs`` and ``frames`` may be
            missing.

    Returns:
        dict[str, float]: ``asso_precision``, ``asso_recall``, ``asso_f1`` (0 where nothing was
        predicted, or nothing true), ``asso_carried`` and ``overlapping_live_pairs`` (mean per
        frame). A value whose denominator has no case at all is left out.
    """
    tp, fp, fn = (counts[name] for name in ('asso_tp', 'asso_fp', 'asso_fn'))
    scores = {}
    if tp + fp + fn > 0:
        scores['asso_precision'] = tp / max(tp + fp, 1)
        scores['asso_recall'] = tp / max(tp + fn, 1)
        scores['asso_f1'] = 2 * tp / (2 * tp + fp + fn)
    if counts['tck_total'] > 0:
        scores['asso_carried'] = counts['tck_carried'] / counts['tck_total']
    if counts.get('frames', 0) > 0:
        scores['overlapping_live_pairs'] = counts['pairs'] / counts['frames']
    return scores
