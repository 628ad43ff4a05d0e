"""Everything that the tracker remembers of one video; the model itself remembers nothing."""

from dataclasses import dataclass

import numpy as np

from .state import TrackletState

NO_TRACK = -1


@dataclass
class TrackTable:
    """The tracks in their slots, on the host.

    Attributes:
        ids: ``(Nt,)`` int64, id of the track in each slot, from 1; `NO_TRACK` in a free one.
        misses: ``(Nt,)`` int64, frames in a row for which the track has been lost.
        next_id: of the next track.
    """

    ids: np.ndarray
    misses: np.ndarray
    next_id: int = 1

    @classmethod
    def empty(cls, slots: int) -> 'TrackTable':
        """``slots`` free slots."""
        return cls(np.full(slots, NO_TRACK, dtype=np.int64), np.zeros(slots, dtype=np.int64))

    @property
    def slots(self) -> int:
        """``Nt``."""
        return len(self.ids)

    @property
    def live(self) -> np.ndarray:
        """``(n,)`` int64, slots that hold a track, lost ones included, ascending."""
        return np.flatnonzero(self.ids != NO_TRACK)

    def grow(self, slots: int) -> None:
        """Add free slots up to ``slots``."""
        added = TrackTable.empty(slots - self.slots)
        self.ids = np.concatenate([self.ids, added.ids])
        self.misses = np.concatenate([self.misses, added.misses])

    def start(self) -> int:
        """Give the first free slot to a new track.

        Raises:
            IndexError: no slot is free.
        """
        slot = int(np.flatnonzero(self.ids == NO_TRACK)[0])
        self.ids[slot] = self.next_id
        self.misses[slot] = 0
        self.next_id += 1
        return slot

    def end(self, slots: np.ndarray) -> None:
        """Free these slots (indices or a mask)."""
        self.ids[slots] = NO_TRACK
        self.misses[slots] = 0


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
