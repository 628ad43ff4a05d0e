"""Reasons on scores that are made by hand, with the decisions of the real lifecycle."""

import copy

import numpy as np
import pytest

from lamotr_mm.tracking.lifecycle import FrameScores, Lifecycle
from lamotr_mm.tracking.reasons import FrameReasons
from lamotr_mm.tracking.session import TrackTable

RULES = dict(
    det_thr=0.3, new_thr=0.5, gate=0.2, keep_thr=0.7, birth_iou=0.4, keep_iou=0.4, miss_tolerance=3
)


def boxes_at(*lefts):
    return np.array([[x, 0, x + 10, 20] for x in lefts], dtype=np.float64).reshape(-1, 4)


def explain(objects, tracklets, association, misses=None, **rules):
    """Reasons of one frame.

    Args:
        objects, tracklets: (score, left of the box), or with a label behind; ids are 1, 2, ...
    """
    lifecycle = Lifecycle(**{**RULES, **rules})
    objects, tracklets = (
        np.array([(*item, 0)[:3] for item in items], dtype=float).reshape(-1, 3)
        for items in (objects, tracklets)
    )
    table = TrackTable.empty(len(tracklets) + 3, 2)
    for label in tracklets[:, 2]:
        table.start(int(label))
    table.misses[: len(tracklets)] = misses or 0
    padded = np.pad(tracklets, ((0, 3), (0, 0)))
    scores = FrameScores(
        objects[:, 0],
        objects[:, 2].astype(int),
        boxes_at(*objects[:, 1]),
        padded[:, 0],
        padded[:, 2].astype(int),
        boxes_at(*padded[:, 1]),
        np.pad(np.reshape(association, (len(objects), len(tracklets))), ((0, 0), (0, 3))),
    )
    before = copy.deepcopy(table)
    return FrameReasons.of(lifecycle, before, scores, lifecycle.step(table, scores))


def track(reasons, track_id):
    (found,) = [item for item in reasons.tracks if item.track_id == track_id]
    return found


def obj(reasons, index):
    (found,) = [item for item in reasons.objects if item.query == index]
    return found


def test_matched():
    reasons = explain([(0.9, 0), (0.8, 50)], [(0.6, 0), (0.9, 50)], [[0.95, 0.01], [0.04, 0.9]])
    first = track(reasons, 1)
    assert (first.state, first.object_index, first.missed) == ('matched', 0, 0)
    assert first.why == 'o0 has S 0.95 with it (gate 0.20). The next best object is o1, S 0.04.'
    assert obj(reasons, 1)[1:3] == ('matched', 2)


def test_matched_with_the_second_best():
    """0.5 + 0.6 is more than 0.7 + 0.1."""
    reasons = explain([(0.9, 0), (0.8, 50)], [(0.6, 0), (0.9, 50)], [[0.7, 0.6], [0.5, 0.1]])
    assert track(reasons, 1).why == (
        'o1 has S 0.50 with it (gate 0.20). Its best, o0 (S 0.70), went to id 2 (S 0.60): so the '
        'sum of S is largest.'
    )


def test_found_again():
    reasons = explain([(0.9, 0)], [(0.1, 0)], [[0.8]], misses=[2])
    assert track(reasons, 1).missed == 2
    assert track(reasons, 1).why == (
        'Found again after 2 frames. o0 has S 0.80 with it (gate 0.20). There is no other object.'
    )


def test_lost_ones_come_second():
    reasons = explain([(0.9, 0)], [(0.1, 0), (0.1, 0)], [[0.8, 0.5]], misses=[1, 0])
    first = track(reasons, 1)
    assert first.state == 'lost'
    assert first.why == (
        'No object: its best, o0 (S 0.80), went to id 2 (S 0.50), which was not lost and so came '
        'first. Its own score 0.10 is below keep_thr 0.70. Lost for 2 frames, of 3 at most.'
    )


