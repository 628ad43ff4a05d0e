"""The attention of SGLA (Fig. 3): of all embeddings to all, or of one side to the other."""

import torch
from mmcv.cnn.bricks.transformer import FFN
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..precision import widen

EDGE_UPDATES = ('attention', 'logits')
QUERIES = ('both', 'objects', 'tracklets')


class SpatialWeightedAttention(BaseModule):
    """One layer of Fig. 3: attention over objects and tracklets, biased by the association matrix.

    ``A = softmax(O W_Q (O W_K)^T / sqrt(d_k) + M W_asso)``, ``O <- LN(O + A O W_V W_O)``,
    ``O <- LN(O + FFN(O))`` (the block of the Edge-Augmented Graph Transformer that the paper builds
    on), ``M <- M + A W_upd``. The paper gives M for object-tracklet pairs only, so the
    object-tracklet block of the logits gets ``M W_asso``, the tracklet-object block its transpose,
    the other two get 0; and ``A W_upd`` reads the mean of the two blocks. :class:`SGLA` applies
    ``w_asso`` and ``w_upd``.

    Args:
        embed_dims: ``d``.
        num_heads: heads of the attention.
        ffn_dims: width of the feed-forward block.
        edge_update: what updates M, ``'attention'``: A as in the paper, or ``'logits'``: what the
            softmax is taken of, ``M W_asso`` included, as in the Edge-Augmented Graph Transformer
            (arXiv 2108.03348, without its clip and gates). With many objects, entries of A are
            small; logits are not.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, ffn_dims: int, edge_update: str = 'attention'
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        if edge_update not in EDGE_UPDATES:
            raise ValueError(f"sgla.edge_update={edge_update!r} must be 'attention' or 'logits'")
        self.num_heads = num_heads
        self.edge_update = edge_update
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
            ``O(l+1)``, and the mean of A's (or the logits') object-tracklet and tracklet-object
            blocks, ``(B, heads, Nd, Nt)``.
        """
        num_objects = bias.shape[2]
        logits, v = self._attend(embeds, embeds)
        # in place: each pass over this matrix takes as long as the products
        logits[:, :, :num_objects, num_objects:] += bias
        logits[:, :, num_objects:, :num_objects] += bias.transpose(-1, -2)
        if self.edge_update == 'logits':
            pairs = _pair_mean(logits, num_objects)  # before padding makes some of them infinite
        logits[..., num_objects:].masked_fill_(~valid[:, None, None], -torch.inf)
        attention = logits.softmax(-1)
        if self.edge_update == 'attention':
            pairs = _pair_mean(attention, num_objects)
        return self._block(embeds, attention @ v), pairs

    def _attend(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, N, d)`` and ``(B, K, d)`` -> ``q k^T / sqrt(d_k)``, ``(B, heads, N, K)``, and the
        values ``(B, heads, K, d_k)``."""
        q, k, v = (
            proj(embeds).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for proj, embeds in ((self.q_proj, queries), (self.k_proj, keys), (self.v_proj, keys))
        )
        return widen((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)), v

    def _block(self, embeds: Tensor, heads: Tensor) -> Tensor:
        """What follows ``A V``, ``(B, heads, N, d_k)``."""
        embeds = self.attn_norm(embeds + self.out_proj(heads.transpose(1, 2).flatten(2)))
        return self.ffn_norm(self.ffn(embeds))


class SpatialCrossAttention(SpatialWeightedAttention):
    """The two cross-attentions of Table 5: one side asks, the other is asked.

    The paper says that ``E^obj`` and ``E^tck`` are 'queries, keys, and values in cross-attention'
    and no more. What we make of it:

    - The side that asks goes through the block of :class:`SpatialWeightedAttention`. The side that
      is asked stays as it is, as the keys of any cross-attention: in all layers, and so in SGLA's
      output, it is what the decoder gave, boxes and scores included.
    - A is one block, ``Nd x Nt`` or ``Nt x Nd``, its softmax over the side that is asked; ``M
      W_asso`` (transposed where tracklets ask) biases it, and it alone (transposed back) updates M.
    - Nobody may abstain: an object that no tracklet belongs to shares its weight among them all the
      same. Only where a frame has no tracklets, A is 0.

    Parameters are those of the self-attention.

    Args:
        queries: the side that asks, ``'objects'`` or ``'tracklets'``.
        others: as in :class:`SpatialWeightedAttention`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        ffn_dims: int,
        edge_update: str = 'attention',
        queries: str = 'objects',
    ) -> None:
        super().__init__(embed_dims, num_heads, ffn_dims, edge_update)
        self.queries = queries

    def forward(self, embeds: Tensor, bias: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`SpatialWeightedAttention.forward`; the block of A is the only one."""
        objects, tracklets = embeds.tensor_split([bias.shape[2]], 1)
        if self.queries == 'objects':
            objects, pairs = self._ask(objects, tracklets, bias, valid)
        else:
            every = valid.new_ones(objects.shape[:2])
            tracklets, pairs = self._ask(tracklets, objects, bias.mT, every)
            pairs = pairs.mT
        return torch.cat([objects, tracklets], 1), pairs

    def _ask(
        self, queries: Tensor, keys: Tensor, bias: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Cross-attention of ``N`` queries to those of ``K`` keys that are valid, ``(B, K)``."""
        logits, v = self._attend(queries, keys)
        logits = logits + bias
        closed = ~valid[:, None, None]
        # finite, then 0: without any key, a row of -inf would be NaN
        attention = logits.masked_fill(closed, torch.finfo(logits.dtype).min).softmax(-1)
        attention = attention.masked_fill(closed, 0)
        pairs = attention if self.edge_update == 'attention' else logits
        return self._block(queries, attention @ v), pairs


def _pair_mean(matrix: Tensor, num_objects: int) -> Tensor:
    """Mean of the object-tracklet block and the transposed tracklet-object block."""
    object_tracklet = matrix[:, :, :num_objects, num_objects:]
    tracklet_object = matrix[:, :, num_objects:, :num_objects].transpose(-1, -2)
    return (object_tracklet + tracklet_object) / 2
