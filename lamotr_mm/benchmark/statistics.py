"""Means, spreads and marks, of runs whose counts by sequence are known.

Two things vary: the seed of a training and the choice of sequences. Intervals come from a bootstrap
over both (`scipy.stats.bootstrap`, percentiles): sequences are drawn with replacement, their counts
added up and scored as TrackEval scores a data set, and the mean is taken over seeds drawn with
replacement. Rows that are compared get the same sequences in each draw; seeds are drawn for each.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from lamotr_mm.evaluation.counts import scores_of_counts
from lamotr_mm.evaluation.directions import rule_of

METRICS = ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1', 'IDSW', 'FP', 'FN')
MARKED = METRICS[:6]
LEVEL = 0.95
DRAWS = 2000
SEED = 0


class Estimate(NamedTuple):
    """A score of a row.

    Attributes:
        mean: over seeds, of the score on all sequences.
        deviation: standard deviation over seeds (n - 1); None for one seed.
        low, high: ends of the 95 % interval; None for one sequence.
    """

    mean: float
    deviation: float | None = None
    low: float | None = None
    high: float | None = None


def estimates(counts: np.ndarray) -> dict[str, Estimate]:
    """Scores of a row.

    Args:
        counts: ``(seeds, sequences, SIZE)``, `count_vector` of each.
    """
    of_seeds = scores_of_counts(counts.sum(1))
    found = {}
    intervals = _intervals(counts)
    for name in METRICS:
        values = of_seeds[name]
        deviation = float(values.std(ddof=1)) if len(values) > 1 else None
        found[name] = Estimate(float(values.mean()), deviation, *intervals.get(name, (None, None)))
    return found


def _intervals(counts: np.ndarray) -> dict[str, tuple[float, float]]:
    if counts.shape[1] < 2:
        return {}
    return {name: _bootstrap([counts], name, LEVEL) for name in METRICS}


def difference_interval(
    row: np.ndarray, reference: np.ndarray, metric: str, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of the score of a row minus that of another.

    Args:
        row, reference: ``(seeds, sequences, SIZE)`` counts on the same sequences.
        metric: one of `METRICS`.
        level: probability, 0 to 1.
    """
    return _bootstrap([row, reference], metric, level)


def _bootstrap(rows: list[np.ndarray], metric: str, level: float) -> tuple[float, float]:
    """Interval of the score of the first row, less that of the second one if there is one."""
    drawn = [index for index, row in enumerate(rows) if len(row) > 1]
    samples = [np.arange(rows[0].shape[1]), *(np.arange(len(rows[index])) for index in drawn)]

    def statistic(sequences: np.ndarray, *seeds: np.ndarray, axis: int = -1) -> np.ndarray:
        chosen = dict(zip(drawn, seeds))
        values = [
            _mean_score(row, sequences, chosen.get(index), metric) for index, row in enumerate(rows)
        ]
        return values[0] - values[1] if len(values) > 1 else values[0]

    with np.errstate(all='ignore'):
        found = bootstrap(
            samples,
            statistic,
            n_resamples=DRAWS,
            batch=DRAWS,
            vectorized=True,
            confidence_level=level,
            method='percentile',
            rng=np.random.default_rng(SEED),
        ).confidence_interval
    return float(found.low), float(found.high)


def _mean_score(
    counts: np.ndarray, sequences: np.ndarray, seeds: np.ndarray | None, metric: str
) -> np.ndarray:
    """Of each draw ``(..., n)`` of sequences and ``(..., k)`` of seeds, the mean over seeds."""
    times = np.apply_along_axis(np.bincount, -1, sequences, minlength=counts.shape[1])
    of_seeds = scores_of_counts(np.einsum('...n,kns->...ks', times, counts))[metric]
    if seeds is None:
        return of_seeds.mean(-1)
    return np.take_along_axis(of_seeds, seeds, -1).mean(-1)


def smallest_p(sequences: int) -> float:
    """What chance alone gives all sequences the same sign of a difference with, in either sense."""
    return 2.0 ** (1 - sequences)


def marks(rows: Mapping[str, np.ndarray], reference: str) -> tuple[dict[str, dict[str, str]], str]:
    """Which rows differ from the reference by more than chance.

    '+' is better and '-' worse: the bootstrap interval of the difference leaves 0 out, at 95 %
    divided among the rows that are compared (Bonferroni). With few sequences no mark is given: if
    even the same sign on all of them could be chance at this level, nothing can be significant.

    Args:
        rows: name -> ``(seeds, sequences, SIZE)`` counts, all on the same sequences.
        reference: name of the row to compare with.

    Returns:
        tuple[dict, str]: Row -> metric -> '+', '-' or ''; why there are no marks, '' if there are.
    """
    others = [name for name in rows if name != reference]
    none: dict[str, dict[str, str]] = {name: dict.fromkeys(MARKED, '') for name in rows}
    if reference not in rows or not others:
        return none, 'there is nothing to compare'
    sequences = rows[reference].shape[1]
    error = (1 - LEVEL) / len(others)
    if smallest_p(sequences) > error:
        needed = int(np.ceil(1 - np.log2(error)))
        return none, (
            f'{sequences} sequences are too few to compare {len(rows)} rows: {needed} are needed'
        )
    for name in others:
        for metric in MARKED:
            low, high = difference_interval(rows[name], rows[reference], metric, 1 - error)
            if low > 0 or high < 0:
                better = (low > 0) == (rule_of(metric) == 'greater')
                none[name][metric] = '+' if better else '-'
    return none, ''
