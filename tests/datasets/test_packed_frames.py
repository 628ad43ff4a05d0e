"""Packed frames behave as a list of copies."""

import copy

import pytest

from lamotr_mm.datasets.packed_frames import PackedFrames

FRAMES = [dict(id=0, boxes=[[1, 2]]), dict(id=1, boxes=[]), 'any']


def test_is_a_list():
    packed = PackedFrames(FRAMES)
    assert len(packed) == 3
    assert list(packed) == FRAMES
    assert packed[-1] == 'any'
    with pytest.raises(IndexError):
        packed[3]


def test_gives_copies():
    packed = PackedFrames(FRAMES)
    packed[0]['boxes'].append('edited')
    copy.deepcopy(packed)[0]['boxes'].append('edited')
    assert packed[0] == FRAMES[0]


def test_no_frames():
    assert list(PackedFrames([])) == []
