"""DAB-Deformable-DETR's decoder (Sec. 4.2; arXiv 2201.12329), which mmdet does not have."""

from typing import NamedTuple

import torch
from mmdet.models.layers import MLP, DeformableDetrTransformerDecoder, inverse_sigmoid
from mmdet.models.layers.transformer import coordinate_to_encoding
from mmdet.models.layers.transformer.deformable_detr_layers import (
    DeformableDetrTransformerDecoderLayer,
)
from mmengine.model import ModuleList
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..structures import FrameFeatures
from .deformable_attention import DeformableAttention

# of the official DAB code, which its weights expect; Deformable DETR has 1e-5
ANCHOR_EPS = 1e-3


def refine(offsets: Tensor, anchors_cxcywh: Tensor) -> Tensor:
    """Boxes ``(..., 4)`` in 0..1: anchors moved by predicted offsets in logit space."""
    return (offsets + inverse_sigmoid(anchors_cxcywh, eps=ANCHOR_EPS)).sigmoid()


class DecoderLayer(DeformableDetrTransformerDecoderLayer):
    """mmdet's layer with the cross-attention that is fused on the CPU as well."""

    def _init_layers(self) -> None:
        super()._init_layers()
        self.cross_attn = DeformableAttention(**self.cross_attn_cfg)


class DecoderOutput(NamedTuple):
    """Stacked over the decoder layers: embeddings ``(layers, B, N, d)``, anchors that entered each
    layer and boxes that left it ``(layers, B, N, 4)`` cxcywh normalised."""

    embeds: Tensor
    anchors_cxcywh: Tensor
    boxes_cxcywh: Tensor


class DABDeformableDecoder(DeformableDetrTransformerDecoder):
    """Queries = content + anchor box; each layer refines the anchor for the next one.

    The position part of a query is the sine encoding of its anchor (order y, x, w, h) through
    ``ref_point_head``, modulated by ``query_scale`` of the content from the second layer on.

    Args:
        with_cp: recompute each layer in the backward pass, to save memory.
    """

    def __init__(self, *args, with_cp: bool = False, **kwargs) -> None:
        self.with_cp = with_cp
        super().__init__(*args, post_norm_cfg=None, **kwargs)

    def _init_layers(self) -> None:
        self.layers = ModuleList(DecoderLayer(**self.layer_cfg) for _ in range(self.num_layers))
        self.embed_dims = self.layers[0].embed_dims
        self.ref_point_head = MLP(2 * self.embed_dims, self.embed_dims, self.embed_dims, 2)
        self.query_scale = MLP(self.embed_dims, self.embed_dims, self.embed_dims, 2)

    def forward(
        self,
        query: Tensor,
        anchors_cxcywh: Tensor,
        self_attn_mask: Tensor,
        features: FrameFeatures,
        reg_branches: nn.ModuleList,
    ) -> DecoderOutput:
        """Decode ``N`` queries of ``B`` frames.

        Args:
            query: content, ``(B, N, d)``.
            anchors_cxcywh: ``(B, N, 4)``, normalised by the image shape.
            self_attn_mask: ``(B * heads, N, N)`` bool, ``True`` where attention is forbidden.
            features: of the ``B`` frames.
            reg_branches: one box branch ``(…, d) -> (…, 4)`` a layer.
        """
        ratios = features.valid_ratios.repeat(1, 1, 2)[:, None]
        embeds, anchors, boxes = [], [], []
        for index, (layer, branch) in enumerate(zip(self.layers, reg_branches)):
            reference_points = anchors_cxcywh[:, :, None] * ratios
            position = self.ref_point_head(
                coordinate_to_encoding(
                    reference_points[:, :, 0], num_feats=self.embed_dims // 2
                ).to(query.dtype)
            )
            if index > 0:
                position = position * self.query_scale(query)
            query = self._run(
                layer,
                query,
                query_pos=position,
                value=features.memory,
                key_padding_mask=features.padding_mask,
                self_attn_mask=self_attn_mask,
                reference_points=reference_points,
                spatial_shapes=features.spatial_shapes,
                level_start_index=features.level_start_index,
            )
            embeds.append(query)
            anchors.append(anchors_cxcywh)
            boxes.append(refine(branch(query), anchors_cxcywh))
            anchors_cxcywh = boxes[-1].detach()
        return DecoderOutput(torch.stack(embeds), torch.stack(anchors), torch.stack(boxes))

    def _run(self, layer: nn.Module, query: Tensor, **kwargs) -> Tensor:
        if self.with_cp and self.training:
            return checkpoint(layer, query, use_reentrant=False, **kwargs)
        return layer(query, **kwargs)
