"""Every metric has a rule, and it is the right one."""

import numpy as np
import pytest

from lamotr_mm.evaluation.association import AssociationCounter, association_scores
from lamotr_mm.evaluation.directions import rule_of
from lamotr_mm.evaluation.sequences import evaluate_sequences


def rows(frame, track_id, x, label=1):
    return [frame, track_id, x, 0, 10, 20, 1, label]


# four targets in ten frames, 100 px apart; two classes
TRUTH = np.array(
    [rows(frame, k, 100 * k, 1 + k % 2) for frame in range(1, 11) for k in range(4)], dtype=float
)


def worse(tracks):
    """Loose boxes, a target that is never found, one that is found late, a false track on another
    track, and ids that change."""
    tracks = tracks.copy()
    tracks[:, 2] += 1
    tracks[(tracks[:, 1] == 1) & (tracks[:, 0] > 5), 1] = 11
    tracks = tracks[(tracks[:, 1] != 0) & ~((tracks[:, 1] == 2) & (tracks[:, 0] < 5))]
    false = np.array([rows(frame, 20, 500) for frame in range(1, 11)], dtype=float)
    twin = false + np.array([0, 1, 1, 0, 0, 0, 0, 0])
    return np.concatenate([tracks, false, twin])


@pytest.fixture(scope='module')
def pair():
    """Every number of a validation: of perfect tracks, and of worse ones."""
    found = []
    for tracks in (TRUTH, worse(TRUTH)):
        scores = evaluate_sequences({'a': TRUTH}, {'a': tracks}, classes=('ant', 'bee'))
        of_video = {f'a/{name}': value for name, value in scores['sequences']['a'].items()}
        found.append(scores['combined'] | of_video)
    for tp, wrong in ((9, 0), (5, 4)):
        counts = dict.fromkeys(AssociationCounter.NAMES, wrong)
        counts |= dict(asso_tp=tp, tck_carried=tp, tck_total=9, frames=10)
        found[0 if wrong == 0 else 1] |= association_scores(counts)
    return found


def test_the_rule_prefers_the_better_tracks(pair):
    perfect, bad = pair
    assert len(perfect) == 2 * 12 + 5
    for name in perfect:
        assert perfect[name] != bad[name], name
        better = max if rule_of(f'track/{name}') == 'greater' else min
        assert better(perfect[name], bad[name]) == perfect[name], name


def test_the_last_part_decides():
    """In the middle stand names of videos, in which mmengine's rule would find `top` or `loss`."""
    assert rule_of('track/laptop/FP') == rule_of('IDSW') == 'less'
    assert rule_of('track/glossy/HOTA') == rule_of('other/IDF1') == 'greater'
    assert rule_of('track/FP/HOTA') == 'greater'
    for name in ('coco/bbox_mAP', 'loss', 'HOTA/mean', 'hota'):
        assert rule_of(name) is None
