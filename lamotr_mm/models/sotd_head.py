"""Separated Object-Tracklet Detection (Sec. 3.1)."""

import math

import torch
from mmengine.model import BaseModule, bias_init_with_prob
from torch import Tensor, nn

from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState

from .layers.decoder import DABDeformableDecoder, refine
from .layers.deformable_attention import DeformableAttention
from .structures import Detections, FrameFeatures

# Side of an object anchor at initialisation, as a share of the image. Our choice for training from
# scratch: deformable attention samples within the anchor, and targets are small. The official code
# leaves about 0.5; pre-trained weights overwrite it anyway.
INITIAL_ANCHOR_SIDE = 0.12


@MODELS.register_module()
class SOTDHead(BaseModule):
    """Detects all objects and, apart from them, the target of each tracklet.

    Object queries ``Q^obj`` (learned content and anchors) and tracklet queries ``Q^tck_{t-1}`` are
    concatenated (Sec. 3.1: 'form the input queries') and decoded together: joint self-attention in
    which padded tracklet slots are nobody's key.

    Args:
        num_classes: number of foreground classes ``C``.
        num_queries: number of object queries ``Nd``.
        decoder: arguments of :class:`DABDeformableDecoder` (``num_layers``, ``layer_cfg``).
        with_cp: gradient checkpointing of the decoder layers.
    """

    def __init__(
        self,
        num_classes: int,
        num_queries: int,
        decoder: dict,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_queries = num_queries
        self.decoder = DABDeformableDecoder(**decoder, with_cp=with_cp)
        width, layers = self.decoder.embed_dims, self.decoder.num_layers
        self.num_heads = self.decoder.layers[0].self_attn.num_heads
        self.query_embedding = nn.Embedding(num_queries, width)
        self.anchor_embedding = nn.Embedding(num_queries, 4)  # logits of cxcywh
        self.cls_branches = nn.ModuleList(nn.Linear(width, num_classes) for _ in range(layers))
        self.reg_branches = nn.ModuleList(_box_branch(width) for _ in range(layers))

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
            nn.init.constant_(branch.bias, bias_init_with_prob(0.01))
        for branch in self.reg_branches:
            nn.init.zeros_(branch[-1].weight)
            nn.init.zeros_(branch[-1].bias)
        with torch.no_grad():
            centres = torch.rand_like(self.anchor_embedding.weight[:, :2]).clamp(0.02, 0.98)
            self.anchor_embedding.weight[:, :2] = centres.logit()
            self.anchor_embedding.weight[:, 2:] = math.log(
                INITIAL_ANCHOR_SIDE / (1 - INITIAL_ANCHOR_SIDE)
            )

    def forward(self, features: FrameFeatures, tracklets: TrackletState) -> Detections:
        """``F_t``, ``Q^obj``, ``Q^tck`` of ``B`` frames -> ``E^obj``, ``E^tck`` and their boxes."""
        batch = len(tracklets.valid)
        objects = self.query_embedding.weight.expand(batch, -1, -1)
        anchors = self.anchor_embedding.weight.sigmoid().expand(batch, -1, -1)
        decoded = self.decoder(
            torch.cat([objects, tracklets.query], 1),
            torch.cat([anchors, tracklets.anchor_cxcywh], 1),
            self._self_attn_mask(tracklets.valid),
            features,
            self.reg_branches,
        )
        logits = [branch(embed) for branch, embed in zip(self.cls_branches, decoded.embeds)]
        return Detections(
            embeds=decoded.embeds[-1],
            # the first layer's anchors are learned; everything after them is detached already
            anchors_cxcywh=decoded.anchors_cxcywh[-1].detach(),
            logits=torch.stack(logits),
            boxes_cxcywh=decoded.boxes_cxcywh,
        )

    def predict(self, embeds: Tensor, anchors_cxcywh: Tensor) -> tuple[Tensor, Tensor]:
        """The detection head that SGLA shares (Sec. 3.2, 3.3): the branches of the last decoder
        layer.

        Args:
            embeds: ``(B, N, d)``.
            anchors_cxcywh: ``(B, N, 4)``, anchors that entered the last decoder layer, so that
                ``embeds = E`` gives exactly the decoder's last boxes.

        Returns:
            Logits ``(B, N, C)`` and boxes ``(B, N, 4)`` cxcywh normalised.
        """
        return (
            self.cls_branches[-1](embeds),
            refine(self.reg_branches[-1](embeds), anchors_cxcywh),
        )

    def _self_attn_mask(self, valid: Tensor) -> Tensor:
        """``(B * heads, Nd + Nt, Nd + Nt)`` bool: padded slots are no keys. Object keys stay open,
        so that no row is masked as a whole."""
        keys = torch.cat([valid.new_ones(len(valid), self.num_queries), valid], 1)
        total = keys.shape[1]
        return (~keys)[:, None, None].expand(-1, self.num_heads, total, -1).flatten(0, 1)


def _box_branch(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, 4),
    )
