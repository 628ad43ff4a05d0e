"""The life of a track, in hand-worked scripts."""

from itertools import permutations

import numpy as np
import pytest

from lamotr_mm.tracking.lifecycle import FrameScores, Lifecycle, overlapping_pairs
from lamotr_mm.tracking.session import TrackTable


def box(x, y=0.0, side=10.0):
    """xyxy px. ``dx`` px apart, the IoU is (10 - dx) / (10 + dx): 0.67 for 2, 0.54 for 3."""
    return [x, y, x + side, y + side]


def frame(objects=(), tracklets=(), association=None, slots=4):
    """``objects``, ``tracklets`` (by slot): (score, x) or (score, x, label), by default 0;
    ``association``: {(object, slot): S}."""
    objects, tracklets = ([(*item, 0)[:3] for item in part] for part in (objects, tracklets))
    tracklet_scores, tracklet_boxes = np.full(slots, 0.9), np.tile(box(900.0), (slots, 1))
    tracklet_labels = np.zeros(slots, dtype=np.int64)
    tracklet_labels[: len(tracklets)] = [label for *_, label in tracklets]
    for slot, (score, x, _) in enumerate(tracklets):
        tracklet_scores[slot], tracklet_boxes[slot] = score, box(x)
    scores = np.full((len(objects), slots), 0.01)
    for pair, value in (association or {}).items():
        scores[pair] = value
    return FrameScores(
        object_scores=np.array([score for score, *_ in objects], dtype=np.float32),
        object_labels=np.array([label for *_, label in objects], dtype=np.int64),
        object_boxes_xyxy=np.array([box(x) for _, x, _ in objects], np.float32).reshape(-1, 4),
        tracklet_scores=tracklet_scores.astype(np.float32),
        tracklet_labels=tracklet_labels,
        tracklet_boxes_xyxy=tracklet_boxes.astype(np.float32),
        association=scores.astype(np.float32),
    )


class Video:
    """A lifecycle and the table of the video that it decides on."""

    def __init__(self, slots=4, **kwargs):
        self.rules, self.table = Lifecycle(**kwargs), TrackTable.empty(slots)

    def step(self, scores):
        return self.rules.step(self.table, scores)

    def slots_needed(self, scores):
        return self.rules.slots_needed(self.table, scores)


def lifecycle(slots=4, **kwargs):
    return Video(slots, **kwargs)


def started(count=1, **kwargs):
    """A lifecycle with ``count`` tracks, 100 px apart, in slots 0, 1, ... with ids 1, 2, ..."""
    module = lifecycle(**kwargs)
    module.step(frame([(0.9, 100.0 * index) for index in range(count)]))
    return module


def ids(tracks):
    return dict(zip(tracks.slots.tolist(), tracks.ids.tolist()))


# ---------------------------------------------------------------- birth


def test_confident_objects_are_born_best_first():
    objects = [(0.6, 0.0, 1), (0.49, 100.0, 2), (0.5, 200.0, 3), (0.8, 300.0, 4)]
    tracks = lifecycle().step(frame(objects))
    assert ids(tracks) == {0: 1, 1: 2, 2: 3}
    assert tracks.object_index.tolist() == [3, 0, 2, -1]
    assert tracks.born.tolist() == tracks.valid.tolist() == [True, True, True, False]
    assert not tracks.present.any()
    assert tracks.objects.tolist() == [0, 2, 3]
    assert tracks.matches.shape == (0, 2)
    # what is reported of a newborn is its object's
    np.testing.assert_array_equal(tracks.boxes_xyxy, [box(300), box(0), box(200)])
    np.testing.assert_allclose(tracks.scores, [0.8, 0.6, 0.5])
    assert tracks.labels.tolist() == [4, 1, 3]


def test_thresholds_of_detection_and_birth():
    objects = [(0.4, 0.0), (0.6, 100.0), (0.8, 200.0)]
    assert len(lifecycle(new_thr=0.7).step(frame(objects)).ids) == 1
    tracks = lifecycle(det_thr=0.3).step(frame(objects))
    assert tracks.objects.tolist() == [0, 1, 2]
    assert len(tracks.ids) == 2
    assert len(lifecycle(det_thr=0.7).step(frame(objects)).ids) == 1  # only detections are born


