"""Table 4: what stands in SGLA's place on the detections of SOTD.

Without SGLA nothing follows the decoder, so the detections of its last layer are the frame's
prediction and ``O = E``. ``S`` is a similarity by hand in 0..1, so that the lifecycle, the monitors
and the pictures need not know where it comes from.
"""

import torch
import torch.nn.functional as F
from mmdet.models.layers import MLP
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from mmengine.model import BaseModule
from torch import Tensor

from lamotr_mm.registry import MODELS

from .precision import float32_island, widen
from .sgla import DetectionHead
from .structures import Detections, FrameOutput

# keeps the logits of S = 0 and S = 1 finite; S is off by no more than this
EPS = 1e-6


class _Association(BaseModule):
    """A similarity of objects and tracklets as ``S``, and the last decoder layer as prediction."""

    def forward(self, detections: Detections, valid: Tensor, head: DetectionHead) -> FrameOutput:
        """As :meth:`SGLA.forward`; the ``head`` is not needed."""
        logits, boxes = detections.logits, detections.boxes_cxcywh
        return FrameOutput(
            # the layers before the last are left for the auxiliary losses
            detections=detections._replace(logits=logits[:-1], boxes_cxcywh=boxes[:-1]),
            embeds=detections.embeds,
            logits=logits[-1:],
            boxes_cxcywh=boxes[-1:],
            asso_logits=self.similarity(detections, valid.shape[1]).logit(EPS),
        )

    def similarity(self, detections: Detections, num_tracklets: int) -> Tensor:
        """``S``, ``(B, Nd, Nt)`` in 0..1, float32 or wider."""
        raise NotImplementedError


@MODELS.register_module()
class NoAssociation(_Association):
    """Single decoder (MOTR, Zeng et al., ECCV 2022): ``S = 0``, nobody is matched.

    A tracklet query carries its target's identity, and lives by its own score; an object query
    finds newborns only, which :class:`SingleDecoderLoss` teaches it.
    """

    def similarity(self, detections: Detections, num_tracklets: int) -> Tensor:
        """0."""
        batch, queries = detections.embeds.shape[:2]
        return detections.anchors_cxcywh.new_zeros(batch, queries - num_tracklets, num_tracklets)


@MODELS.register_module()
class IoUAssociation(_Association):
    """``S``: IoU of the boxes of objects and of tracklets, both of this frame; without gradient.

    ByteTrack (Zhang et al., ECCV 2022) compares detections with the boxes that a Kalman filter
    predicts for its tracks. SOTD has detected the tracklets in this frame already, and the paper
    compares ways of association 'following object and tracklet detections': so the box that the
    decoder finds for a tracklet takes the place of the filter's.
    """

    @torch.no_grad()
    def similarity(self, detections: Detections, num_tracklets: int) -> Tensor:
        """IoU."""
        boxes_xyxy = bbox_cxcywh_to_xyxy(widen(detections.boxes_cxcywh[-1]))
        return bbox_overlaps(*_sides(boxes_xyxy, num_tracklets))


@MODELS.register_module()
class FeatureAssociation(_Association):
    """``S = (1 + cos(f^obj, f^tck)) / 2``: cosine similarity of appearance features.

    A re-identification branch beside the detection branches, as in FairMOT (Zhang et al., IJCV
    2021): an MLP makes features of ``E^obj`` and ``E^tck``. FairMOT compares an object with the
    running mean of its track's features; here the tracklet's own embedding is what it remembers.
    :class:`ContrastiveTrackingLoss` teaches the branch.

    Args:
        embed_dims: ``d``.
        feature_dims: length of a feature vector; FairMOT's is 128.
    """

    def __init__(
        self, embed_dims: int = 256, feature_dims: int = 128, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.reid_branch = MLP(embed_dims, embed_dims, feature_dims, 2)

    def similarity(self, detections: Detections, num_tracklets: int) -> Tensor:
        """Cosine similarity, mapped to 0..1."""
        return self._cosine(detections.embeds, num_tracklets) / 2 + 0.5

    @float32_island
    def _cosine(self, embeds: Tensor, num_tracklets: int) -> Tensor:
        features = F.normalize(self.reid_branch(embeds), dim=-1)
        objects, tracklets = _sides(features, num_tracklets)
        return objects @ tracklets.mT


@MODELS.register_module()
class CombinedAssociation(FeatureAssociation):
    """``S``: mean of :class:`IoUAssociation`'s and :class:`FeatureAssociation`'s.

    The paper does not say how it combines the two. A weighted sum is DeepSORT's and FairMOT's way;
    the weights are equal here, as both lie in 0..1.
    """

    def __init__(
        self, embed_dims: int = 256, feature_dims: int = 128, init_cfg: dict | None = None
    ) -> None:
        super().__init__(embed_dims, feature_dims, init_cfg)
        self.iou = IoUAssociation()

    def similarity(self, detections: Detections, num_tracklets: int) -> Tensor:
        """The mean."""
        appearance = super().similarity(detections, num_tracklets)
        return (appearance + self.iou.similarity(detections, num_tracklets)) / 2


def _sides(values: Tensor, num_tracklets: int) -> tuple[Tensor, Tensor]:
    """``(B, Nd + Nt, c)`` of the objects and of the tracklets, of which there may be none."""
    objects, tracklets = values.tensor_split([values.shape[1] - num_tracklets], 1)
    return objects, tracklets
