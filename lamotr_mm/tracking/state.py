"""What one frame hands to the next: padded, static-shape tracklet slots."""

from typing import NamedTuple

import torch
from torch import Tensor


class TrackletState(NamedTuple):
    """Tracklet queries that enter a frame, ``Q^tck`` of Sec. 3.1, in ``Nt`` padded slots.

    Attributes:
        query: content of the tracklet queries, ``(B, Nt, d)`` float.
        anchor_cxcywh: anchor boxes, ``(B, Nt, 4)`` float, normalised by the image shape, detached.
        source: ``(B, Nt)`` int64, the object query that the tracklet was born from or last matched
            with; a decoder with learned positions takes the position of this query.
        valid: ``(B, Nt)`` bool; ``False`` marks a padded slot, which influences nothing.
        memory: ``(B, Nt, k, d)`` float, what the update of the queries remembers beyond the query;
            ``k = 0`` for Eq. 2, which remembers nothing.
    """

    query: Tensor
    anchor_cxcywh: Tensor
    source: Tensor
    valid: Tensor
    memory: Tensor

    @classmethod
    def empty(cls, batch: int, slots: int, like: Tensor, memories: int = 0) -> 'TrackletState':
        """``slots`` padded slots for ``batch`` clips, with ``k = memories``; width, dtype, device
        of ``like (..., d)``. What an update needs: :meth:`TrackletUpdate.no_tracklets`.
        """
        return cls(
            query=like.new_zeros(batch, slots, like.shape[-1]),
            anchor_cxcywh=like.new_zeros(batch, slots, 4),
            source=torch.zeros(batch, slots, dtype=torch.int64, device=like.device),
            valid=torch.zeros(batch, slots, dtype=torch.bool, device=like.device),
            memory=like.new_zeros(batch, slots, memories, like.shape[-1]),
        )

    def grow(self, slots: int) -> 'TrackletState':
        """The same tracklets in ``slots`` slots (not fewer than now); the added ones are padded."""
        batch, now = self.valid.shape
        padding = TrackletState.empty(batch, slots - now, self.query, self.memory.shape[2])
        return TrackletState(*(torch.cat(pair, dim=1) for pair in zip(self, padding)))