def test_an_object_is_born_whose_tracklet_took_another():
    """S says that two objects are the track: one matches, the other is somebody new, unless its
    box is that of a track."""
    claims = {(0, 0): 0.9, (1, 0): 0.8}
    tracks = started().step(frame([(0.9, 0.0), (0.9, 50.0)], [(0.9, 0.0)], claims))
    assert ids(tracks) == {0: 1, 1: 2}
    assert tracks.matches.tolist() == [[0, 0]]
    twin = started().step(frame([(0.9, 0.0), (0.9, 2.0)], [(0.9, 0.0)], claims))
    assert ids(twin) == {0: 1}


@pytest.mark.parametrize('seed', range(10))
def test_with_a_free_tracklet_an_unmatched_object_is_below_the_gate(seed):
    """So births need no look at S: who reaches the gate with a free tracklet is matched."""
    random = np.random.default_rng(seed)
    module = lifecycle(12)
    module.step(frame([(0.9, 100.0 * index) for index in range(4)], slots=12))
    # two are lost, and all four are far from every object
    module.step(frame([], [(0.9, 0.0), (0.9, 100.0), (0.1, 200.0), (0.1, 300.0)], slots=12))
    association = {(i, k): random.random() for i in range(6) for k in range(4)}
    objects = [(0.9, 1000.0 + 100 * i, int(random.integers(2))) for i in range(6)]
    tracks = module.step(frame(objects, [(0.1, 0.0)] * 4, association, slots=12))
    unmatched = set(range(6)) - set(tracks.matches[:, 0].tolist())
    free = set(range(4)) - set(tracks.matches[:, 1].tolist())
    assert all(association[i, k] < 0.5 or objects[i][2] == 1 for i in unmatched for k in free)
    assert set(tracks.object_index[tracks.born].tolist()) == unmatched


def test_padded_slots_claim_nothing():
    tracks = lifecycle().step(frame([(0.9, 0.0)], (), {(0, 2): 0.99}))
    assert ids(tracks) == {0: 1}
    assert tracks.matches.shape == (0, 2)


# ---------------------------------------------------------------- matching


def test_matched_tracks_live_whatever_their_own_score():
    tracks = started(2).step(
        frame([(0.9, 105.0), (0.9, 5.0)], [(0.2, 4.0), (0.7, 104.0)], {(1, 0): 0.8, (0, 1): 0.5})
    )
    assert ids(tracks) == {0: 1, 1: 2}
    assert sorted(tracks.matches.tolist()) == [[0, 1], [1, 0]]
    assert tracks.object_index.tolist() == [1, 0, -1, -1]
    assert tracks.present.tolist() == tracks.valid.tolist() == [True, True, False, False]
    assert not tracks.born.any()
    # what is reported of a tracklet is its own
    order = np.argsort(tracks.slots)
    np.testing.assert_array_equal(tracks.boxes_xyxy[order], [box(4), box(104)])
    np.testing.assert_allclose(tracks.scores[order], [0.2, 0.7])


def test_whose_box_is_given_out():
    """Of a matched track by choice, of one that lives by its own score the tracklet's."""
    scores = frame([(0.9, 3.0)], [(0.7, 1.0), (0.8, 101.0)], {(0, 0): 0.9})
    for report, x, score in (('tracklet', 1.0, 0.7), ('object', 3.0, 0.9)):
        tracks = started(2, report=report).step(scores)
        assert ids(tracks) == {0: 1, 1: 2}
        np.testing.assert_allclose(tracks.boxes_xyxy, [box(x), box(101.0)])
        np.testing.assert_allclose(tracks.scores, [score, 0.8], rtol=1e-6)
    with pytest.raises(ValueError, match=r"lifecycle.report='both' must be 'tracklet' or 'object'"):
        lifecycle(report='both')


def test_gate_and_detection_threshold_of_a_match():
    def after(score, association, **kwargs):
        tracks = started(**kwargs).step(
            frame([(score, 300.0)], [(0.1, 0.0)], {(0, 0): association})
        )
        return tracks.matches.tolist(), tracks.present.tolist()[0]

    assert after(0.9, 0.5) == ([[0, 0]], True)
    assert after(0.9, 0.49) == ([], False)
    assert after(0.9, 0.49, gate=0.4) == ([[0, 0]], True)
    assert after(0.49, 0.9) == ([], False)  # no detection, no match


