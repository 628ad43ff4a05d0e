"""Separated Object-Tracklet Detection (Sec. 3.1)."""

import math
from typing import Any

import torch
from mmengine.model import BaseModule, bias_init_with_prob
from torch import Tensor, nn

from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState

from .layers.decoder import DABDeformableDecoder, DeformableDecoder, RefiningDecoder, refine
from .layers.deformable_attention import DeformableAttention
from .proposals import Proposals, QueryPrior
from .structures import Detections, FrameFeatures

# Side of an object's first box at initialisation, as a share of the image: as in Deformable DETR.
# The official DAB code leaves about 0.5, but deformable attention samples within the anchor, and
# targets are small. Pre-trained weights overwrite it anyway.
INITIAL_SIDE = 0.12
# Score of a query at initialisation, as in the focal loss.
PRIOR = 0.01


@MODELS.register_module()
class SOTDHead(BaseModule):
    """Detects all objects and, apart from them, the target of each tracklet.

    Object queries ``Q^obj`` (learned content and anchors) and tracklet queries ``Q^tck_{t-1}`` are
    concatenated (Sec. 3.1: 'form the input queries') and decoded together: joint self-attention in
    which padded tracklet slots are nobody's key. On the decoder of DAB-Deformable-DETR (Sec. 4.2),
    where an anchor box is a query's position.

    With ``takes_proposals`` (off in the paper), the first object queries of a frame start from a
    detector's boxes: the box is the anchor, the content is one learned embedding for all of them
    plus a linear map of the logit of the box's score. The others stay as they are, for what the
    detector misses. As in MOTRv2 (Zhang et al., CVPR 2023, Sec. 3.2), which encodes the score by
    sines. And as the box is learned as a difference from the anchor, so is the score from a prior:
    the detector's score of a proposal, 0.5 of a tracklet. With both differences 0, as at
    initialisation, objects are the detector's, in scenes as well that the training has not seen.

    Args:
        num_classes: number of foreground classes ``C``.
        num_queries: number of object queries ``Nd``.
        decoder: arguments of :attr:`decoder_class` (``num_layers``, ``layer_cfg``, ...).
        takes_proposals: whether a frame's features come with proposals.
        holds_proposals: boxes of objects that start from a proposal stay the detector's, only
            their scores are learned. What is learned of boxes in a few scenes makes them worse in
            others.
        separate_attention: objects attend to objects and tracklets to tracklets only, so that
            objects are decoded without regard to the tracks (not the paper's).
        with_cp: gradient checkpointing of the decoder layers.
    """

    decoder_class: type[RefiningDecoder] = DABDeformableDecoder

    def __init__(
        self,
        num_classes: int,
        num_queries: int,
        decoder: dict,
        takes_proposals: bool = False,
        holds_proposals: bool = False,
        separate_attention: bool = False,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if holds_proposals and not takes_proposals:
            raise ValueError('sotd_head.holds_proposals=True needs takes_proposals=True')
        self.num_queries = num_queries
        self.takes_proposals = takes_proposals
        self.holds_proposals = holds_proposals
        self.separate_attention = separate_attention
        self.decoder = self.decoder_class(**decoder, with_cp=with_cp)
        width, layers = self.decoder.embed_dims, self.decoder.num_layers
        self.num_heads = self.decoder.layers[0].self_attn.num_heads
        self.query_embedding = nn.Embedding(num_queries, width)
        if takes_proposals:
            self.proposal_embedding = nn.Embedding(1, width)
            self.proposal_score = nn.Linear(1, width)
        self._init_positions()
        self.cls_branches: Any = nn.ModuleList(nn.Linear(width, num_classes) for _ in range(layers))
        self.reg_branches: Any = nn.ModuleList(_box_branch(width) for _ in range(layers))

    def init_weights(self) -> None:
        """Xavier projections, focal-loss prior 0.01, box branches that start at the anchor."""
        super().init_weights()
        for parameter in self.decoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.modules():
            if isinstance(module, DeformableAttention):
                module.init_weights()
        for branch in self.cls_branches:
            nn.init.constant_(branch.bias, bias_init_with_prob(PRIOR))
            if self.takes_proposals:
                nn.init.zeros_(branch.weight)
        for branch in self.reg_branches:
            nn.init.zeros_(branch[-1].weight)
            nn.init.zeros_(branch[-1].bias)
        self._init_position_weights()

    def _init_positions(self) -> None:
        self.anchor_embedding = nn.Embedding(self.num_queries, 4)  # logits of cxcywh

    def _init_position_weights(self) -> None:
        with torch.no_grad():
            centres = torch.rand_like(self.anchor_embedding.weight[:, :2]).clamp(0.02, 0.98)
            self.anchor_embedding.weight[:, :2] = centres.logit()
            self.anchor_embedding.weight[:, 2:] = _logit(INITIAL_SIDE)

    def forward(
        self,
        features: FrameFeatures,
        tracklets: TrackletState,
        prior: QueryPrior | None = None,
    ) -> Detections:
        """``F_t``, ``Q^obj``, ``Q^tck`` of ``B`` frames -> ``E^obj``, ``E^tck`` and their boxes.

        Args:
            features, tracklets: of the frames.
            prior: of :meth:`prior`.
        """
        objects = self.query_embedding.weight.expand(len(tracklets.valid), -1, -1)
        anchors, position = self._positions(tracklets)
        if features.proposals is not None:
            objects, anchors = self._start_from(features.proposals, objects, anchors)
        queries = torch.cat([objects, tracklets.query], 1)
        decoded = self.decoder(
            queries,
            anchors,
            self._self_attn_mask(tracklets.valid),
            features,
            self.reg_branches,
            position,
            prior.held if prior else None,
        )
        logits = [branch(embed) for branch, embed in zip(self.cls_branches, decoded.embeds)]
        if prior:
            logits = [logit + prior.logits for logit in logits]
        return Detections(
            embeds=decoded.embeds[-1],
            # the first layer's anchors are learned; everything after them is detached already
            anchors_cxcywh=decoded.anchors_cxcywh[-1].detach(),
            logits=torch.stack(logits),
            boxes_cxcywh=decoded.boxes_cxcywh,
            queries=queries,
            entering_cxcywh=tracklets.anchor_cxcywh,
        )

    def _positions(self, tracklets: TrackletState) -> tuple[Tensor, Tensor | None]:
        """First anchors ``(B, Nd + Nt, 4)`` cxcywh and learned positions ``(B, Nd + Nt, d)``."""
        anchors = self.anchor_embedding.weight.sigmoid().expand(len(tracklets.valid), -1, -1)
        return torch.cat([anchors, tracklets.anchor_cxcywh], 1), None

    def _start_from(
        self, proposals: Proposals, objects: Tensor, anchors_cxcywh: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Contents ``(B, Nd, d)`` and anchors ``(B, Nd + Nt, 4)``, of which the first places are
        the proposals'."""
        places = proposals.scores.shape[1]
        taken = (proposals.scores > 0)[..., None]
        score = self.proposal_score(_score_logit(proposals))
        content = torch.where(taken, self.proposal_embedding.weight + score, objects[:, :places])
        anchors = torch.where(taken, proposals.boxes_cxcywh, anchors_cxcywh[:, :places])
        return (
            torch.cat([content, objects[:, places:]], 1),
            torch.cat([anchors, anchors_cxcywh[:, places:]], 1),
        )

    def prior(self, features: FrameFeatures, tracklets: TrackletState) -> QueryPrior | None:
        """What the proposals fix: logits that lift the score at initialisation to the detector's,
        or to 0.5 for tracklets, and boxes if ``holds_proposals``; None without proposals."""
        proposals = features.proposals
        if proposals is None:
            return None
        logit = _score_logit(proposals)
        logits = logit.new_zeros(len(logit), self.num_queries + tracklets.valid.shape[1], 1)
        taken = (proposals.scores > 0)[..., None]
        found = torch.where(taken, logit - _logit(PRIOR), 0)
        logits[:, : found.shape[1]] = found
        logits[:, self.num_queries :] = _logit(0.5) - _logit(PRIOR)
        if not self.holds_proposals:
            return QueryPrior(logits, None)
        held = torch.zeros_like(logits, dtype=torch.bool)
        held[:, : taken.shape[1]] = taken
        return QueryPrior(logits, held)

    def predict(
        self, embeds: Tensor, anchors_cxcywh: Tensor, prior: QueryPrior | None = None
    ) -> tuple[Tensor, Tensor]:
        """The detection head that SGLA shares (Sec. 3.2, 3.3): the branches of the last decoder
        layer.

        Args:
            embeds: ``(B, N, d)``.
            anchors_cxcywh: ``(B, N, 4)``, anchors that entered the last decoder layer, so that
                ``embeds = E`` gives exactly the decoder's last boxes.
            prior: of :meth:`prior`.

        Returns:
            Logits ``(B, N, C)`` and boxes ``(B, N, 4)`` cxcywh normalised.
        """
        branch, eps = self.reg_branches[-1], self.decoder.anchor_eps
        logits = self.cls_branches[-1](embeds)
        if prior is None:
            return logits, refine(branch, embeds, anchors_cxcywh, eps)
        return logits + prior.logits, refine(branch, embeds, anchors_cxcywh, eps, prior.held)

    def _self_attn_mask(self, valid: Tensor) -> Tensor:
        """``(B * heads, Nd + Nt, Nd + Nt)`` bool: padded slots are no keys. Object keys stay open,
        so that no row is masked as a whole; where they are closed to tracklets, a slot is open to
        itself."""
        keys = torch.cat([valid.new_ones(len(valid), self.num_queries), valid], 1)
        total = keys.shape[1]
        closed = (~keys)[:, None].expand(-1, total, -1)
        if self.separate_attention:
            place = torch.arange(total, device=valid.device)
            tracklet = place >= self.num_queries
            closed = closed | (tracklet[:, None] != tracklet)
            closed = closed & (place[:, None] != place)
        return closed[:, None].expand(-1, self.num_heads, -1, -1).flatten(0, 1)


@MODELS.register_module()
class DeformableSOTDHead(SOTDHead):
    """:class:`SOTDHead` on plain Deformable DETR: the rows with * of Tables 1-3.

    A query is content and a learned position. The paper does not say which position a tracklet
    query has; here it is that of the object query that the tracklet was last matched with (at
    birth: born from), and its first centre is that of its last box, as in MOTR.
    """

    decoder_class = DeformableDecoder

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.takes_proposals:
            raise ValueError(
                'DeformableSOTDHead cannot take proposals, its queries have no anchors: use '
                'SOTDHead, or set sotd_head.takes_proposals=False'
            )

    def _init_positions(self) -> None:
        self.position_embedding = nn.Embedding(self.num_queries, self.decoder.embed_dims)

    def _init_position_weights(self) -> None:
        nn.init.zeros_(self.decoder.reference_points.bias)
        # the first layer's sizes are absolute
        nn.init.constant_(self.reg_branches[0][-1].bias[2:], _logit(INITIAL_SIDE))

    def _positions(self, tracklets: TrackletState) -> tuple[Tensor, Tensor]:
        positions = self.position_embedding.weight
        centres = self.decoder.centres(positions)
        batch = len(tracklets.valid)
        centres = torch.cat([centres.expand(batch, -1, -1), tracklets.anchor_cxcywh[..., :2]], 1)
        anchors = torch.cat([centres, torch.full_like(centres, 0.5)], -1)
        return anchors, torch.cat([positions.expand(batch, -1, -1), positions[tracklets.source]], 1)


def _score_logit(proposals: Proposals) -> Tensor:
    """``(B, P, 1)``; scores of 0 and 1 have one, too."""
    return proposals.scores.clamp(1e-3, 1 - 1e-3).logit()[..., None]


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _box_branch(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, 4),
    )
