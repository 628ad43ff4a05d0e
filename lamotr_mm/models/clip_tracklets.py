"""Which tracklets go from one training frame to the next (Sec. 4.2 and our decisions in its
silence).
"""

import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from torch import Tensor

from .structures import FrameOutput
from .targets import FrameTargets
from .tracklet_update import SlotDecisions


class ClipTracklets:
    """Matching to ground truth instead of the runtime lifecycle, while a clip is trained on.

    A target's tracklet is carried on, or born from the target's object, only while its score and
    IoU reach the thresholds (Sec. 4.2: tracked targets below 0.5 are excluded); an excluded
    tracklet's target is born again from its object. A tracklet whose target is absent stays,
    frozen, as at inference.

    Three disturbances make the tracklet decoder meet what it meets at inference; the paper has none
    of them (all default to 0).

    Args:
        score_thr, iou_thr: τ_det and τ_IoU.
        drop_prob: probability that a carried or newborn tracklet is dropped.
        miss_prob: probability that a tracklet is frozen although its target is there and was
            found, as if it had been missed. Finding a lost target again, which tracking asks for
            all the time, is else almost never a positive example. As MOTIP's occlusion of
            trajectories in training (Gao et al., CVPR 2025), which masks tokens instead.
        false_positive_prob: probability that a spare slot is filled with the best-scored object
            that has no target.
        spare_slots: number of such slots.
    """

    def __init__(
        self,
        score_thr: float = 0.5,
        iou_thr: float = 0.5,
        drop_prob: float = 0.0,
        miss_prob: float = 0.0,
        false_positive_prob: float = 0.0,
        spare_slots: int = 0,
    ) -> None:
        if false_positive_prob and not spare_slots:
            raise ValueError('false_positive_prob needs spare_slots >= 1 to insert tracklets into')
        self.score_thr = score_thr
        self.iou_thr = iou_thr
        self.drop_prob = drop_prob
        self.miss_prob = miss_prob
        self.false_positive_prob = false_positive_prob
        self.spare_slots = spare_slots

    @torch.no_grad()
    def decide(
        self, output: FrameOutput, valid: Tensor, targets: FrameTargets, matched_object: Tensor
    ) -> SlotDecisions:
        """Fate of each slot.

        Args:
            output: network output of the frame.
            valid: ``(B, K)`` bool, slots that entered the frame.
            targets: of the frame, in the same slots.
            matched_object: ``(B, K)`` int64, object of each slot's target by the final matching;
                -1: none.
        """
        split = output.num_objects
        logits, boxes = output.logits[-1].float(), output.boxes_cxcywh[-1].float()
        index = matched_object.clamp(min=0)[..., None]
        object_good = (matched_object >= 0) & self._reaches(
            logits[:, :split].gather(1, index.expand(-1, -1, logits.shape[-1])),
            boxes[:, :split].gather(1, index.expand(-1, -1, 4)),
            targets,
        )
        tracklet_good = self._reaches(logits[:, split:], boxes[:, split:], targets)

        kept = valid & targets.present & tracklet_good
        born = targets.present & ~kept & object_good
        absent = valid & ~targets.present
        survives = torch.rand(valid.shape, device=valid.device) >= self.drop_prob
        missed = torch.rand(valid.shape, device=valid.device) < self.miss_prob
        object_index = torch.where(object_good, matched_object, -1)
        decisions = SlotDecisions(
            object_index,
            present=kept & ~missed,
            born=born & survives,
            valid=((kept | born) & survives) | absent,
        )
        return self._insert_false_positives(decisions, logits[:, :split], matched_object)

    def _reaches(self, logits: Tensor, boxes_cxcywh: Tensor, targets: FrameTargets) -> Tensor:
        """``(B, K)`` bool: class score and IoU with the target's box reach the thresholds."""
        scores = logits.gather(2, targets.labels[..., None])[..., 0].sigmoid()
        overlaps = bbox_overlaps(
            bbox_cxcywh_to_xyxy(boxes_cxcywh),
            bbox_cxcywh_to_xyxy(targets.boxes_cxcywh),
            is_aligned=True,
        )
        return (scores >= self.score_thr) & (overlaps >= self.iou_thr)

    def _insert_false_positives(
        self, decisions: SlotDecisions, object_logits: Tensor, matched_object: Tensor
    ) -> SlotDecisions:
        """Fill spare slots anew, each with ``false_positive_prob``: the best unmatched objects.

        So an inserted tracklet lives one frame.
        """
        if not self.spare_slots:
            return decisions
        scores = object_logits.max(-1).values
        taken = torch.zeros_like(scores, dtype=torch.bool)
        for clip, matched in enumerate(matched_object):
            taken[clip, matched[matched >= 0]] = True
        best = scores.masked_fill(taken, -torch.inf).topk(self.spare_slots, dim=1).indices
        inserted = torch.rand(best.shape, device=best.device) < self.false_positive_prob
        spare = slice(-self.spare_slots, None)
        decisions.object_index[:, spare] = torch.where(inserted, best, -1)
        decisions.born[:, spare] = inserted
        decisions.valid[:, spare] = inserted
        return decisions