def test_pairs_below_the_gate_do_not_outbid_one_above_it():
    tracks = started(2).step(
        frame(
            [(0.9, 0.0), (0.9, 100.0)],
            [(0.1, 0.0), (0.1, 100.0)],
            {(0, 0): 0.51, (0, 1): 0.45, (1, 0): 0.45, (1, 1): 0.0},
        )
    )
    assert tracks.matches.tolist() == [[0, 0]]


@pytest.mark.parametrize('seed', range(30))
def test_assignment_equals_brute_force(seed):
    """The one-to-one pairs above the gate with the largest sum of S, over all permutations."""
    random = np.random.default_rng(seed)
    count, slots, gate = random.integers(1, 6), random.integers(1, 6), 0.4
    module = lifecycle(slots, gate=gate)
    module.step(frame([(0.9, 100.0 * index) for index in range(slots)], slots=slots))
    module.rules.new_thr = 2.0  # nobody else is born
    scores = random.random((count, slots))
    association = {(i, k): scores[i, k] for i in range(count) for k in range(slots)}
    tracks = module.step(
        frame([(0.9, 100.0 * i) for i in range(count)], [(0.1, 0.0)] * slots, association, slots)
    )
    gated = np.where(scores >= gate, scores, 0)
    size = max(count, slots)
    square = np.zeros((size, size))
    square[:count, :slots] = gated
    best = max(square[range(size), order].sum() for order in permutations(range(size)))
    objects, matched = tracks.matches.T
    assert len(set(objects)) == len(set(matched)) == len(tracks.matches)
    assert (scores[objects, matched] >= gate).all()
    assert scores[objects, matched].sum() == pytest.approx(best, abs=1e-5)


# ---------------------------------------------------------------- keep, lose, recover, end


def test_unmatched_tracks_live_by_their_own_score():
    module = started(2)
    tracks = module.step(frame([], [(0.5, 0.0), (0.49, 100.0)]))
    assert ids(tracks) == {0: 1}
    assert tracks.present.tolist() == [True, False, False, False]
    assert tracks.valid.tolist() == [True, True, False, False]  # lost, but remembered
    assert tracks.object_index.tolist() == [-1] * 4
    assert len(started(keep_thr=0.6).step(frame([], [(0.55, 0.0)])).ids) == 0


def test_a_lost_track_is_recovered_with_its_id():
    module = started(2)
    for _ in range(5):
        tracks = module.step(frame([], [(0.1, 0.0), (0.9, 100.0)]))
        assert ids(tracks) == {1: 2}
        assert not tracks.present[0]
    tracks = module.step(frame([(0.9, 20.0)], [(0.1, 18.0), (0.9, 100.0)], {(0, 0): 0.8}))
    assert ids(tracks) == {0: 1, 1: 2}
    assert module.table.misses.tolist() == [0, 0, 0, 0]


def test_a_lost_track_comes_after_those_of_the_frame_before():
    module = started(2)
    # track 2 is lost, and track 1 is where it was
    module.step(frame([(0.9, 0.0)], [(0.9, 0.0), (0.1, 100.0)], {(0, 0): 0.9}))
    claims = {(0, 0): 0.6, (0, 1): 0.99}
    tracks = module.step(frame([(0.9, 0.0)], [(0.9, 0.0), (0.1, 0.0)], claims))
    assert tracks.matches.tolist() == [[0, 0]]
    # what is left goes to the lost one
    objects, claims = [(0.9, 0.0), (0.9, 100.0)], {(0, 0): 0.6, (0, 1): 0.99, (1, 1): 0.7}
    tracks = module.step(frame(objects, [(0.9, 0.0), (0.1, 0.0)], claims))
    assert sorted(tracks.matches.tolist()) == [[0, 0], [1, 1]]


def test_a_track_ends_after_the_tolerance_and_its_slot_is_used_again():
    module = started(2, miss_tolerance=3)
    lost = [(0.1, 0.0), (0.9, 100.0)]
    for miss in (1, 2, 3):
        assert module.step(frame([], lost)).valid.tolist() == [True, True, False, False]
        assert module.table.misses[0] == miss
    tracks = module.step(frame([(0.9, 500.0)], lost))  # the fourth miss in a row
    # the slot is free in the very frame, the id is new
    assert ids(tracks) == {1: 2, 0: 3}
    assert tracks.born.tolist() == [True, False, False, False]
    assert tracks.object_index.tolist() == [0, -1, -1, -1]
    assert module.table.misses.tolist() == [0, 0, 0, 0]


