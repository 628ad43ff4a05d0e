"""Spreads against scipy and cases worked by hand; marks only where there is a difference."""

import numpy as np
import pytest
from scipy import stats

from lamotr_mm.benchmark import statistics
from lamotr_mm.benchmark.statistics import (
    DRAWS,
    SEED,
    difference_interval,
    estimates,
    marks,
    smallest_p,
)
from lamotr_mm.evaluation.counts import SIZE

TARGETS = 100
# CLR_TP, CLR_FP, CLR_FN, IDSW stand before IDTP, IDFP, IDFN
TP, FP, FN, IDSW = (SIZE - 7 + k for k in range(4))


def counts_of(missed, switches=0):
    """``(seeds, sequences, SIZE)``: of 100 targets some are missed, so MOTA is what is left."""
    missed = np.asarray(missed, float)
    counts = np.zeros((*missed.shape, SIZE))
    counts[..., TP], counts[..., FN] = TARGETS - missed, missed
    counts[..., IDSW] = switches
    return counts


MISSED = np.array([3, 10, 25, 4, 40, 18, 9, 30])


def test_interval_of_one_seed_is_scipys():
    """Sequences of equal length: MOTA of all of them is the mean of each one's."""
    found = estimates(counts_of([MISSED]))['MOTA']
    mota = 100.0 - MISSED
    expected = stats.bootstrap(
        [mota], np.mean, n_resamples=DRAWS, method='percentile', rng=np.random.default_rng(SEED)
    ).confidence_interval
    assert found.mean == pytest.approx(mota.mean())
    assert found.deviation is None
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_spread_over_seeds():
    found = estimates(counts_of([MISSED, MISSED + 2, MISSED + 7]))['MOTA']
    mota = 100 - MISSED.mean() - np.array([0, 2, 7])
    assert found.mean == pytest.approx(mota.mean())
    assert found.deviation == pytest.approx(mota.std(ddof=1))
    one = estimates(counts_of([MISSED + 3]))['MOTA']
    assert found.high - found.low > one.high - one.low  # seeds vary as well


def test_nothing_varies():
    found = estimates(counts_of([[10] * 5] * 2))['MOTA']
    assert (found.mean, found.deviation, found.low, found.high) == pytest.approx((90, 0, 90, 90))
    alone = estimates(counts_of([[10]]))['MOTA']
    assert (alone.low, alone.high) == (None, None)


def test_differences_are_paired():
    """Sequences differ by far more than rows do; on each of them the second row misses two more."""
    low, high = difference_interval(counts_of([MISSED]), counts_of([MISSED + 2]), 'MOTA')
    assert (low, high) == pytest.approx((2, 2))


def test_seeds_of_two_rows_are_drawn_for_each():
    """One seed of four fails: the interval of the difference has to reach to both sides."""
    row = counts_of([MISSED, MISSED + 40])
    assert difference_interval(row, row, 'MOTA')[0] < -10
    low, high = difference_interval(row, row, 'MOTA')
    assert low == pytest.approx(-high, abs=3)


def test_marks():
    rows = dict(
        reference=counts_of([MISSED]),
        better=counts_of([MISSED - 2]),
        worse=counts_of([MISSED + 1], switches=3),
        mixed=counts_of([MISSED + np.array([3, -3] * 4)]),
    )
    found, why = marks(rows, 'reference')
    assert why == ''
    assert found['better']['MOTA'] == '+' and found['worse']['MOTA'] == '-'
    # a count of which less is better
    assert found['worse']['IDSW'] == '-' and found['better']['IDSW'] == ''
    assert found['mixed']['MOTA'] == ''
    assert set(found['reference'].values()) == {''}


@pytest.mark.parametrize(('others', 'needed'), [(1, 6), (2, 7), (9, 9)])
def test_too_few_sequences_get_no_marks(others, needed):
    """The same sign on n sequences has probability 2 * 0.5 ** n."""
    assert smallest_p(6) == 2 * 0.5**6

    def of(count):
        missed = np.arange(count) + 20
        rows = {f'row {k}': counts_of([missed - 5]) for k in range(others)}
        return marks({'reference': counts_of([missed]), **rows}, 'reference')

    few, why = of(needed - 1)
    assert few['row 0']['MOTA'] == ''
    assert why == (
        f'{needed - 1} sequences are too few to compare {others + 1} rows: {needed} are needed'
    )
    enough, why = of(needed)
    assert (enough['row 0']['MOTA'], why) == ('+', '')


def test_a_stricter_level_for_many_rows(monkeypatch):
    asked = []

    def interval(row, reference, metric, level):
        asked.append(level)
        return -1.0, 1.0

    monkeypatch.setattr(statistics, 'difference_interval', interval)
    rows = {f'{k}': counts_of([MISSED]) for k in range(6)}
    marks(rows, '0')
    assert asked == pytest.approx([0.99] * len(asked))
