"""Switches against TrackEval's count, and by hand."""

import numpy as np
import pytest

from lamotr_mm.evaluation import evaluate_sequences
from lamotr_mm.evaluation.switches import Switch, clear_matches


def walk(seed, frames=40, targets=5, classes=1):
    """Random walks, and tracks that lose, mix up and invent some; a few ignored boxes."""
    random = np.random.default_rng(seed)
    truth, tracks = [], []
    places = random.uniform(0, 60, (targets, 2))
    names = np.arange(targets) + 10
    for frame in range(1, frames + 1):
        places += random.normal(0, 3, places.shape)
        if random.random() < 0.3:
            names[random.integers(targets)] = random.integers(30)
        if frame % 11 == 0:
            continue  # nothing is there
        for i, (x, y) in enumerate(places):
            label = 1 + i % classes
            if random.random() < 0.9:
                flag = float(i < targets - 1)
                truth.append([frame, 100 + i, x, y, 20, 40, flag, label])
            if random.random() < 0.8 and names[i] not in [
                row[1] for row in tracks if row[0] == frame
            ]:
                dx, dy = random.normal(0, 3, 2)
                tracks.append([frame, names[i], x + dx, y + dy, 20, 40, 0.9, label])
    return np.array(truth), np.array(tracks)


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('classes', [1, 2])
def test_as_many_as_trackeval_counts(seed, classes):
    truth, tracks = walk(seed, classes=classes)
    scores = evaluate_sequences(
        {'x': truth}, {'x': tracks}, classes=['a', 'b'][:classes], frames={'x': range(1, 41)}
    )['combined']
    found = clear_matches(truth, tracks, range(1, 41), classes)
    assert len(found.switches) == scores['IDSW'] > 2
    hits = sum(map(len, found.by_frame.values()))
    assert hits == (truth[:, 6] != 0).sum() - scores['FN']


def test_by_hand():
    """Target 1 is tracked as 7, missed in 3, tracked as 8 in 4; target 2 as 9 all along."""
    box, other = [0, 0, 10, 10], [50, 0, 10, 10]
    truth = [[f, 1, *box, 1, 1] for f in range(1, 6)] + [[f, 2, *other, 1, 1] for f in range(1, 6)]
    tracks = [[f, 9, *other, 0.9, -1] for f in range(1, 6)]
    tracks += [[1, 7, *box, 0.9, -1], [2, 7, *box, 0.9, -1], [4, 8, *box, 0.9, -1]]
    # in 5 both are there; 8 had it before and keeps it though 7 lies better
    tracks += [[5, 8, 2, 0, 10, 10, 0.9, -1], [5, 7, *box, 0.9, -1]]
    found = clear_matches(np.array(truth), np.array(tracks), range(1, 6))
    assert found.switches == [Switch(frame=4, target=1, last_frame=2, old=7, new=8)]
    assert found.by_frame == {
        1: {1: 7, 2: 9}, 2: {1: 7, 2: 9}, 3: {2: 9}, 4: {1: 8, 2: 9}, 5: {1: 8, 2: 9}
    }  # fmt: skip


def test_only_frames_that_were_tracked_count():
    truth = np.array([[f, 1, 0, 0, 10, 10, 1, 1] for f in range(1, 9)])
    tracks = np.array([[f, f, 0, 0, 10, 10, 1, 1] for f in range(3, 5)])
    found = clear_matches(truth, tracks, [3, 4])
    assert found.by_frame == {3: {1: 3}, 4: {1: 4}}
    assert found.switches == [Switch(4, 1, 3, 3, 4)]
