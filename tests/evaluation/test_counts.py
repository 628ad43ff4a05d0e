"""Added-up counts give TrackEval's scores of any choice of sequences."""

import numpy as np
import pytest

from lamotr_mm.evaluation import evaluate_sequences
from lamotr_mm.evaluation.counts import ALPHAS, hota_by_alpha, scores_of_counts

NAMES = ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1', 'IDSW', 'FP', 'FN')


def sequence(seed, classes=1):
    """Ground truth and tracks that wander off, swap ids, miss targets and invent others."""
    rng = np.random.default_rng(seed)
    truth, tracks = [], []
    for frame in range(1, 13):
        for target in range(1, 5):
            box = [40 * target + frame, 10, 20, 40]
            label = 1 + target % classes
            truth.append([frame, target, *box, 1, label])
            if rng.random() < 0.8:
                moved = box + rng.normal(0, 3, 4)
                owner = target + 10 * int(rng.random() < 0.2)
                tracks.append([frame, owner, *moved, 0.9, label])
        tracks.append([frame, 99, 300, 10 * rng.random(), 20, 40, 0.5, 1])
    return np.array(truth, float), np.array(tracks, float)


@pytest.mark.parametrize('classes', [('object',), ('one', 'two')])
def test_sums_are_trackevals_scores(classes):
    made = {f's{seed}': sequence(seed, len(classes)) for seed in range(3)}

    def evaluate(names):
        named = {f'{name}-{copy}': made[name] for copy, name in enumerate(names)}
        truth, tracks = ({k: v[i] for k, v in named.items()} for i in (0, 1))
        return evaluate_sequences(truth, tracks, classes=classes)

    counts = {name: np.array(evaluate([name])['counts'][f'{name}-0']) for name in made}
    for names in (['s0'], ['s0', 's1', 's2'], ['s1', 's1', 's2'], ['s2'] * 3):  # as a bootstrap
        expected = evaluate(names)['combined']
        found = scores_of_counts(sum(counts[name] for name in names))
        for name in NAMES:
            assert found[name] == pytest.approx(expected[name], abs=1e-9), name
        assert expected['AssA'] < 95 and expected['IDSW'] > 0


def test_many_at_once_and_by_alpha():
    truth, tracks = sequence(0)
    counts = np.array(evaluate_sequences(dict(a=truth), dict(a=tracks))['counts']['a'])
    many = scores_of_counts(np.stack([[counts, 2 * counts]] * 3))
    assert many['HOTA'].shape == (3, 2)
    np.testing.assert_allclose(many['HOTA'], many['HOTA'][0, 0])  # a copy changes no ratio
    curve = hota_by_alpha(counts)['HOTA']
    assert curve.shape == ALPHAS.shape == (19,)
    assert curve.mean() == pytest.approx(many['HOTA'][0, 0])
    # a box that fits an IoU fits every lower one
    assert curve[0] > curve[-1]