def test_misses_count_only_in_a_row():
    module = started(miss_tolerance=2)
    for score in (0.1, 0.1, 0.9, 0.1, 0.1):
        assert module.step(frame([], [(score, 0.0)])).valid[0]
    assert not module.step(frame([], [(0.1, 0.0)])).valid.any()


def test_tolerance_zero_ends_at_the_first_miss():
    assert not started(miss_tolerance=0).step(frame([], [(0.1, 0.0)])).valid.any()


def test_an_ended_track_claims_objects_in_its_last_frame_only():
    module = started(miss_tolerance=0)
    claimed = frame([(0.4, 0.0), (0.9, 100.0)], [(0.1, 0.0)], {(1, 0): 0.4})
    assert ids(module.step(claimed)) == {0: 2}


def test_a_new_video_starts_with_id_1():
    """One set of rules, two videos: neither sees the other's ids and ages."""
    module, second = started(3), TrackTable.empty(2)
    tracks = module.rules.step(second, frame([(0.9, 0.0)], slots=2))
    assert ids(tracks) == {0: 1}
    assert second.ids.tolist() == [1, -1]
    assert module.table.ids.tolist() == [1, 2, 3, -1]
    assert module.table.misses.tolist() == [0, 0, 0, 0]


def test_frames_without_objects_or_tracks():
    module = lifecycle()
    for _ in range(3):
        tracks = module.step(frame())
        assert tracks.boxes_xyxy.shape == (0, 4)
        assert len(tracks.ids) == len(tracks.objects) == 0
        assert not tracks.valid.any()
    assert ids(module.step(frame([(0.9, 0.0)]))) == {0: 1}


# ---------------------------------------------------------------- slots


def test_more_tracks_than_slots():
    module = lifecycle(2)
    full = frame([(0.9, 100.0 * index) for index in range(5)], slots=2)
    assert module.slots_needed(full) == 5
    module.table.grow(5)
    grown = frame([(0.9, 100.0 * index) for index in range(5)], slots=5)
    tracks = module.step(grown)
    assert ids(tracks) == {slot: slot + 1 for slot in range(5)}
    # the living keep their slots when slots are added
    module.table.grow(8)
    assert module.table.ids.tolist() == [1, 2, 3, 4, 5, -1, -1, -1]
    assert module.slots_needed(frame(slots=8)) == 5


def test_slots_needed_covers_every_possible_birth():
    module = started(2)
    objects = [(0.9, 0.0), (0.9, 300.0), (0.4, 400.0), (0.9, 500.0)]
    assert module.slots_needed(frame(objects, (), {(0, 0): 0.9})) == 2 + 2


# ---------------------------------------------------------------- guards


def test_no_birth_on_a_live_track():
    """S misses a tracked target: its object starts no track (IoU 0.67), a neighbour's does."""
    tracks = started().step(frame([(0.9, 2.0)], [(0.9, 0.0)]))
    assert ids(tracks) == {0: 1}
    tracks = started().step(frame([(0.9, 3.0)], [(0.9, 0.0)]))
    assert ids(tracks) == {0: 1, 1: 2}
    tracks = started(birth_iou=0.7).step(frame([(0.9, 2.0)], [(0.9, 0.0)]))
    assert ids(tracks) == {0: 1, 1: 2}


def test_no_birth_on_a_newborn():
    tracks = lifecycle().step(frame([(0.8, 2.0), (0.9, 0.0), (0.7, 3.0)]))
    assert tracks.object_index.tolist() == [1, 2, -1, -1]


def test_a_lost_track_does_not_prevent_a_birth():
    tracks = started().step(frame([(0.9, 0.0)], [(0.1, 0.0)]))
    assert ids(tracks) == {1: 2}


