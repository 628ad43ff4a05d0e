"""TrackEval's metrics on arrays: from rows of ground truth and tracks to HOTA and its family.

Preprocessing (distractor classes, boxes marked as not scored) and the metrics are TrackEval's own;
this module only brings the rows into the form that TrackEval's file reader gives them.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from mmdet.datasets import MOTChallengeDataset
from scipy.optimize import linear_sum_assignment
from terminaltables import AsciiTable
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from lamotr_mm.io.mot_rows import BOX, CLASS, FLAG, FRAME, ID, as_rows, check_unique_ids

from .counts import count_vector

# those whose ground truth has distractor classes, which take part in preprocessing
CLASS_BENCHMARKS = ('MOT16', 'MOT17', 'MOT20')
BENCHMARKS = ('MOT15', *CLASS_BENCHMARKS, 'DanceTrack', 'SportsMOT')
MOT_CLASSES = MOTChallengeDataset.METAINFO['classes']
OVERLAP_IOU = 0.6

# our name: metric and field of TrackEval, factor
_FIELDS = {
    'HOTA': ('HOTA', 'HOTA', 100),
    'DetA': ('HOTA', 'DetA', 100),
    'AssA': ('HOTA', 'AssA', 100),
    'LocA': ('HOTA', 'LocA', 100),
    'MOTA': ('CLEAR', 'MOTA', 100),
    'IDF1': ('Identity', 'IDF1', 100),
    'IDSW': ('CLEAR', 'IDSW', 1),
    'FP': ('CLEAR', 'CLR_FP', 1),
    'FN': ('CLEAR', 'CLR_FN', 1),
    'MT': ('CLEAR', 'MT', 1),
    'ML': ('CLEAR', 'ML', 1),
}


class ArrayDataset(MotChallenge2DBox):
    """TrackEval's MOTChallenge dataset for data in memory: the same preprocessing, no files.

    Args:
        benchmark (str | None): One of `BENCHMARKS`; None: no classes and no distractors (as MOT15).
    """

    def __init__(self, benchmark: str | None) -> None:
        # not calling super().__init__(): it looks for files; these are what preprocessing reads
        self.benchmark = benchmark or 'MOT15'
        self.do_preproc = benchmark is not None
        self.class_name_to_class_id = {name: i for i, name in enumerate(MOT_CLASSES, 1)}
        self.valid_class_numbers = list(self.class_name_to_class_id.values())

    def similarities(self, boxes_xywh: np.ndarray, others_xywh: np.ndarray) -> np.ndarray:
        """IoU ``(N, M)`` of ``(N, 4)`` and ``(M, 4)`` boxes."""
        return self._calculate_similarities(boxes_xywh, others_xywh)


def evaluate_sequences(
    ground_truth: Mapping[str, np.ndarray],
    predictions: Mapping[str, np.ndarray],
    benchmark: str | None = None,
    classes: Sequence[str] = ('object',),
    frames: Mapping[str, Iterable[int]] | None = None,
) -> dict[str, dict]:
    """Score tracks against ground truth, as TrackEval does from files.

    Args:
        ground_truth (Mapping[str, ndarray]): Per sequence ``(N, C)`` rows
            ``frame, id, x, y, w, h, conf, class``, box in px, as
            ``numpy.loadtxt(gt_txt, delimiter=',')`` gives them (``C >= 7``). Rows with conf 0 are
            not scored.
        predictions (Mapping[str, ndarray]): Per sequence ``(M, C)`` rows
            ``frame, id, x, y, w, h, score, class``; a sequence that is missing has no tracks.
        benchmark (str | None): One of `BENCHMARKS`. None is for other data: any classes, no
            distractors, and rows with conf 0 take tracker boxes that match nothing else at IoU >=
            0.5 out of the score.
        classes (Sequence[str]): Names of the classes 1, 2, ... without a benchmark (with one class,
            the class column may be -1).
        frames (Mapping[str, Iterable[int]] | None): Frame numbers to score per sequence (ground
            truth of other frames is left out); None: all that occur.

    Returns:
        dict: ``{'combined': scores, 'sequences': {name: scores}, 'classes': {name: scores},
        'counts': {name: list}}``, the last of which are the sequences' `count_vector`.
        Scores are HOTA, DetA, AssA, LocA (means over the thresholds .05 to .95), MOTA, IDF1 in
        percent; IDSW, FP, FN, MT, ML (IoU 0.5) and, except by class, overlapping_pairs: pairs of
        tracks in one frame with IoU > 0.6. Several classes are combined over detections
        (TrackEval's ``cls_comb_det_av``).

    Raises:
        ValueError: No sequence, a benchmark or class that is not known, an id twice in a frame, a
            box that is not finite or of negative size, tracks of an unknown sequence or frame.
    """
    _check_arguments(ground_truth, predictions, benchmark)
    names = (classes[0],) if benchmark else tuple(classes)
    metrics = {'HOTA': HOTA(), 'CLEAR': CLEAR(_quiet()), 'Identity': Identity(_quiet())}
    results: dict[str, dict] = {name: {} for name in names}
    overlaps = {}
    for sequence in sorted(ground_truth):
        truth, tracks = _rows_of(sequence, ground_truth, predictions, benchmark, len(names))
        numbers = _frame_numbers(sequence, truth, tracks, frames)
        true_frames, frame_tracks = rows_by_frame(truth, numbers), rows_by_frame(tracks, numbers)
        overlaps[sequence] = sum(overlapping_pairs(rows[:, BOX]) for rows in frame_tracks)
        for label, name in enumerate(names, 1):
            data = _preprocess(
                sequence, true_frames, frame_tracks, benchmark, label if len(names) > 1 else None
            )
            results[name][sequence] = {k: m.eval_sequence(data) for k, m in metrics.items()}
    return _summarise(results, metrics, overlaps)


def overlapping_pairs(boxes_xywh: np.ndarray) -> int:
    """Number of pairs among ``(N, 4)`` boxes with IoU > 0.6."""
    ious = ArrayDataset(None).similarities(boxes_xywh, boxes_xywh)
    return int(np.count_nonzero(np.triu(ious, 1) > OVERLAP_IOU))


def format_table(results: Mapping[str, dict]) -> str:
    """Table of what `evaluate_sequences` returns: one line per sequence, per class, and for all.

    A score that has no case to be computed from is '-', see `table_cells`.
    """
    columns = [*_FIELDS, 'overlapping_pairs']
    lines = [['sequence', *(name.replace('_', ' ') for name in columns)]]
    groups = [results['sequences']]
    if len(results['classes']) > 1:
        groups.append({f'class {name}': scores for name, scores in results['classes'].items()})
    groups.append({'combined': results['combined']})
    for group in groups:
        lines += [[name, *table_cells(scores, columns)] for name, scores in group.items()]
    table = AsciiTable(lines)
    table.inner_footing_row_border = True
    table.justify_columns = {i: 'right' for i in range(1, len(columns) + 1)}
    return table.table


def table_cells(
    scores: Mapping[str, float | int], columns: Iterable[str], decimals: int = 2
) -> list[str]:
    """One cell of a table for each column.

    '-' stands where there is no score, and where TrackEval gives a number to a quotient of nothing
    by nothing: LocA (100) and AssA (0) without a true positive, MOTA without ground truth, and
    HOTA, DetA and IDF1 where there are neither ground truth nor tracks.

    Args:
        scores (Mapping[str, float | int]): Of a sequence, a class or all (`evaluate_sequences`).
        columns (Iterable[str]): Names of scores.
        decimals (int): Of numbers that are no counts.
    """
    undefined = _undefined(scores)
    cells = []
    for name in columns:
        value = scores.get(name)
        if value is None or name in undefined:
            cells.append('-')
        else:
            cells.append(str(value) if isinstance(value, int) else f'{value:.{decimals}f}')
    return cells


def _undefined(scores: Mapping[str, float | int]) -> set[str]:
    """Names of the scores that are a quotient of nothing by nothing."""
    if scores['DetA'] > 0:
        return set()
    names = {'LocA', 'AssA'}  # means over true positives, of which there is none at any threshold
    if scores['FN'] == 0:  # hence no ground truth
        names |= {'MOTA'} if scores['FP'] else {'MOTA', 'HOTA', 'DetA', 'IDF1'}
    return names


def _quiet() -> dict:
    # TrackEval writes its defaults into the dict that it is given
    return {'PRINT_CONFIG': False}


def _check_arguments(ground_truth: Mapping, predictions: Mapping, benchmark: str | None) -> None:
    if benchmark is not None and benchmark not in BENCHMARKS:
        raise ValueError(
            f'benchmark={benchmark!r}: should be None or one of {", ".join(BENCHMARKS)}'
        )
    if not ground_truth:
        raise ValueError('there is no sequence to evaluate')
    unknown = sorted(set(predictions) - set(ground_truth))
    if unknown:
        raise ValueError(
            f'tracks of {unknown[0]!r}, which has no ground truth; '
            f'there is: {", ".join(sorted(ground_truth))}'
        )


def _rows_of(
    sequence: str,
    ground_truth: Mapping,
    predictions: Mapping,
    benchmark: str | None,
    num_classes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Checked rows of ground truth and tracks, class column in 1..number of classes."""
    truth = as_rows(ground_truth[sequence], f'{sequence}, ground truth')
    tracks = as_rows(predictions.get(sequence, ()), f'{sequence}, tracks')
    check_unique_ids(tracks, f'{sequence}, tracks')
    # without a benchmark, ignored regions (crowds) need no identity
    check_unique_ids(
        truth if benchmark else truth[truth[:, FLAG] != 0], f'{sequence}, ground truth'
    )
    if benchmark in CLASS_BENCHMARKS:
        truth = check_classes(truth, len(MOT_CLASSES), f'{sequence}, ground truth')
    elif benchmark:  # one class: the column may hold anything (MOT15: world coordinates)
        truth = np.column_stack([truth[:, :CLASS], np.ones(len(truth))])
    else:
        truth = check_classes(truth, num_classes, f'{sequence}, ground truth')
    return truth, check_classes(tracks, num_classes, f'{sequence}, tracks')


def check_classes(rows: np.ndarray, num_classes: int, what: str) -> np.ndarray:
    """Rows ``(N, 8)`` with class -1 replaced by 1 where there is one class only.

    Raises:
        ValueError: A class outside 1..num_classes; names the frame.
    """
    rows = rows.copy()
    if num_classes == 1:
        rows[rows[:, CLASS] == -1, CLASS] = 1
    for bad in rows[~np.isin(rows[:, CLASS], np.arange(1, num_classes + 1))][:1]:
        raise ValueError(
            f'{what}, frame {bad[FRAME]:g}, id {bad[ID]:g}: class {bad[CLASS]:g} (label '
            f'{bad[CLASS] - 1:g}) is outside 1..{num_classes}'
        )
    return rows


def _frame_numbers(
    sequence: str, truth: np.ndarray, tracks: np.ndarray, frames: Mapping | None
) -> np.ndarray:
    """Sorted numbers of the frames to score."""
    if frames is None:
        return np.union1d(truth[:, FRAME], tracks[:, FRAME])
    numbers = np.unique(np.fromiter(frames[sequence], dtype=np.float64))
    outside = np.setdiff1d(tracks[:, FRAME], numbers)
    if len(outside):
        raise ValueError(
            f'{sequence}: there are tracks in frame {outside[0]:g}, which is not evaluated'
        )
    return numbers


def rows_by_frame(rows: np.ndarray, numbers: np.ndarray) -> list[np.ndarray]:
    """The rows of each frame, in their order."""
    rows = rows[np.argsort(rows[:, FRAME], kind='stable')]
    starts = np.searchsorted(rows[:, FRAME], numbers, 'left')
    ends = np.searchsorted(rows[:, FRAME], numbers, 'right')
    return [rows[start:end] for start, end in zip(starts, ends)]


def _preprocess(
    sequence: str,
    truth: list[np.ndarray],
    tracks: list[np.ndarray],
    benchmark: str | None,
    label: int | None,
) -> dict:
    """What TrackEval's metrics take, for the class `label` (None: all rows)."""
    dataset = ArrayDataset(benchmark)
    if label is not None:
        truth = [rows[rows[:, CLASS] == label] for rows in truth]
        tracks = [rows[rows[:, CLASS] == label] for rows in tracks]
    if benchmark is None:
        pairs = [without_ignored(dataset, *pair) for pair in zip(truth, tracks)]
        truth, tracks = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    raw = dict(
        seq=sequence,
        num_timesteps=len(truth),
        gt_ids=_dense_ids(truth),
        gt_classes=[rows[:, CLASS].astype(int) for rows in truth],
        gt_dets=[rows[:, BOX] for rows in truth],
        gt_extras=[{'zero_marked': rows[:, FLAG].astype(int)} for rows in truth],
        tracker_ids=_dense_ids(tracks),
        # TrackEval knows one class; ours were separated above
        tracker_classes=[np.ones(len(rows), dtype=int) for rows in tracks],
        tracker_dets=[rows[:, BOX] for rows in tracks],
        tracker_confidences=[rows[:, FLAG] for rows in tracks],
        similarity_scores=[
            dataset.similarities(t[:, BOX], p[:, BOX]) for t, p in zip(truth, tracks)
        ],
    )
    return dataset.get_preprocessed_seq_data(raw, 'pedestrian')


def without_ignored(
    dataset: ArrayDataset, truth: np.ndarray, tracks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One frame without ignored ground truth, and without the tracker boxes that only match it."""
    ious = dataset.similarities(truth[:, BOX], tracks[:, BOX])
    scored = truth[:, FLAG] != 0
    ious[ious < 0.5] = 0
    rows, columns = linear_sum_assignment(ious[scored], maximize=True)
    free = np.ones(len(tracks), dtype=bool)
    free[columns[ious[scored][rows, columns] > 0]] = False
    truth = truth[scored].copy()
    truth[:, FLAG] = 1  # TrackEval would drop those with a confidence between 0 and 1
    return truth, tracks[~(free & (ious[~scored] > 0).any(0))]


def _dense_ids(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Ids as 0, 1, ... in the order of their values; TrackEval makes arrays up to the largest."""
    known = np.unique([track_id for rows in frames for track_id in rows[:, ID]])
    return [np.searchsorted(known, rows[:, ID]) for rows in frames]


def _summarise(
    results: dict[str, dict], metrics: dict, overlaps: dict[str, int]
) -> dict[str, dict]:
    """From TrackEval's results[class][sequence][metric] to our scores."""

    def over_classes(by_class: dict[str, dict]) -> dict:
        if len(by_class) == 1:
            return next(iter(by_class.values()))
        return {
            name: metric.combine_classes_det_averaged({c: r[name] for c, r in by_class.items()})
            for name, metric in metrics.items()
        }

    by_class = {
        cls: {
            name: metric.combine_sequences({s: r[name] for s, r in sequences.items()})
            for name, metric in metrics.items()
        }
        for cls, sequences in results.items()
    }
    return dict(
        combined=_scores(over_classes(by_class)) | {'overlapping_pairs': sum(overlaps.values())},
        sequences={
            sequence: _scores(over_classes({cls: results[cls][sequence] for cls in results}))
            | {'overlapping_pairs': count}
            for sequence, count in overlaps.items()
        },
        classes={cls: _scores(result) for cls, result in by_class.items()},
        counts={
            sequence: np.sum([count_vector(r[sequence]) for r in results.values()], axis=0).tolist()
            for sequence in overlaps
        },
    )


def _scores(result: dict) -> dict[str, float | int]:
    scores = {}
    for name, (metric, field, factor) in _FIELDS.items():
        value = float(np.mean(result[metric][field])) * factor
        scores[name] = int(value) if factor == 1 else value
    return scores
