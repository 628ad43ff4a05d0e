"""Losses of Table 4's other rows: what differs from :class:`DecoupledTrackingLoss`."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lamotr_mm.registry import MODELS

from .criterion import DecoupledTrackingLoss
from .targets import FrameTargets


@MODELS.register_module()
class SingleDecoderLoss(DecoupledTrackingLoss):
    """MOTR's label assignment (Zeng et al., ECCV 2022, Sec. 3.3: tracklet-aware).

    Tracklets are matched by id. Objects are matched by the Hungarian algorithm, anew in each
    decoder layer, with the newborn targets alone: those without a tracklet that entered the frame.
    So an object on a target that is tracked is background. There is no association loss.

    Args:
        **kwargs: of :class:`DecoupledTrackingLoss`, but ``asso_weight``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(asso_weight=0.0, **kwargs)

    def _object_targets(self, targets: FrameTargets, valid: Tensor) -> FrameTargets:
        return targets._replace(present=targets.present & ~valid)


@MODELS.register_module()
class ContrastiveTrackingLoss(DecoupledTrackingLoss):
    """Teaches ``S`` to be larger for the tracklet of an object's target than for any other.

    FairMOT teaches its re-identification branch to classify the ids of the training set. Ids of
    clips that are drawn while training have no end, and mixed training sets no common list of them.
    So here the classes are the tracklets of the frame. Of an object whose target has a tracklet,

        ``L_asso = -log softmax_j(S_ij / τ)`` at the tracklet ``j`` of its target,

    a mean over such objects of a frame (over all clips and ranks): InfoNCE within a clip, as
    QDTrack's loss between two frames.

    Args:
        temperature: τ. As ``S`` is half a cosine similarity, 0.05 is the 0.1 of a cosine.
        **kwargs: of :class:`DecoupledTrackingLoss`.
    """

    def __init__(self, temperature: float = 0.05, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = temperature

    def _association(
        self, asso_logits: Tensor, pairs: Tensor, counted: Tensor, truth: Tensor
    ) -> tuple[Tensor, Tensor]:
        # finite: a softmax over none, where a clip has no tracklet, would be NaN
        logits = (asso_logits.sigmoid() / self.temperature).masked_fill(~pairs, -1e4)
        found = truth.any(2)
        loss = F.cross_entropy(logits[found], truth[found].float(), reduction='sum')
        # keeps the branch in the graph where no target has a tracklet
        return loss + asso_logits.sum() * 0, found.sum()