def test_no_unmatched_track_lives_on_a_matched_one():
    """Track 2 slides onto track 1's target and scores high there: it is lost."""
    objects, pair = [(0.9, 1.0)], {(0, 0): 0.9}
    tracks = started(2).step(frame(objects, [(0.6, 1.0), (0.99, 3.0)], pair))
    assert ids(tracks) == {0: 1}
    assert tracks.valid.tolist() == [True, True, False, False]
    tracks = started(2).step(frame(objects, [(0.6, 1.0), (0.99, 4.0)], pair))
    assert ids(tracks) == {0: 1, 1: 2}
    tracks = started(2, keep_iou=0.7).step(frame(objects, [(0.6, 1.0), (0.99, 3.0)], pair))
    assert ids(tracks) == {0: 1, 1: 2}


def test_of_two_unmatched_tracks_on_one_target_the_better_lives():
    tracks = started(2).step(frame([], [(0.7, 1.0), (0.8, 2.0)]))
    assert ids(tracks) == {1: 2}


class ForgetfulNetwork:
    """A scripted network: perfect detections, tracklets that stick to their target, but S misses.

    Five targets move on parallel lines. In each frame S misses a target with probability 0.2. A
    tracklet that was born from a target's object decodes onto it for ever, with a high score.
    """

    def __init__(self, slots, seed=0):
        self.random, self.slots = np.random.default_rng(seed), slots
        self.target = np.full(slots, -1)

    def frame(self, t):
        boxes = np.array([box(2.0 * t, 40.0 * target) for target in range(5)], dtype=np.float32)
        missed = self.random.random(5) < 0.2
        jitter = self.random.uniform(-0.5, 0.5, (self.slots, 4)).astype(np.float32)
        targets = np.arange(5)[:, None]
        same = (targets == self.target) & ~missed[:, None]
        return FrameScores(
            object_scores=np.full(5, 0.95, dtype=np.float32),
            object_labels=np.zeros(5, dtype=np.int64),
            object_boxes_xyxy=boxes,
            tracklet_scores=np.full(self.slots, 0.9, dtype=np.float32),
            tracklet_labels=np.zeros(self.slots, dtype=np.int64),
            tracklet_boxes_xyxy=boxes[self.target] + jitter,
            association=np.where(same, 0.95, 0.02).astype(np.float32),
        )

    def follow(self, tracks):
        self.target[tracks.born] = tracks.object_index[tracks.born]


def overlapping_over_time(frames=100, slots=512, **kwargs):
    """Overlapping live pairs in each frame and the ids that were given out."""
    network, module = ForgetfulNetwork(slots), lifecycle(slots, **kwargs)
    pairs, seen = [], set()
    for t in range(frames):
        tracks = module.step(network.frame(t))
        network.follow(tracks)
        pairs.append(overlapping_pairs(tracks.boxes_xyxy, 0.6))
        seen.update(tracks.ids.tolist())
    return pairs, seen


def test_two_live_tracks_never_settle_on_one_target():
    pairs, seen = overlapping_over_time()
    assert pairs == [0] * 100
    assert seen == {1, 2, 3, 4, 5}


def test_without_the_guards_they_do():
    """The script above is a test of the guards: without them duplicates pile up."""
    pairs, seen = overlapping_over_time(birth_iou=1.1, keep_iou=1.1)
    assert pairs[-1] > 5
    assert len(seen) > 10


def test_overlapping_pairs_are_counted():
    boxes = np.array([box(0), box(1), box(2), box(50)], dtype=np.float32)
    assert overlapping_pairs(boxes, 0.6) == 3  # IoU 0.82, 0.82, 0.67
    assert overlapping_pairs(boxes, 0.7) == 2
    assert overlapping_pairs(boxes[:1], 0.6) == overlapping_pairs(boxes[:0], 0.6) == 0


# ---------------------------------------------------------------- classes

WASP, BEE = 1, 2


def wasp(**kwargs):
    """A track of a wasp at x = 0."""
    module = lifecycle(**kwargs)
    module.step(frame([(0.9, 0.0, WASP)]))
    return module


def test_a_track_of_a_wasp_takes_no_bee():
    bee = frame([(0.9, 1.0, BEE)], [(0.9, 200.0, WASP)], {(0, 0): 0.95})
    tracks = wasp().step(bee)
    assert tracks.matches.shape == (0, 2)
    assert ids(tracks) == {0: 1, 1: 2}
    assert dict(zip(tracks.ids.tolist(), tracks.labels.tolist())) == {1: WASP, 2: BEE}
    tracks = wasp(class_agnostic=True).step(bee)
    assert tracks.matches.tolist() == [[0, 0]]
    assert ids(tracks) == {0: 1}