@pytest.mark.parametrize(
    ('score', 'why'),
    [(0.12, 'its best, o0, has S 0.12, below the gate 0.20'), (None, 'none is of its class')],
)
def test_kept(score, why):
    reasons = explain([(0.9, 80, int(score is None))], [(0.81, 0)], [[score or 0.9]])
    assert track(reasons, 1).state == 'kept'
    assert track(reasons, 1).why == (
        f'No object: {why}. It lives on by its own score 0.81 (keep_thr 0.70).'
    )


def test_a_weak_object_would_have_done():
    reasons = explain([(0.22, 0), (0.9, 80)], [(0.4, 0)], [[0.8], [0.01]])
    assert track(reasons, 1).why.startswith(
        'No object: its best, o1, has S 0.01, below the gate 0.20; o0 (S 0.80) has a score of 0.22 '
        'only, det_thr is 0.30. Its own score 0.40'
    )
    assert obj(reasons, 0).fate == 'weak'
    assert [item.query for item in reasons.objects] == [0, 1]


def test_no_object_at_all_and_the_end():
    reasons = explain([(0.1, 0)], [(0.1, 0)], [[0.0]], misses=[3])
    assert track(reasons, 1).state == 'ended'
    assert track(reasons, 1).why == (
        'No object: none has a score of det_thr 0.30. Its own score 0.10 is below keep_thr 0.70. '
        'Lost for more than 3 frames: it ends.'
    )
    assert reasons.objects == []


def test_the_guard_of_kept_ones():
    """2 is matched at 52: IoU with 1 at 50 is 8 / 12."""
    reasons = explain([(0.9, 52)], [(0.95, 50), (0.3, 52)], [[0.1, 0.9]])
    assert track(reasons, 1).state == 'lost'
    assert (
        'Its own score 0.95 would do, but its box lies on that of id 2 (IoU 0.67 > keep_iou 0.40).'
    ) in track(reasons, 1).why


def test_births():
    reasons = explain([(0.9, 0), (0.8, 80)], [(0.9, 0)], [[0.9], [0.15]])
    born = track(reasons, 2)
    assert (born.state, born.object_index) == ('born', 1)
    assert born.why == (
        'Started from o1, score 0.80 (new_thr 0.50). Nobody took it: its best S is 0.15, with id '
        '1, below the gate 0.20.'
    )
    assert obj(reasons, 1) == (1, 'born', 2, born.why)
    crowded = explain([(0.9, 0), (0.8, 80)], [(0.9, 0)], [[0.9], [0.6]])
    assert 'its best S is 0.60, with id 1, which took o0 (S 0.90).' in track(crowded, 2).why
    assert 'there was no tracklet.' in track(explain([(0.9, 0)], [], []), 1).why


def test_a_slot_that_is_free_again_at_once():
    """1 ends and its slot is the newborn's: both are told of."""
    reasons = explain([(0.9, 80)], [(0.1, 0)], [[0.0]], misses=[3])
    assert [(item.track_id, item.state, item.object_index) for item in reasons.tracks] == [
        (1, 'ended', -1),
        (2, 'born', 0),
    ]
    assert track(reasons, 1).slot == track(reasons, 2).slot


def test_objects_that_start_nothing():
    reasons = explain(
        [(0.9, 0), (0.4, 80), (0.8, 2), (0.7, 120), (0.6, 121)], [(0.9, 0)], [[0.9], *[[0.0]] * 4]
    )
    assert obj(reasons, 1).why.endswith('Its score 0.40 is below new_thr 0.50: no track starts.')
    assert obj(reasons, 2).why.endswith('lies on id 1 (IoU 0.67 > birth_iou 0.40).')
    assert obj(reasons, 4).why.endswith('lies on id 2 (IoU 0.82 > birth_iou 0.40).')
    assert [item.fate for item in reasons.objects] == [
        'matched', 'unused', 'unused', 'born', 'unused'
    ]  # fmt: skip
