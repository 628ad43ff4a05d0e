"""Decoders that refine anchors: DAB-Deformable-DETR's (Sec. 4.2) and plain Deformable DETR's."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.layers import MLP, DeformableDetrTransformerDecoder, inverse_sigmoid
from mmdet.models.layers.transformer import coordinate_to_encoding
from mmdet.models.layers.transformer.deformable_detr_layers import (
    DeformableDetrTransformerDecoderLayer,
)
from mmengine.model import ModuleList
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..precision import float32_island
from ..structures import FrameFeatures
from .deformable_attention import DeformableAttention, project_values


@float32_island
def refine(
    branch: nn.Module,
    embeds: Tensor,
    anchors_cxcywh: Tensor,
    eps: float,
    held: Tensor | None = None,
) -> Tensor:
    """Boxes ``(..., 4)`` in 0..1: anchors moved by the offsets in logit space that a box branch
    predicts; those of ``held (..., 1)`` bool are the anchors.
    """
    boxes = (branch(embeds) + inverse_sigmoid(anchors_cxcywh, eps=eps)).sigmoid()
    return boxes if held is None else torch.where(held, anchors_cxcywh.to(boxes.dtype), boxes)


class DecoderLayer(DeformableDetrTransformerDecoderLayer):
    """mmdet's layer with the cross-attention that is fused on the CPU as well."""

    self_attn_cfg: dict  # of mmdet's layer

    def _init_layers(self) -> None:
        # mmcv's default for this key is one dict for all calls, which another model's `dropout`
        # changes: a DETR of mmdet in the same process would bring its dropout into this layer
        dropout_layer = dict(type='Dropout', drop_prob=0.0)
        self.self_attn_cfg = {'dropout_layer': dropout_layer, **self.self_attn_cfg}
        super()._init_layers()
        self.cross_attn = DeformableAttention(**self.cross_attn_cfg)


class DecoderOutput(NamedTuple):
    """Stacked over the decoder layers: embeddings ``(layers, B, N, d)``, anchors that entered each
    layer and boxes that left it ``(layers, B, N, 4)`` cxcywh normalised."""

    embeds: Tensor
    anchors_cxcywh: Tensor
    boxes_cxcywh: Tensor


class RefiningDecoder(DeformableDetrTransformerDecoder):
    """Decodes layer by layer; the boxes that leave a layer are the anchors of the next one.

    A subclass says where a layer looks and what the position part of a query is.

    Args:
        anchor_eps: shares of the image are kept so far from 0 and 1 before their logit is taken;
            weights expect that of the code that trained them.
        with_cp: recompute each layer in the backward pass, to save memory.
        others: ``num_layers`` and ``layer_cfg`` of mmdet's decoder.
    """

    def __init__(self, *args: Any, anchor_eps: float, with_cp: bool = False, **kwargs: Any) -> None:
        self.anchor_eps = anchor_eps
        self.with_cp = with_cp
        super().__init__(*args, post_norm_cfg=None, **kwargs)

    def _init_layers(self) -> None:
        self.layers = ModuleList(DecoderLayer(**self.layer_cfg) for _ in range(self.num_layers))
        self.embed_dims = self.layers[0].embed_dims

    def references(self, index: int, anchors_cxcywh: Tensor) -> Tensor:
        """What cross-attention of layer ``index`` is told of the anchors ``(B, N, 4)``: cxcywh, or
        the centres ``(B, N, 2)`` alone.
        """
        raise NotImplementedError

    def query_position(
        self, index: int, query: Tensor, position: Tensor | None, references: Tensor
    ) -> Tensor:
        """Position part of the queries in layer ``index``, ``(B, N, d)``.

        Args:
            index: of the layer, from 0.
            query: content, ``(B, N, d)``.
            position: as :meth:`forward` got it.
            references: ``(B, N, 2 or 4)``, shares of the *padded* image.
        """
        raise NotImplementedError

    def values(self, features: FrameFeatures) -> list[Tensor] | None:
        """Of the cross-attention of each layer, ``(N, S, d)``, in one product; None where layers
        are recomputed in the backward pass, which then need not be kept.
        """
        if self.with_cp and self.training:
            return None
        attentions = [layer.cross_attn for layer in self.layers]
        return project_values(attentions, features.memory, features.padding_mask)

    def forward(
        self,
        query: Tensor,
        anchors_cxcywh: Tensor,
        self_attn_mask: Tensor,
        features: FrameFeatures,
        reg_branches: nn.ModuleList,
        position: Tensor | None = None,
        held: Tensor | None = None,
    ) -> DecoderOutput:
        """Decode ``N`` queries of ``B`` frames.

        Args:
            query: content, ``(B, N, d)``.
            anchors_cxcywh: ``(B, N, 4)``, normalised by the image shape.
            self_attn_mask: ``(B * heads, N, N)`` bool, ``True`` where attention is forbidden.
            features: of the ``B`` frames.
            reg_branches: one box branch ``(…, d) -> (…, 4)`` a layer.
            position: learned position part of the queries, ``(B, N, d)``, where there is one.
            held: ``(B, N, 1)`` bool, queries whose anchors do not move; None: all do.
        """
        ratios = features.valid_ratios.repeat(1, 1, 2)[:, None]
        values: Sequence[Tensor | None] = (
            features.values or self.values(features) or [None] * len(self.layers)
        )
        embeds, anchors, boxes = [], [], []
        for index, (layer, branch) in enumerate(zip(self.layers, reg_branches)):
            references = self.references(index, anchors_cxcywh)[:, :, None]
            references = references * ratios[..., : references.shape[-1]]
            query = self._run(
                layer,
                query,
                query_pos=self.query_position(index, query, position, references[:, :, 0]),
                value=features.memory,
                projected=values[index],
                key_padding_mask=features.padding_mask,
                self_attn_mask=self_attn_mask,
                reference_points=references,
                spatial_shapes=features.spatial_shapes,
                level_start_index=features.level_start_index,
                level_shapes=features.level_shapes,
            )
            embeds.append(query)
            anchors.append(anchors_cxcywh)
            boxes.append(refine(branch, query, anchors_cxcywh, self.anchor_eps, held))
            anchors_cxcywh = boxes[-1].detach()
        return DecoderOutput(torch.stack(embeds), torch.stack(anchors), torch.stack(boxes))

    def _run(self, layer: nn.Module, query: Tensor, **kwargs: Any) -> Tensor:
        if self.with_cp and self.training:
            return checkpoint(layer, query, use_reentrant=False, **kwargs)
        return layer(query, **kwargs)


