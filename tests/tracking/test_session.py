"""Slots, ids and ages of a video, worked by hand."""

import pytest
import torch

from lamotr_mm.tracking.session import Session, TrackTable
from lamotr_mm.tracking.state import TrackletState


def test_slots_are_given_and_freed():
    table = TrackTable.empty(2)
    assert (table.slots, table.live.tolist()) == (2, [])
    assert [table.start(), table.start()] == [0, 1]
    with pytest.raises(IndexError):
        table.start()
    assert table.ids.tolist() == [1, 2], 'a failed start takes no id'
    table.misses[:] = [3, 4]
    table.end(table.misses == 3)
    assert table.ids.tolist() == [-1, 2]
    assert table.misses.tolist() == [0, 4]
    assert table.live.tolist() == [1]
    assert table.start() == 0
    assert table.ids.tolist() == [3, 2], 'ids are not given twice'


def test_growing_keeps_what_is_there():
    session = Session.start(2)
    session.table.start()
    session.table.misses[0] = 5
    session.grow(3)  # before the first frame there are no tensors
    assert session.tracklets is None
    session.tracklets = TrackletState.empty(1, 3, torch.zeros(1, 8))
    session.tracklets.valid[0, 0] = True
    session.grow(4)
    assert session.table.ids.tolist() == [1, -1, -1, -1]
    assert session.table.misses.tolist() == [5, 0, 0, 0]
    assert session.tracklets.valid.tolist() == [[True, False, False, False]]
    assert session.tracklets.query.shape == (1, 4, 8)
