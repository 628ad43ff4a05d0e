"""Counts of association, worked by hand."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from lamotr_mm.evaluation.association import AssociationCounter, association_scores

LEFT, MIDDLE, RIGHT = [0, 0, 10, 10], [50, 0, 60, 10], [100, 0, 110, 10]


def frame(number, truth, objects, scores, tracklet_ids, matches, tracks, video=0, pairs=0):
    """`truth`: {id: box} (ignored: negative id); `tracks`: {id: box}, the output of the frame."""
    sample = DetDataSample(
        metainfo=dict(
            frame_id=number,
            video_id=video,
            instances=[
                dict(bbox=box, instance_id=abs(i), bbox_label=0, ignore_flag=int(i < 0))
                for i, box in truth.items()
            ],
            association=dict(
                scores=np.array(scores, dtype=np.float32).reshape(len(objects), len(tracklet_ids)),
                object_bboxes=np.array(list(objects), dtype=np.float32).reshape(-1, 4),
                tracklet_ids=np.array(tracklet_ids, dtype=np.int64),
                matches=np.array(matches, dtype=np.int64).reshape(-1, 2),
                overlapping_live_pairs=pairs,
            ),
        )
    )
    sample.pred_track_instances = InstanceData(
        bboxes=torch.tensor(list(tracks.values()), dtype=torch.float32).reshape(-1, 4),
        instances_id=torch.tensor(list(tracks), dtype=torch.int64),
    )
    return sample


@pytest.fixture
def counter():
    """After a first frame in which tracks 1, 2, 3 are born on targets 11, 12 and on nothing."""
    counter = AssociationCounter(gate=0.5, iou_thr=0.5)
    tracks = {1: LEFT, 2: MIDDLE, 3: RIGHT}
    counter.add(frame(0, {11: LEFT, 12: MIDDLE}, tracks.values(), [], [], [], tracks))
    return counter


def counts(counter):
    return [counter.counts[name] for name in AssociationCounter.NAMES]


def test_a_first_frame_has_no_pairs(counter):
    assert counts(counter) == [0, 0, 0, 0, 0, 0, 1]


def test_right_wrong_and_missing_pairs(counter):
    """Target 11 is matched to its track; 12's track is given 11's score too, and misses its own."""
    scores = [[0.9, 0.6, 0.1], [0.2, 0.4, 0.1]]
    counter.add(frame(1, {11: LEFT, 12: MIDDLE}, [LEFT, MIDDLE], scores, [1, 2, 3], [[0, 0]], {}))
    assert counts(counter) == [1, 1, 1, 1, 2, 0, 2]
    assert association_scores(counter.counts) == {
        'asso_precision': 0.5,
        'asso_recall': 0.5,
        'asso_f1': 0.5,
        'asso_carried': 0.5,
        'overlapping_live_pairs': 0,
    }


def test_a_swap_carries_nothing_on(counter):
    scores = [[0.1, 0.9, 0.5], [0.9, 0.1, 0.0]]
    matches = [[0, 1], [1, 0]]
    counter.add(frame(1, {11: LEFT, 12: MIDDLE}, [LEFT, MIDDLE], scores, [1, 2, 3], matches, {}))
    # the false track 3 claims a target at exactly the gate: a false pair as well
    assert counts(counter) == [0, 3, 2, 0, 2, 0, 2]


def test_a_target_that_left_is_not_to_be_carried_on(counter):
    counter.add(frame(1, {12: MIDDLE}, [MIDDLE], [[0.1, 0.9, 0]], [1, 2, 3], [[0, 1]], {}))
    assert counts(counter) == [1, 0, 0, 1, 1, 0, 2]


def test_pairs_without_a_truth_do_not_count(counter):
    """A false object and the false track 3; an object on ignored ground truth and anything."""
    truth = {11: LEFT, -99: MIDDLE}
    objects = [RIGHT, MIDDLE]
    scores = [[0, 0, 0.9], [0.9, 0.9, 0.9]]
    counter.add(frame(1, truth, objects, scores, [1, 2, 3], [[0, 2]], {}))
    assert counts(counter) == [0, 0, 0, 0, 1, 0, 2]
    # a false object and a true track are a false pair
    counter.add(frame(2, truth, [RIGHT], [[0.7, 0, 0]], [1, 2, 3], [], {}))
    assert counts(counter)[:3] == [0, 1, 0]


def test_identity_is_that_of_the_last_frame_on_a_target(counter):
    """Track 1 wanders to target 12, then shows on nothing: it stays 12."""
    truth = {11: LEFT, 12: MIDDLE}
    counter.add(frame(1, truth, [], [], [1], [], {1: MIDDLE}))
    counter.add(frame(2, truth, [], [], [1], [], {1: RIGHT}))
    counter.add(frame(3, truth, [LEFT, MIDDLE], [[0.0], [0.9]], [1], [[1, 0]], {}))
    assert counter.counts['asso_tp'] == 1
    assert counter.counts['asso_fp'] == 0


@pytest.mark.parametrize('start', [dict(number=0), dict(number=5, video=1)])
def test_identities_end_with_the_video(counter, start):
    counter.add(
        frame(
            truth={11: LEFT},
            objects=[LEFT],
            scores=[[0.9]],
            tracklet_ids=[1],
            matches=[[0, 0]],
            tracks={},
            **start,
        )
    )
    # track 1 is unknown in this video: associating a target with it is false
    assert counts(counter)[:5] == [0, 1, 0, 0, 0]


def test_overlapping_pairs_and_other_models(counter):
    counter.add(frame(1, {}, [], [], [], [], {}, pairs=3))
    counter.add(DetDataSample(metainfo=dict(frame_id=2)))  # no association: another tracker
    assert association_scores(counter.counts) == {'overlapping_live_pairs': 1.5}
    counter.reset()
    assert association_scores(counter.counts) == {}


def test_scores_where_nothing_was_predicted():
    none = dict(asso_tp=0, asso_fp=0, asso_fn=4, tck_carried=0, tck_total=0)
    assert association_scores(none) == {'asso_precision': 0, 'asso_recall': 0, 'asso_f1': 0}
