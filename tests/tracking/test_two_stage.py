"""ByteTrack's two stages, in hand-worked scripts and against its algorithm written anew."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from lamotr_mm.tracking.lifecycle import FrameScores
from lamotr_mm.tracking.session import TrackTable
from lamotr_mm.tracking.two_stage import TwoStageLifecycle


def iou(a, b):
    inner = np.prod([max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in range(2)])
    return inner / (
        np.prod([a[2] - a[0], a[3] - a[1]]) + np.prod([b[2] - b[0], b[3] - b[1]]) - inner
    )


def frame(objects, tracklets=(), slots=4):
    """(score, x) of boxes of 10 px, ``dx`` px apart their IoU is (10 - dx) / (10 + dx); ``S`` is
    that IoU. Free slots are far away."""
    objects, tracklets = list(objects), [*tracklets, *[(0.0, 900.0)] * (slots - len(tracklets))]
    scores, boxes = [], []
    for part in (objects, tracklets):
        scores.append(np.array([score for score, _ in part], np.float32))
        boxes.append(np.array([[x, 0, x + 10, 10] for _, x in part], np.float32).reshape(-1, 4))
    return FrameScores(
        object_scores=scores[0],
        object_labels=np.zeros(len(objects), np.int64),
        object_boxes_xyxy=boxes[0],
        tracklet_scores=scores[1],
        tracklet_labels=np.zeros(slots, np.int64),
        tracklet_boxes_xyxy=boxes[1],
        association=np.array([[iou(a, b) for b in boxes[1]] for a in boxes[0]]).reshape(-1, slots),
    )


def started(*places, **kwargs):
    """A video with tracks of ids 1, 2, ... at these x."""
    rules, table = TwoStageLifecycle(gate=0.2, **kwargs), TrackTable.empty(4)
    rules.step(table, frame([(0.9, x) for x in places]))
    return rules, table


def shown(tracks):
    """id -> x of its box."""
    return dict(zip(tracks.ids.tolist(), tracks.boxes_xyxy[:, 0].tolist()))


def test_a_faint_object_continues_a_track_that_no_sure_one_takes():
    rules, table = started(0, 100)
    # 1 goes on with the sure object, 2 with the faint one; each gets the box of its object
    tracks = rules.step(table, frame([(0.2, 102), (0.9, 4)], [(0.1, 1), (0.1, 101)]))
    assert shown(tracks) == {1: 4, 2: 102}
    assert tracks.matches.tolist() == [[1, 0], [0, 1]]
    assert dict(zip(tracks.ids.tolist(), tracks.scores.tolist())) == pytest.approx({1: 0.9, 2: 0.2})


def test_sure_objects_choose_first():
    rules, table = started(0)
    # the faint object is nearer (IoU 1 against 0.54), but comes second
    tracks = rules.step(table, frame([(0.4, 0), (0.6, 3)], [(0.9, 0)]))
    assert shown(tracks) == {1: 3}


def test_the_second_stage_is_stricter_and_starts_nothing():
    rules, table = started(0)
    # 5 px apart: IoU 1/3, above the first gate and below the second
    tracks = rules.step(table, frame([(0.4, 5)], [(0.9, 0)]))
    assert shown(tracks) == {}
    assert table.misses[0] == 1
    tracks = rules.step(table, frame([(0.5, 5)], [(0.9, 0)]))
    assert shown(tracks) == {1: 5}


def test_objects_below_the_lower_end_count_nowhere():
    rules, table = started(0, low_thr=0.3)
    tracks = rules.step(table, frame([(0.29, 0)], [(0.9, 0)]))
    assert shown(tracks) == {}
    assert tracks.objects.tolist() == []


def test_lost_tracks_are_found_by_sure_objects_only():
    rules, table = started(0)
    assert shown(rules.step(table, frame([], [(0.9, 0)]))) == {}  # its own score keeps nobody
    assert shown(rules.step(table, frame([(0.4, 0)], [(0.9, 0)]))) == {}
    assert shown(rules.step(table, frame([(0.6, 0)], [(0.1, 0)]))) == {1: 0}


def test_lost_and_present_tracks_share_the_first_stage():
    rules, table = started(0, 6)
    rules.step(table, frame([(0.9, 6)], [(0.9, 0), (0.9, 6)]))  # 1 is lost
    # nearer to the lost one: the default lifecycle would give it to the present one first
    tracks = rules.step(table, frame([(0.9, 1)], [(0.9, 0), (0.9, 6)]))
    assert shown(tracks) == {1: 1}


def test_no_birth_on_the_object_of_a_track():
    rules, table = started(0)
    # the tracklet's own box is elsewhere; the duplicate overlaps the object that it takes
    scores = frame([(0.9, 3), (0.8, 4), (0.7, 60)], [(0.9, 0)])
    assert shown(rules.step(table, scores)) == {1: 3, 2: 60}


def byte(scores, high, low, first_gate, second_gate, present, lost):
    """Algorithm 1 on one frame: pairs (object, slot), by minimal cost 1 - S with a limit."""

    def match(objects, slots, gate):
        cost = np.array([[1 - scores[i, k] for k in slots] for i in objects])
        cost = np.where(cost <= 1 - gate, cost, 1).reshape(len(objects), len(slots))
        rows, columns = linear_sum_assignment(cost)
        return {
            (objects[i], slots[k])
            for i, k in zip(rows, columns)
            if scores[objects[i], slots[k]] >= gate
        }

    first = match(high, [*present, *lost], first_gate)
    taken = {k for _, k in first}
    return first | match(low, [k for k in present if k not in taken], second_gate)


@pytest.mark.parametrize('seed', range(20))
def test_equals_the_algorithm_on_random_frames(seed):
    generator = np.random.default_rng(seed)
    objects, slots = 6, 5
    similarity = generator.random((objects, slots)).astype(np.float32)
    confidence = generator.permutation([0.05, 0.2, 0.4, 0.6, 0.8, 0.9]).astype(np.float32)
    table = TrackTable.empty(8)
    for _ in range(slots):
        table.start(label=0)
    table.misses[[1, 3]] = 2
    table.end(np.array([4]))  # a free slot within
    scores = frame([(s, 20.0 * i) for i, s in enumerate(confidence)], [], slots=8)
    scores = scores._replace(association=np.pad(similarity, ((0, 0), (0, 3))))
    tracks = TwoStageLifecycle(gate=0.3, low_gate=0.6).step(table, scores)
    high = [i for i in range(objects) if confidence[i] >= 0.5]
    low = [i for i in range(objects) if 0.1 <= confidence[i] < 0.5]
    expected = byte(similarity, high, low, 0.3, 0.6, present=[0, 2], lost=[1, 3])
    assert {tuple(pair) for pair in tracks.matches.tolist()} == expected
    unmatched = [i for i in high if i not in {i for i, _ in expected}]
    assert sorted(tracks.object_index[tracks.born].tolist()) == unmatched