class DABDeformableDecoder(RefiningDecoder):
    """DAB-Deformable-DETR's (arXiv 2201.12329), which mmdet does not have: queries = content +
    anchor box.

    The position part of a query is the sine encoding of its anchor (order y, x, w, h) through
    ``ref_point_head``, modulated by ``query_scale`` of the content from the second layer on.

    Args:
        temperature: of the sine encoding.
        others: as in :class:`RefiningDecoder`; the official code has ``anchor_eps=1e-3``.
    """

    def __init__(
        self, *args: Any, anchor_eps: float = 1e-3, temperature: float = 10000, **kwargs: Any
    ) -> None:
        self.temperature = temperature
        super().__init__(*args, anchor_eps=anchor_eps, **kwargs)

    def _init_layers(self) -> None:
        super()._init_layers()
        self.ref_point_head = MLP(2 * self.embed_dims, self.embed_dims, self.embed_dims, 2)
        self.query_scale = MLP(self.embed_dims, self.embed_dims, self.embed_dims, 2)

    def references(self, index: int, anchors_cxcywh: Tensor) -> Tensor:
        """The whole anchors, in every layer."""
        return anchors_cxcywh

    def query_position(
        self, index: int, query: Tensor, position: Tensor | None, references: Tensor
    ) -> Tensor:
        """Encoding of the anchors, scaled by the content."""
        encoding = coordinate_to_encoding(references, self.embed_dims // 2, self.temperature)
        encoded = self.ref_point_head(encoding.to(query.dtype))
        return encoded * self.query_scale(query) if index > 0 else encoded


class DeformableDecoder(RefiningDecoder):
    """Plain Deformable DETR's with iterative refinement (arXiv 2010.04159, A.4): the rows with *
    of Tables 1-3.

    The position part of a query is learned and the same in all layers; ``reference_points`` makes
    the first centre of it. The first layer knows centres only, its boxes' sizes start at half
    the image (logit 0).

    Args:
        others: as in :class:`RefiningDecoder`; the official code has ``anchor_eps=1e-5``.
    """

    def __init__(self, *args: Any, anchor_eps: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(*args, anchor_eps=anchor_eps, **kwargs)

    def _init_layers(self) -> None:
        super()._init_layers()
        self.reference_points = nn.Linear(self.embed_dims, 2)

    @float32_island
    def centres(self, positions: Tensor) -> Tensor:
        """First centres ``(N, 2)`` in 0..1 of queries with learned positions ``(N, d)``."""
        return self.reference_points(positions).sigmoid()

    def references(self, index: int, anchors_cxcywh: Tensor) -> Tensor:
        """Centres in the first layer, boxes in the others."""
        return anchors_cxcywh if index > 0 else anchors_cxcywh[..., :2]

    def query_position(
        self, index: int, query: Tensor, position: Tensor | None, references: Tensor
    ) -> Tensor:
        """The learned one."""
        assert position is not None
        return position
