"""Spatial-Guided Learnable Association (Sec. 3.2)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from mmengine.model import BaseModule, bias_init_with_prob
from torch import Tensor, nn

from lamotr_mm.registry import MODELS

from .layers.relative_deviation import RelativeDeviation, ScaledDeviation
from .layers.spatial_attention import QUERIES, SpatialCrossAttention, SpatialWeightedAttention
from .precision import float32_island
from .structures import Detections, FrameOutput

SPATIAL_CUES = {'difference': RelativeDeviation, 'scaled': ScaledDeviation, 'none': None}

# (embeds (B, N, d), anchors_cxcywh (B, N, 4)) -> logits (B, N, C), boxes_cxcywh (B, N, 4)
DetectionHead = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@MODELS.register_module()
class SGLA(BaseModule):
    """Scores every object-tracklet pair while the two exchange information.

    In each of ``L`` layers: boxes of ``O(l)`` by the shared detection head -> pairwise differences
    ``B_diff`` -> relative deviation encoding ``E_diff = W_2 relu(W_1 B_diff + b_1) + b_2`` (one
    MLP, shared by the layers) -> ``M(l) + E_diff`` -> :class:`SpatialWeightedAttention`.
    ``M(0) = 0``; the scores are ``S = sigmoid(M(L) w)``.

    M, ``(Nd, Nt, d)``, is not stored. It enters linear maps only, the readers ``W_asso`` of each
    layer and ``w``, and is a sum of linear maps: of hidden units ``H = relu(W_1 B_diff + b_1)`` and
    of attention. So every reader is multiplied with ``W_2`` and ``W_upd`` first, and what it reads
    of M adds up layer by layer: ``readings += (readers W_2) H(l)``, then
    ``readings += (readers W_upd(l)) A(l)``, ``heads`` numbers a pair for each layer ahead and one
    for the score. Values and gradients are those of the paper's form, which the tests hold.

    Args:
        embed_dims: ``d``.
        num_heads: heads of the attention.
        num_layers: ``L``. Table 7's 50.29M parameters mean 4.
        ffn_dims: width of the feed-forward block.
        queries: what asks in the attention, ``'both'``: the concatenation, as in the paper;
            ``'objects'`` or ``'tracklets'``: cross-attention to the other side, the other rows of
            Table 5 (:class:`.SpatialCrossAttention`).
        spatial_cue: ``B_diff``, ``'difference'`` as in the paper; ``'scaled'``: in sizes of the
            tracklet's box (:func:`.scaled_differences`); ``'none'``: without ``E_diff``, 'SGLA w/o
            RSC' of Table 4. M is then made of attention alone.
        edge_update: what updates M, ``'attention'`` as in the paper or ``'logits'``
            (:class:`.SpatialWeightedAttention`).
        anchor_cue: ``M(0)`` is a second cue instead of 0 (off in the paper): the deviation of the
            objects' boxes from where each tracklet was seen last, its anchor before the decoder
            moved it, in sizes of that box, by an MLP of its own. ``B_diff`` is measured from where
            the tracklet is decoded; where that is on another target, nothing else would say so.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_layers: int = 4,
        ffn_dims: int = 1024,
        queries: str = 'both',
        spatial_cue: str = 'difference',
        edge_update: str = 'attention',
        anchor_cue: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if queries not in QUERIES:
            raise ValueError(f'sgla.queries={queries!r} must be one of {", ".join(QUERIES)}')
        if spatial_cue not in SPATIAL_CUES:
            raise ValueError(
                f'sgla.spatial_cue={spatial_cue!r} must be one of {", ".join(SPATIAL_CUES)}'
            )
        layer: Any = SpatialWeightedAttention
        if queries != 'both':
            layer = partial(SpatialCrossAttention, queries=queries)
        self.layers: Any = nn.ModuleList(
            layer(embed_dims, num_heads, ffn_dims, edge_update) for _ in range(num_layers)
        )
        cue = SPATIAL_CUES[spatial_cue]
        self.deviation_mlp = cue(embed_dims) if cue else None
        self.anchor_mlp = ScaledDeviation(embed_dims) if anchor_cue else None
        self.score = nn.Linear(embed_dims, 1)

    def init_weights(self) -> None:
        """Xavier for matrices; most pairs are no pair, so the score starts at 0.01."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.constant_(self.score.bias, bias_init_with_prob(0.01))

    def forward(self, detections: Detections, valid: Tensor, head: DetectionHead) -> FrameOutput:
        """Associate the objects and tracklets of ``B`` frames.

        Args:
            detections: of :class:`SOTDHead`; ``O(0) = E``.
            valid: ``(B, Nt)`` bool, tracklet slots that are no padding.
            head: :meth:`SOTDHead.predict`.
        """
        embeds, anchors = detections.embeds, detections.anchors_cxcywh
        boxes = detections.boxes_cxcywh[-1]
        num_objects = embeds.shape[1] - valid.shape[1]
        readers, readings, ahead = self._readers(boxes)
        readings = readings.expand(len(embeds), -1, num_objects, valid.shape[1])
        if self.anchor_mlp is not None:
            seen = torch.cat([boxes[:, :num_objects], detections.entering_cxcywh], 1)
            readings = readings + self.anchor_mlp.read(seen, num_objects, readers)
        all_logits, all_boxes, early = [], [], []
        for index, layer in enumerate(self.layers):
            if ahead is not None:
                early.append(readings[:, -1] - ahead[index])
            if self.deviation_mlp is not None:
                readings = readings + self.deviation_mlp.read(boxes, num_objects, readers)
            bias, readings = readings.tensor_split([layer.num_heads], 1)
            readers = readers[layer.num_heads :]
            embeds, pairs = layer(embeds, bias, valid)
            readings = readings + self._read_attention(pairs, readers @ layer.w_upd.weight)
            logits, boxes = head(embeds, anchors)
            all_logits.append(logits)
            all_boxes.append(boxes)
        return FrameOutput(
            detections=detections,
            embeds=embeds,
            logits=torch.stack(all_logits),
            boxes_cxcywh=torch.stack(all_boxes),
            asso_logits=readings.squeeze(1),
            early_asso_logits=torch.stack(early) if early else None,
        )

    @float32_island
    def _readers(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """All that reads M: ``W_asso`` of each layer, then ``w``.

        Returns:
            Weights ``(L * heads + 1, d)``; what they read where H and A are 0: the biases that
            all pairs share, ``(1, L * heads + 1, 1, 1)``; and in training ``(L,)``, how much of the
            last of them comes after ``M(0) .. M(L - 1)``.
        """
        shared = like.new_zeros(self.score.in_features)
        if self.anchor_mlp is not None:
            shared = shared + self.anchor_mlp.bias
        constants, scores = [], []
        for layer in self.layers:
            if self.training:
                scores.append(self.score(shared))
            if self.deviation_mlp is not None:
                shared = shared + self.deviation_mlp.bias
            constants.append(layer.w_asso(shared))
            shared = shared + layer.w_upd.bias
        constants.append(self.score(shared))
        weights = [layer.w_asso.weight for layer in self.layers] + [self.score.weight]
        ahead = constants[-1] - torch.cat(scores) if scores else None
        return torch.cat(weights), torch.cat(constants)[None, :, None, None], ahead

    @staticmethod
    @float32_island
    def _read_attention(pairs: Tensor, weight: Tensor) -> Tensor:
        """``weight A``: ``(B, heads, ...)`` and ``(readers, heads)`` -> ``(B, readers, ...)``."""
        return (weight @ pairs.flatten(2)).unflatten(2, pairs.shape[2:])
