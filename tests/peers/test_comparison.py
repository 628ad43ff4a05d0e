"""The search for thresholds on a function whose top is known, and on tracks."""

import pytest
from mmengine.evaluator import Evaluator

from lamotr_mm.peers.comparison import (
    load_peer,
    score,
    search,
    tracks_of,
    tune,
)


def test_search_climbs_to_the_top():
    valued = []

    def value(settings):
        valued.append(dict(settings))
        a, b = settings.get('a', 0), settings.get('b', 0)
        # b counts only where a has been found: one round is not enough
        return -((a - 2) ** 2) - (b - 3) ** 2 * (a == 2) - 10 * (a != 2)

    best, top = search({'b': [1, 3, 5], 'a': [1, 2]}, [{}], value)
    assert (best, top) == ({'a': 2, 'b': 3}, 0)
    assert len(valued) == len({tuple(sorted(each.items())) for each in valued})


def test_search_takes_the_better_start_and_moves_only_for_a_gain():
    # two tops, of which a walk along the keys from {} reaches the lower one
    heights = {(0, 0): 1, (1, 1): 2}

    def value(settings):
        return heights.get((settings.get('a', 0), settings.get('b', 0)), 0)

    grid = {'a': [0, 1], 'b': [0, 1]}
    assert search(grid, [{}], value) == ({}, 1)
    assert search(grid, [{}, dict(a=1, b=1)], value) == (dict(a=1, b=1), 2)


@pytest.fixture
def evaluator():
    evaluator = Evaluator(dict(type='lamotr_mm.TrackingMetric'))
    evaluator.dataset_meta = dict(classes=('object',))
    return evaluator


@pytest.fixture
def walkers(detected):
    """Two that move on by half their width a frame: IoU 1/3 with their last boxes."""
    return detected(
        [[[10 * t, 0, 10 * t + 20, 40], [300 - 10 * t, 0, 320 - 10 * t, 40]] for t in range(12)]
    )


def test_tuning_finds_what_the_motion_needs(peer_of, walkers, evaluator):
    """mmdet's SORT asks for IoU 0.5: a new track in every frame."""
    sort = peer_of('sort')
    scores = score(walkers, tracks_of(sort.build({}), walkers), evaluator)
    assert scores['track/DetA'] == pytest.approx(100)
    assert scores['track/AssA'] == pytest.approx(100 / 12)  # one frame of twelve
    settings, hota = tune(sort, walkers, evaluator)
    assert settings['tracker.match_iou_thr'] < 1 / 3
    assert hota == pytest.approx(100)


def test_perfect_ids_are_perfect(peer_of, walkers, evaluator):
    peer = peer_of('perfect-ids')
    assert score(walkers, tracks_of(peer.build({}), walkers), evaluator)[
        'track/HOTA'
    ] == pytest.approx(100)


def test_settings_of_one_build_do_not_reach_the_next(peer_of):
    peer = peer_of('bytetrack')
    assert peer.build({'tracker.obj_score_thrs.high': 0.25}).tracker.obj_score_thrs.high == 0.25
    assert peer.build({}).tracker.obj_score_thrs.high == 0.6


def test_every_key_of_a_grid_is_one_of_the_tracker(peer):
    for key in [*peer.grid, *(key for rows in peer.thresholds.values() for key in rows)]:
        found = peer.model
        for name in key.split('.'):
            # what mmdet's own class defaults to may be left out of a config
            assert name in found or name in ('num_tentatives', 'num_frames_retain')
            found = found.get(name)


def test_a_config_that_is_no_peer(tmp_path):
    (tmp_path / 'other.py').write_text("model = dict(type='ByteTrack')\n")
    with pytest.raises(ValueError, match=r'other\.py has no peer=dict\('):
        load_peer(tmp_path / 'other.py')
