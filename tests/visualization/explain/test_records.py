"""What the page is told of a frame and of the tracks, on the story of explain_story.py."""

import dataclasses

import numpy as np
import pytest
from explain_story import LAYERS, PRIOR, SWITCH, logit

from lamotr_mm.visualization.explain import Step, TruthRecord, life_events, switch_events
from lamotr_mm.visualization.explain.records import _pairs


def test_states(story):
    states = [{track.id: track.state for track in frame.tracks} for frame in story]
    assert states == [
        {1: 'born', 2: 'born'},
        {1: 'matched', 2: 'matched'},
        {1: 'lost', 2: 'matched'},
        {1: 'lost', 2: 'matched', 3: 'born'},
        {1: 'ended', 2: 'lost', 3: 'matched'},
        {2: 'matched', 3: 'matched'},
    ]


def test_boxes_and_objects(story):
    first, later = story[0].track(1), story[4].track(2)
    assert (first.before, first.after, first.box) == (None, None, [20, 40, 70, 160])
    assert (first.score, first.object, first.out) == (0.9, 0, True)
    assert (later.before, later.after, later.box) == (
        [166, 46, 216, 166], [160, 40, 210, 160], None
    )  # fmt: skip
    # the weak object is told of, since it would have done
    assert [(item.query, item.fate, item.id) for item in story[4].objects] == [
        (0, 'matched', 3),
        (1, 'weak', -1),
    ]


def test_scores_and_their_terms(story):
    frame = story[3]
    assert frame.scores == [[300, 20], [40, 900]], 'the newborn has no column'
    assert len(frame.pairs) == 4
    for row, column, *terms in frame.pairs:
        total = PRIOR + sum(terms[: 2 * LAYERS]) / 100
        assert total == pytest.approx(logit(frame.scores[row][column] / 1000), abs=0.01 * LAYERS)
    looks = {(row, column): terms[2 * LAYERS :] for row, column, *terms in frame.pairs}
    assert looks[1, 0] == [400, 400] and looks[0, 1] == [200, 200]
    spatial, attention = frame.pairs[0][2:4], frame.pairs[0][4:6]
    share = 100 * (logit(0.3) - PRIOR) / 4
    np.testing.assert_allclose(spatial, [share, share], atol=0.5)
    np.testing.assert_allclose(attention, [0.5 * share, 1.5 * share], atol=0.5)


def test_pairs_that_matter():
    """Of 20 x 20 pairs: 4 best and 2 most attended objects of each tracklet, 2 best of objects."""
    random = np.random.default_rng(0)
    association = random.random((20, 20))
    looks = random.random((LAYERS, 20, 20))

    class View:
        spatial = attention = random.random((LAYERS, 20, 20))

    View.looks = looks
    everything = np.arange(20)
    kept = {tuple(pair[:2]) for pair in _pairs(association, everything, everything, View)}
    expected = set()
    for i in range(20):
        expected |= {(o, i) for o in sorted(everything, key=lambda o: -association[o, i])[:4]}
        expected |= {(o, i) for o in sorted(everything, key=lambda o: -looks[:, i, o].mean())[:2]}
        expected |= {(i, t) for t in sorted(everything, key=lambda t: -association[i, t])[:2]}
    assert kept == expected


def test_life_events(story):
    assert [(e.frame, e.kind, e.id) for e in life_events(story)] == [
        (1, 'born', 1),
        (1, 'born', 2),
        (3, 'lost', 1),
        (4, 'born', 3),
        (5, 'ended', 1),
        (5, 'lost', 2),
        (6, 'found', 2),
    ]


def test_a_switch_leads_to_the_loss(story):
    (event,) = switch_events([SWITCH], story)
    assert event[:4] == (4, 'switch', 3, 'target 11: id 1 → id 3')
    assert event.steps == [Step(3, 1, 'id 1 is lost'), Step(4, 3, 'id 3 starts')]


def test_a_switch_leads_to_the_other_target(story):
    """1 goes to target 12 in frame 3, and 2, which had it, takes target 11 in frame 4."""
    before, swap, after = (dataclasses.replace(story[1], number=number) for number in (2, 3, 4))
    boxes = [item.box for item in story[1].truth]
    swap.truth = [TruthRecord(11, -1, boxes[0]), TruthRecord(12, 1, boxes[1])]
    after.truth = [TruthRecord(11, 2, boxes[0]), TruthRecord(12, 1, boxes[1])]
    (event,) = switch_events([(4, 11, 2, 1, 2)], [before, swap, after])
    assert event.steps == [
        Step(3, 1, 'id 1 goes to target 12'),
        Step(4, 2, 'id 2 takes it; it had target 12 before'),
    ]


def test_a_switch_while_the_target_is_out_of_sight(story):
    """1 is lost in frame 3, when the target is not annotated; 3 has it in frame 6 only."""
    story[2].truth = story[2].truth[1:]
    (event,) = switch_events([(6, 11, 2, 1, 3)], story)
    assert event.steps == [
        Step(3, 1, 'id 1 is lost'),
        Step(4, 3, 'id 3 starts'),
        Step(6, 3, 'id 3 has target 11'),
    ]


@pytest.mark.parametrize(
    ('out', 'text'),
    [
        (True, 'the box of id 1 is off the target (IoU below 0.5)'),
        (False, 'id 1 is not given out, its score or area is too small'),
    ],
)
def test_a_switch_from_a_track_that_is_there(story, out, text):
    tracks = [dataclasses.replace(story[1].tracks[0], out=out), story[1].tracks[1]]
    off = dataclasses.replace(story[1], number=3, tracks=tracks)
    off.truth = [TruthRecord(11, -1, [0, 0, 1, 1])]
    (event,) = switch_events([(4, 11, 2, 1, 3)], [story[1], off, story[3]])
    assert event.steps[0] == Step(3, 1, text)
