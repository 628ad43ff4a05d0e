"""The tracks of one video in their slots: numbers on the host, without PyTorch."""

from dataclasses import dataclass

import numpy as np

NO_TRACK = -1


def enough_slots(slots: int, needed: int) -> int:
    """``slots``, doubled until it is at least ``needed``: tensors of a video have few sizes."""
    while slots < needed:
        slots *= 2
    return slots


@dataclass
class TrackTable:
    """The tracks in their slots, on the host.

    Attributes:
        ids: ``(Nt,)`` int64, id of the track in each slot, from 1; `NO_TRACK` in a free one.
        misses: ``(Nt,)`` int64, frames in a row for which the track has been lost.
        ages: ``(Nt,)`` int64, frames since the birth of the track, 0 in the frame of its birth.
        labels: ``(Nt,)`` int64, class of the track: the one with most votes.
        votes: ``(Nt, C)`` float64, sum of the scores with which the track has been seen as each
            class, up to the largest label so far.
        next_id: of the next track.
    """

    ids: np.ndarray
    misses: np.ndarray
    ages: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    next_id: int = 1

    @classmethod
    def empty(cls, slots: int, classes: int = 0) -> 'TrackTable':
        """``slots`` free slots."""
        zeros = np.zeros(slots, dtype=np.int64)
        misses, ages, labels = (zeros.copy() for _ in range(3))
        return cls(zeros + NO_TRACK, misses, ages, labels, np.zeros((slots, classes)))

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
        added = TrackTable.empty(slots - self.slots, self.votes.shape[1])
        for name in ('ids', 'misses', 'ages', 'labels', 'votes'):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(added, name)]))

    def start(self, label: int) -> int:
        """Give the first free slot to a new track of this class.

        Raises:
            IndexError: no slot is free.
        """
        slot = int(np.flatnonzero(self.ids == NO_TRACK)[0])
        self.ids[slot] = self.next_id
        self.misses[slot] = self.ages[slot] = 0
        self.labels[slot] = label
        self.votes[slot] = 0
        self.next_id += 1
        return slot

    def vote(self, slots: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> None:
        """Count what each track was seen as. A class must get ahead of the track's present one to
        replace it: at a tie the label stays.

        Args:
            slots: ``(n,)``, each once.
            labels, scores: ``(n,)``, class and its probability in this frame.
        """
        if len(slots) == 0:
            return
        missing = int(labels.max()) + 1 - self.votes.shape[1]
        if missing > 0:
            self.votes = np.pad(self.votes, ((0, 0), (0, missing)))
        self.votes[slots, labels] += scores
        votes, present = self.votes[slots], self.labels[slots]
        best = votes.argmax(1)
        rows = np.arange(len(slots))
        self.labels[slots] = np.where(votes[rows, best] > votes[rows, present], best, present)

    def end(self, slots: np.ndarray) -> None:
        """Free these slots (indices or a mask)."""
        self.ids[slots] = NO_TRACK
        self.misses[slots] = 0

    def skip(self, frames: int, miss_tolerance: int) -> None:
        """Let time pass: frames that a source dropped, or that a reconnecting one missed.

        Lost tracks are lost for so many frames more. Tracks of the last frame stay what they are,
        or end where the gap is longer than a track is remembered.

        Args:
            frames: number of frames that were not seen.
            miss_tolerance: of the :class:`Lifecycle`.
        """
        live = self.live
        self.ages[live] += frames
        self.misses[live[self.misses[live] > 0]] += frames
        self.end((self.misses > miss_tolerance) | (frames > miss_tolerance))
