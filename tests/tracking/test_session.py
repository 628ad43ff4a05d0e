"""Slots, ids and ages of a video, worked by hand."""

import numpy as np
import pytest
import torch

from lamotr_mm.tracking.session import Session, TrackTable
from lamotr_mm.tracking.state import TrackletState
from lamotr_mm.tracking.table import enough_slots


def test_slots_are_given_and_freed():
    table = TrackTable.empty(2)
    assert (table.slots, table.live.tolist()) == (2, [])
    assert [table.start(0), table.start(1)] == [0, 1]
    with pytest.raises(IndexError):
        table.start(0)
    assert table.ids.tolist() == [1, 2], 'a failed start takes no id'
    table.misses[:] = [3, 4]
    table.end(table.misses == 3)
    assert table.ids.tolist() == [-1, 2]
    assert table.misses.tolist() == [0, 4]
    assert table.live.tolist() == [1]
    assert table.start(0) == 0
    assert table.ids.tolist() == [3, 2], 'ids are not given twice'


def test_growing_keeps_what_is_there():
    session = Session.start(2)
    session.table.start(2)
    session.table.misses[0] = 5
    session.grow(3)  # before the first frame there are no tensors
    assert session.tracklets is None
    session.tracklets = TrackletState.empty(1, 3, torch.zeros(1, 8))
    session.tracklets.valid[0, 0] = True
    session.grow(4)
    assert session.table.ids.tolist() == [1, -1, -1, -1]
    assert session.table.misses.tolist() == [5, 0, 0, 0]
    assert session.table.labels.tolist() == [2, 0, 0, 0]
    assert session.tracklets.valid.tolist() == [[True, False, False, False]]
    assert session.tracklets.query.shape == (1, 4, 8)


def labels_after(*votes):
    """Label of a track of class 1 after each (label, score) that it is seen as."""
    table = TrackTable.empty(2)
    table.start(0)
    slot = table.start(1)
    seen = []
    for label, score in votes:
        table.vote(np.array([slot]), np.array([label]), np.array([score]))
        seen.append(int(table.labels[slot]))
    assert table.labels[0] == 0, 'of the other track'
    return seen


def test_a_label_is_that_of_the_largest_sum_of_scores():
    assert labels_after((1, 0.5), (0, 0.25), (0, 0.125), (0, 0.25)) == [1, 1, 1, 0]
    # at a tie it stays what it is, whichever has the lower number
    assert labels_after((1, 0.5), (0, 0.5)) == [1, 1]
    assert labels_after((1, 0.5), (2, 0.5), (2, 0.25), (1, 0.25), (1, 0.25)) == [1, 1, 2, 2, 1]
    # frame by frame another class: no flicker
    assert labels_after(*[(k % 2, 0.5) for k in range(1, 9)]) == [1] * 8


def test_a_new_track_in_the_slot_begins_without_votes():
    table = TrackTable.empty(1)
    slot = np.array([table.start(3)])
    table.vote(slot, np.array([3]), np.array([9.0]))
    table.end(slot)
    table.start(1)
    assert table.labels.tolist() == [1]
    table.vote(slot, np.array([0]), np.array([0.5]))
    assert table.labels.tolist() == [0]
    table.grow(3)
    assert table.votes.tolist() == [[0.5, 0, 0, 0], [0] * 4, [0] * 4]
    table.vote(np.zeros(0, int), np.zeros(0, int), np.zeros(0))


@pytest.mark.parametrize(
    ('slots', 'needed', 'enough'), [(4, 0, 4), (4, 4, 4), (4, 5, 8), (3, 20, 24), (1, 1, 1)]
)
def test_slots_are_doubled(slots, needed, enough):
    assert enough_slots(slots, needed) == enough


def test_time_that_passes():
    """Lost tracks get older; those of the last frame end only with a gap beyond the memory."""
    session = Session.start(3)
    for misses in (0, 2, 5):
        session.table.misses[session.table.start(0)] = misses
    session.tracklets = TrackletState.empty(1, 3, torch.zeros(1, 8))
    session.tracklets.valid[:] = True
    session.skip(0, miss_tolerance=6)
    assert session.table.misses.tolist() == [0, 2, 5]
    session.skip(2, miss_tolerance=6)
    assert session.table.ids.tolist() == [1, 2, -1]
    assert session.table.misses.tolist() == [0, 4, 0]
    assert session.table.ages.tolist()[:2] == [2, 2]
    assert session.tracklets.valid.tolist() == [[True, True, False]]
    session.skip(7, miss_tolerance=6)
    assert session.table.live.tolist() == [] and not session.tracklets.valid.any()
    assert session.table.start(0) == 0 and session.table.ids[0] == 4
    assert session.table.ages[0] == 0