def test_a_bee_does_not_outbid_a_wasp():
    both = frame(
        [(0.9, 1.0, BEE), (0.9, 2.0, WASP)], [(0.9, 2.0, WASP)], {(0, 0): 0.95, (1, 0): 0.6}
    )
    assert wasp().step(both).matches.tolist() == [[1, 0]]
    assert wasp(class_agnostic=True).step(both).matches.tolist() == [[0, 0]]


def test_a_lost_wasp_is_not_found_as_a_bee():
    module = wasp()
    module.step(frame([], [(0.1, 0.0, WASP)]))
    tracks = module.step(frame([(0.9, 0.0, BEE)], [(0.1, 0.0, WASP)], {(0, 0): 0.9}))
    assert ids(tracks) == {1: 2}
    claims = {(0, 0): 0.9, (0, 1): 0.2}
    found = frame([(0.9, 0.0, WASP)], [(0.1, 0.0, WASP), (0.9, 0.0, BEE)], claims)
    assert ids(module.step(found)) == {0: 1, 1: 2}


def test_a_bee_on_a_wasp_is_born_and_kept():
    """The guards are against two tracks on one target, and a bee and a wasp are two."""
    objects, claims = [(0.9, 0.0, WASP), (0.9, 1.0, BEE)], {(0, 0): 0.9}
    born = frame(objects, [(0.9, 0.0, WASP)], claims)
    for agnostic, expected in ((False, {0: 1, 1: 2}), (True, {0: 1})):
        assert ids(wasp(class_agnostic=agnostic).step(born)) == expected
    # the bee is no detection in the next frame, its track lives by its own score
    module = wasp()
    module.step(born)
    kept = frame([(0.9, 0.0, WASP)], [(0.9, 0.0, WASP), (0.9, 1.0, BEE)], claims)
    assert ids(module.step(kept)) == {0: 1, 1: 2}
    module = wasp(class_agnostic=True, birth_iou=1.0)
    module.step(born)
    assert ids(module.step(kept)) == {0: 1}


def test_two_of_one_class_are_guarded_beside_another_class():
    objects = [(0.9, 0.0, WASP), (0.8, 1.0, BEE), (0.7, 2.0, BEE), (0.6, 1.0, WASP)]
    tracks = lifecycle().step(frame(objects))
    assert tracks.object_index.tolist() == [0, 1, -1, -1]


def test_a_label_does_not_flicker():
    """A wasp that is taken for a bee now and then, with lower scores, and once more surely."""
    module = wasp()  # 0.9 for WASP
    seen = []
    for label, score in [(BEE, 0.6), (WASP, 0.7), (BEE, 0.6), (WASP, 0.8), (BEE, 0.99)]:
        tracks = module.step(frame([], [(score, 0.0, label)]))
        seen += tracks.labels.tolist()
        assert ids(tracks) == {0: 1}
    assert seen == [WASP] * 5


def test_a_label_that_was_wrong_at_birth_is_outvoted():
    """And matches from then on are of the other class."""
    module = wasp()
    labels = [module.step(frame([], [(0.6, 0.0, BEE)])).labels.tolist()[0] for _ in range(3)]
    assert labels == [WASP, BEE, BEE]
    tracks = module.step(frame([(0.9, 0.0, BEE)], [(0.6, 0.0, BEE)], {(0, 0): 0.9}))
    assert tracks.matches.tolist() == [[0, 0]]


def test_a_lost_track_does_not_vote():
    module = wasp()
    for _ in range(5):
        module.step(frame([], [(0.45, 0.0, BEE)]))
    tracks = module.step(frame([(0.9, 0.0, WASP)], [(0.4, 0.0, BEE)], {(0, 0): 0.9}))
    assert tracks.labels.tolist() == [WASP]


# ---------------------------------------------------------------- broken input


@pytest.mark.parametrize('name', ['object_scores', 'tracklet_boxes_xyxy', 'association'])
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_scores_that_are_not_finite_are_named(name, value):
    scores = frame([(0.9, 0.0)])
    getattr(scores, name).flat[0] = value
    module = lifecycle()
    with pytest.raises(FloatingPointError, match=f'{name} of this frame are not finite'):
        module.step(scores)
    assert (module.table.ids == -1).all()
