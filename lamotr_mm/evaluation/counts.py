"""What the scores of several sequences are computed from, so that any choice of them can be scored.

TrackEval combines sequences by adding counts up (AssA: weighted by true positives). Added-up
vectors of counts therefore give its scores of any sequences, also with some of them several times,
as a bootstrap takes them.
"""

import numpy as np
from trackeval.metrics import HOTA

ALPHAS = HOTA().array_labels  # .05 to .95
_N = len(ALPHAS)
_CLEAR = ('CLR_TP', 'CLR_FP', 'CLR_FN', 'IDSW')
_IDENTITY = ('IDTP', 'IDFP', 'IDFN')
SIZE = 4 * _N + len(_CLEAR) + len(_IDENTITY)


def count_vector(result: dict) -> np.ndarray:
    """Counts of a sequence and class ``(SIZE,)`` float64 from TrackEval's results by metric."""
    hota = result['HOTA']
    parts = [hota['HOTA_TP'], hota['HOTA_FP'], hota['HOTA_FN'], hota['AssA'] * hota['HOTA_TP']]
    rest = [result['CLEAR'][key] for key in _CLEAR] + [result['Identity'][key] for key in _IDENTITY]
    return np.concatenate([*parts, rest]).astype(np.float64)


def hota_by_alpha(counts: np.ndarray) -> dict[str, np.ndarray]:
    """HOTA, DetA and AssA in percent ``(..., 19)`` over `ALPHAS`, of counts ``(..., SIZE)``."""
    tp, fp, fn, ass = (counts[..., k * _N : (k + 1) * _N] for k in range(4))
    det_a = tp / np.maximum(1, tp + fp + fn)
    ass_a = ass / np.maximum(1, tp)
    return dict(HOTA=100 * np.sqrt(det_a * ass_a), DetA=100 * det_a, AssA=100 * ass_a)


def scores_of_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """HOTA, DetA, AssA, MOTA, IDF1 (percent), IDSW, FP, FN, each ``(...)``, of ``(..., SIZE)``."""
    tp, fp, fn, switches, id_tp, id_fp, id_fn = np.moveaxis(counts[..., 4 * _N :], -1, 0)
    scores = {name: curve.mean(-1) for name, curve in hota_by_alpha(counts).items()}
    return scores | dict(
        MOTA=100 * (tp - fp - switches) / np.maximum(1, tp + fn),
        IDF1=100 * id_tp / np.maximum(1, id_tp + 0.5 * id_fp + 0.5 * id_fn),
        IDSW=switches,
        FP=fp,
        FN=fn,
    )
