"""Spatial-Guided Learnable Association (Sec. 3.2)."""

from collections.abc import Callable

import torch
from mmcv.cnn.bricks.transformer import FFN
from mmdet.models.layers import MLP
from mmengine.model import BaseModule, bias_init_with_prob
from torch import Tensor, nn

from lamotr_mm.registry import MODELS

from .structures import Detections, FrameOutput

# (embeds (B, N, d), anchors_cxcywh (B, N, 4)) -> logits (B, N, C), boxes_cxcywh (B, N, 4)
DetectionHead = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class SpatialWeightedAttention(BaseModule):
    """One layer of Fig. 3: attention over objects and tracklets, biased by the association matrix.

    ``A = softmax(O W_Q (O W_K)^T / sqrt(d_k) + M W_asso)``, ``O <- LN(O + A O W_V W_O)``,
    ``O <- LN(O + FFN(O))`` (the block of the Edge-Augmented Graph Transformer that the paper builds
    on), ``M <- M + A W_upd``. The paper gives M for object-tracklet pairs only, so the
    object-tracklet block of the logits gets ``M W_asso``, the tracklet-object block its transpose,
    the other two get 0; and ``A W_upd`` reads the mean of the two blocks.
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

    def forward(self, embeds: Tensor, asso: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """One round of association.

        Args:
            embeds: ``O(l)``, ``(B, Nd + Nt, d)``.
            asso: ``M(l) + E_diff(l)``, ``(B, Nd, Nt, d)``.
            valid: ``(B, Nt)`` bool; padded tracklets are nobody's key.

        Returns:
            ``O(l+1)`` and ``M(l+1)``, of the same shapes.
        """
        num_objects = asso.shape[1]
        q, k, v = (
            proj(embeds).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        logits = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        logits = logits + _block_bias(self.w_asso(asso).permute(0, 3, 1, 2))
        padded = torch.cat([valid.new_zeros(len(valid), num_objects), ~valid], 1)
        attention = logits.masked_fill(padded[:, None, None], -torch.inf).softmax(-1)

        update = self.out_proj((attention @ v).transpose(1, 2).flatten(2))
        embeds = self.attn_norm(embeds + update)
        embeds = self.ffn_norm(self.ffn(embeds))

        object_tracklet = attention[:, :, :num_objects, num_objects:]
        tracklet_object = attention[:, :, num_objects:, :num_objects].transpose(-1, -2)
        pairs = (object_tracklet + tracklet_object) / 2
        return embeds, asso + self.w_upd(pairs.permute(0, 2, 3, 1))


def _block_bias(bias: Tensor) -> Tensor:
    """``(B, heads, Nd, Nt)`` -> ``(B, heads, N, N)``: it and its transpose off the diagonal."""
    objects, tracklets = bias.shape[-2:]
    top = torch.cat([bias.new_zeros(*bias.shape[:2], objects, objects), bias], -1)
    bottom = torch.cat(
        [bias.transpose(-1, -2), bias.new_zeros(*bias.shape[:2], tracklets, tracklets)], -1
    )
    return torch.cat([top, bottom], -2)


@MODELS.register_module()
class SGLA(BaseModule):
    """Scores every object-tracklet pair while the two exchange information.

    In each of ``L`` layers: boxes of ``O(l)`` by the shared detection head -> pairwise differences
    ``B_diff`` -> relative deviation encoding ``E_diff`` (one MLP, shared by the layers) ->
    ``M(l) + E_diff`` -> :class:`SpatialWeightedAttention`. ``M(0) = 0``; the scores are
    ``S = sigmoid(M(L) w)``.

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
        self.layers = nn.ModuleList(
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
        asso = embeds.new_zeros(1)  # M(0) = 0, broadcast
        all_logits, all_boxes = [], []
        for layer in self.layers:
            difference = boxes[:, :num_objects, None] - boxes[:, None, num_objects:]
            asso = asso + self.deviation_mlp(difference)
            embeds, asso = layer(embeds, asso, valid)
            logits, boxes = head(embeds, anchors)
            all_logits.append(logits)
            all_boxes.append(boxes)
        return FrameOutput(
            detections=detections,
            embeds=embeds,
            logits=torch.stack(all_logits),
            boxes_cxcywh=torch.stack(all_boxes),
            asso_logits=self.score(asso).squeeze(-1),
        )
