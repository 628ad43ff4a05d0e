"""Everything that the tracker remembers of one video; the model itself remembers nothing."""

from dataclasses import dataclass

import torch

from .state import TrackletState
from .table import NO_TRACK, TrackTable


@dataclass
class Session:
    """One video that is being tracked: hand it to :meth:`LAMOTR.track_frame` with each frame.

    Several sessions can share one model. Results depend neither on other sessions nor on the
    number of slots.

    Attributes:
        table: ids and ages by slot.
        tracklets: the tensors of the same slots, ``B = 1``; None before the first frame.
    """

    table: TrackTable
    tracklets: TrackletState | None = None

    @classmethod
    def start(cls, slots: int) -> 'Session':
        """A video of which nothing has been seen."""
        return cls(TrackTable.empty(slots))

    def grow(self, slots: int) -> None:
        """Add free slots up to ``slots``."""
        self.table.grow(slots)
        if self.tracklets is not None:
            self.tracklets = self.tracklets.grow(slots)

    def skip(self, frames: int, miss_tolerance: int) -> None:
        """Let time pass; the arguments are those of :meth:`TrackTable.skip`."""
        table = self.table
        table.skip(frames, miss_tolerance)
        if self.tracklets is not None:
            valid = self.tracklets.valid
            alive = torch.from_numpy(table.ids != NO_TRACK)[None].to(valid.device)
            self.tracklets = self.tracklets._replace(valid=valid & alive)
