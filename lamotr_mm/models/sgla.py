"""Spatial-Guided Learnable Association (Sec. 3.2)."""

from collections.abc import Callable
from typing import Any

import torch
from mmcv.cnn.bricks.transformer import FFN
from mmdet.models.layers import MLP
from mmengine.model import BaseModule, bias_init_with_prob
from torch import Tensor, nn

from lamotr_mm.registry import MODELS

from .layers.pair_readout import pair_readout
from .precision import float32_island, widen
from .structures import Detections, FrameOutput

# (embeds (B, N, d), anchors_cxcywh (B, N, 4)) -> logits (B, N, C), boxes_cxcywh (B, N, 4)
DetectionHead = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class SpatialWeightedAttention(BaseModule):
    """One layer of Fig. 3: attention over objects and tracklets, biased by the association matrix.

    ``A = softmax(O W_Q (O W_K)^T / sqrt(d_k) + M W_asso)``, ``O <- LN(O + A O W_V W_O)``,
    ``O <- LN(O + FFN(O))`` (the block of the Edge-Augmented Graph Transformer that the paper builds
    on), ``M <- M + A W_upd``. The paper gives M for object-tracklet pairs only, so the
    object-tracklet block of the logits gets ``M W_asso``, the tracklet-object block its transpose,
    the other two get 0; and ``A W_upd`` reads the mean of the two blocks. :class:`SGLA` applies
    ``w_asso`` and ``w_upd``.
    """

    def __init__(self, embed_dims: int, num_heads: int, ffn_dims: int) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        self.num_heads = num_heads
        self.q_proj = nn.Linear(embed_dims, embed_dims)
        self.k_proj = nn.Linear(embed_dims, embed_dims)
        self.v_proj = nn.Linear(embed_dims, embed_dims)
        self.out_proj = nn.Linear(embed_dims, embed_dims)
        self.w_asso = nn.Linear(embed_dims, num_heads)
        self.w_upd = nn.Linear(num_heads, embed_dims)
        self.attn_norm = nn.LayerNorm(embed_dims)
        self.ffn = FFN(embed_dims, ffn_dims, num_fcs=2, ffn_drop=0.0)
        self.ffn_norm = nn.LayerNorm(embed_dims)

    def forward(self, embeds: Tensor, bias: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """One round of association.

        Args:
            embeds: ``O(l)``, ``(B, Nd + Nt, d)``.
            bias: ``(M(l) + E_diff(l)) W_asso``, ``(B, heads, Nd, Nt)``.
            valid: ``(B, Nt)`` bool; padded tracklets are nobody's key.

        Returns:
            ``O(l+1)``, and the mean of A's object-tracklet and tracklet-object blocks,
            ``(B, heads, Nd, Nt)``.
        """
        num_objects = bias.shape[2]
        q, k, v = (
            proj(embeds).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        logits = widen((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2))
        # in place: each pass over this matrix takes as long as the products
        logits[:, :, :num_objects, num_objects:] += bias
        logits[:, :, num_objects:, :num_objects] += bias.transpose(-1, -2)
        logits[..., num_objects:].masked_fill_(~valid[:, None, None], -torch.inf)
        attention = logits.softmax(-1)

        update = self.out_proj((attention @ v).transpose(1, 2).flatten(2))
        embeds = self.attn_norm(embeds + update)
        embeds = self.ffn_norm(self.ffn(embeds))

        object_tracklet = attention[:, :, :num_objects, num_objects:]
        tracklet_object = attention[:, :, num_objects:, :num_objects].transpose(-1, -2)
        return embeds, (object_tracklet + tracklet_object) / 2


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
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_layers: int = 4,
        ffn_dims: int = 1024,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.layers: Any = nn.ModuleList(
            SpatialWeightedAttention(embed_dims, num_heads, ffn_dims) for _ in range(num_layers)
        )
        self.deviation_mlp = MLP(4, embed_dims, embed_dims, 2)
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
        readers, readings = self._readers(boxes)
        all_logits, all_boxes = [], []
        for layer in self.layers:
            readings = readings + self._read_deviation(boxes, num_objects, readers)
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
        )

    @float32_island
    def _readers(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """All that reads M: ``W_asso`` of each layer, then ``w``.

        Returns:
            Weights ``(L * heads + 1, d)``, and what they read where H and A are 0: the biases that
            all pairs share, ``(1, L * heads + 1, 1, 1)``.
        """
        shared = like.new_zeros(self.score.in_features)
        constants = []
        for layer in self.layers:
            shared = shared + self.deviation_mlp.layers[1].bias
            constants.append(layer.w_asso(shared))
            shared = shared + layer.w_upd.bias
        constants.append(self.score(shared))
        weights = [layer.w_asso.weight for layer in self.layers] + [self.score.weight]
        return torch.cat(weights), torch.cat(constants)[None, :, None, None]

    @float32_island
    def _read_deviation(self, boxes_cxcywh: Tensor, num_objects: int, readers: Tensor) -> Tensor:
        """``readers W_2 relu(W_1 B_diff + b_1)`` of all pairs, ``(B, readers, Nd, Nt)``."""
        first, second = self.deviation_mlp.layers
        # W_1 (a - b) + b_1 = (W_1 a + b_1) - W_1 b: one product a box, none a pair
        rows, columns = (first.weight @ boxes_cxcywh.mT).tensor_split([num_objects], 2)
        return pair_readout(rows + first.bias[:, None], columns, readers @ second.weight)

    @staticmethod
    @float32_island
    def _read_attention(pairs: Tensor, weight: Tensor) -> Tensor:
        """``weight A``: ``(B, heads, ...)`` and ``(readers, heads)`` -> ``(B, readers, ...)``."""
        return (weight @ pairs.flatten(2)).unflatten(2, pairs.shape[2:])
