"""What is left to gain by association: detections that know whose they are."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from lamotr_mm.evaluation.association import UNKNOWN, frame_truth, identities

from ..registry import MODELS


@MODELS.register_module()
class PerfectIds:
    """A tracker for mmdet's ``ByteTrack`` that is told the ids by the ground truth.

    Each detection has the id of the target that its box overlaps (one to one, IoU >= `iou_thr`, of
    its class). One that overlaps none is a track of one frame: false positives stay. So no tracker
    that takes these detections, with this threshold, associates better.

    Args:
        score_thr: detections with a score above it take part (probability).
        iou_thr: least IoU with a target.
    """

    def __init__(self, score_thr: float = 0.5, iou_thr: float = 0.5) -> None:
        self.score_thr = score_thr
        self.iou_thr = iou_thr
        self._ids: dict[int, int] = {}
        self._count = 0

    def track(self, data_sample: DetDataSample, **kwargs: object) -> InstanceData:
        """Tracks of a frame.

        Args:
            data_sample: has ``pred_instances`` and the metainfo ``instances`` (``bbox`` xyxy px of
                the original image, ``bbox_label``, ``instance_id``, ``ignore_flag``).

        Raises:
            ValueError: there is no ground truth.
        """
        meta = data_sample.metainfo
        if 'instances' not in meta:
            raise ValueError("perfect ids need the ground truth, 'instances' in PackTrackInputs")
        if meta.get('frame_id') == 0:
            self._ids, self._count = {}, 0
        found = data_sample.pred_instances
        found = found[found.scores > self.score_thr]
        boxes, labels = found.bboxes.cpu().numpy(), found.labels.cpu().numpy()
        targets = np.full(len(boxes), UNKNOWN)
        for label in np.unique(labels):
            of_class = [i for i in meta['instances'] if i['bbox_label'] == label]
            truth = frame_truth(of_class)
            targets[labels == label] = identities(boxes[labels == label], truth, self.iou_thr)
        return InstanceData(
            bboxes=found.bboxes,
            scores=found.scores,
            labels=found.labels,
            instances_id=torch.tensor([self._track(int(i)) for i in targets], dtype=torch.long),
        )

    def _track(self, target: int) -> int:
        """Id of the target's track; a new one if it has none, or is none."""
        known = self._ids.get(target)
        if known is not None:
            return known
        self._count += 1
        if target >= 0:
            self._ids[target] = self._count
        return self._count
