"""Learned updates of the tracklet queries, Eq. 2's rivals in Table 6: MOTR's and MeMOTR's."""

from typing import Any

import torch
from mmcv.cnn.bricks.transformer import FFN
from mmdet.models.layers import MLP
from mmdet.models.layers.transformer import coordinate_to_encoding
from torch import Tensor, nn

from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState

from .structures import FrameOutput
from .tracklet_update import SlotDecisions, TrackletUpdate, of_objects


class _AttentiveUpdate(TrackletUpdate):
    """An attention block between all tracklets that go on to the next frame, lost ones included.

    Both models run it over every track that is remembered, and so do we; which tracklets take its
    result, and their anchors, is decided as for Eq. 2. What a tracklet was seen as, ``O``, is Eq.
    2's mixture: with its ``w = 1``, ``O^tck`` (born: ``O^obj``), as in both models. A query's
    position is that of its next anchor: the sine encoding through a small MLP, as MeMOTR has it on
    DAB-DETR. Without dropout.
    """

    def __init__(
        self, embed_dims: int = 256, num_heads: int = 8, ffn_dims: int = 1024, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.embed_dims = embed_dims
        self.position_head = MLP(2 * embed_dims, embed_dims, embed_dims, 2)
        self.attention = nn.MultiheadAttention(embed_dims, num_heads, batch_first=True)
        self.attention_norm = nn.LayerNorm(embed_dims)
        self.ffn = FFN(embed_dims, ffn_dims, num_fcs=2, ffn_drop=0.0)
        self.ffn_norm = nn.LayerNorm(embed_dims)
        self.query_ffn = FFN(embed_dims, ffn_dims, num_fcs=2, ffn_drop=0.0)
        self.query_norm = nn.LayerNorm(embed_dims)

    def init_weights(self) -> None:
        """Xavier for matrices."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def _positions(self, state: TrackletState) -> Tensor:
        """``(B, Nt, d)`` of the anchors."""
        encoding = coordinate_to_encoding(state.anchor_cxcywh, self.embed_dims // 2)
        return self.position_head(encoding.to(state.query.dtype))

    def _aggregate(self, query: Tensor, key: Tensor, seen: Tensor, valid: Tensor) -> Tensor:
        """``LN(O + MHA(query, key, O))``, then ``LN(x + FFN(x))``; ``(B, Nt, d)``."""
        slots = valid.shape[1]
        itself = torch.eye(slots, dtype=torch.bool, device=valid.device)
        closed = ~(valid[:, None] | itself)  # open to itself: no row is masked as a whole
        mask = closed.repeat_interleave(self.attention.num_heads, 0)
        heard, _ = self.attention(query, key, seen, attn_mask=mask, need_weights=False)
        return self.ffn_norm(self.ffn(self.attention_norm(seen + heard)))


@MODELS.register_module()
class TemporalAggregation(_AttentiveUpdate):
    """TAN, the Temporal Aggregation Network of MOTR's query interaction (arXiv 2105.03247).

    ``x = LN(O + MHA(q = k = O + position, v = O))``, ``x <- LN(x + FFN(x))``,
    ``Q_{t+1} = LN(Q_t + FFN'(x))``. ``Q_t`` is the content that entered the frame, of a newborn
    that of its object query.

    MOTR adds up learned positions and lets the block update them, too (``update_query_pos`` of its
    code); here an anchor is the position, so there is nothing to update.

    Args:
        embed_dims: ``d``.
        num_heads: of the attention.
        ffn_dims: width of both feed-forward blocks, 1024 in MOTR.
        others: ``weight`` and ``anchor`` of :class:`TrackletUpdate`.
    """

    def renew(
        self,
        state: TrackletState,
        seen: Tensor,
        output: FrameOutput,
        decisions: SlotDecisions,
    ) -> tuple[Tensor, Tensor]:
        """The block; no memory."""
        where = seen + self._positions(state)
        heard = self._aggregate(where, where, seen, state.valid)
        entered = _entered(state, output, decisions)
        return self.query_norm(self.query_ffn(heard, identity=entered)), state.memory


@MODELS.register_module()
class TemporalInteraction(_AttentiveUpdate):
    """TIM, MeMOTR's Temporal Interaction Module with its long-term memory (arXiv 2307.15700).

    With ``O`` of this frame, ``O'`` of the frame in which the tracklet was last seen and the
    long-term memory ``m``, which no gradient enters:

    - short-term memory ``s = MLP([sigmoid(MLP'(O)) * O, O'])``,
    - ``x = LN(O + MHA(q = s + position, k = m + position, v = O))``, ``x <- LN(x + FFN(x))``,
    - ``Q_{t+1} = y + FFN'(y)`` normalised, with ``y = LN(m + x)``,
    - ``m <- (1 - rate) m + rate O`` and ``O' <- O``.

    A newborn starts with ``O' = O``, and ``m`` the content of its object query, as in MeMOTR's
    code. A tracklet whose own score is not above ``score_thr`` is frozen, memory and anchor
    included, also where its object was found; a newborn is never.

    On the paper's detector it makes MeMOTR's 50.13M parameters (Table 7), 3,089,664 of them here.

    Args:
        embed_dims: ``d``.
        num_heads: of the attention.
        ffn_dims: width of both feed-forward blocks, 2048 in MeMOTR.
        rate: of the long-term memory, 0.01 in MeMOTR.
        score_thr: confidence that renews a tracklet (probability), 0.5 in MeMOTR.
        others: ``weight`` and ``anchor`` of :class:`TrackletUpdate`.
    """

    memories = 2  # long-term memory, last output

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        ffn_dims: int = 2048,
        rate: float = 0.01,
        score_thr: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(embed_dims, num_heads, ffn_dims, **kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f'tracklet_update.rate={rate} must lie in 0..1')
        self.rate = rate
        self.score_thr = score_thr
        self.confidence = MLP(embed_dims, embed_dims, embed_dims, 2)
        self.short_term = MLP(2 * embed_dims, 2 * embed_dims, embed_dims, 2)
        self.memory_norm = nn.LayerNorm(embed_dims)

    def found(self, output: FrameOutput, decisions: SlotDecisions) -> Tensor:
        """Newborn, or present and confident."""
        logits = output.logits[-1][:, output.num_objects :].detach()
        confident = logits.max(-1).values.sigmoid() > self.score_thr
        return (decisions.present & confident) | decisions.born

    def renew(
        self,
        state: TrackletState,
        seen: Tensor,
        output: FrameOutput,
        decisions: SlotDecisions,
    ) -> tuple[Tensor, Tensor]:
        """The block and the two memories."""
        born = decisions.born[..., None]
        long_term, last = state.memory.unbind(2)
        long_term = torch.where(born, _entered(state, output, decisions), long_term).detach()
        last = torch.where(born, seen, last)
        trusted = self.confidence(seen).sigmoid() * seen
        short_term = self.short_term(torch.cat([trusted, last], -1))
        position = self._positions(state)
        heard = self._aggregate(short_term + position, long_term + position, seen, state.valid)
        query = self.query_norm(self.query_ffn(self.memory_norm(long_term + heard)))
        remembered = (1 - self.rate) * long_term + self.rate * seen.detach()
        return query, torch.stack([remembered, seen], 2)


def _entered(state: TrackletState, output: FrameOutput, decisions: SlotDecisions) -> Tensor:
    """Content ``(B, Nt, d)`` that entered the frame, of a newborn that of its object query."""
    objects = of_objects(output.detections.queries, decisions)
    return torch.where(decisions.born[..., None], objects, state.query)
