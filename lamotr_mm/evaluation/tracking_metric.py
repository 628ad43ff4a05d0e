"""HOTA and its family while validating and testing."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures import DetDataSample
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from lamotr_mm.io.frame_meta import frame_number, sequence_name
from lamotr_mm.io.mot_rows import (
    RESULT_DECIMALS,
    as_rows,
    check_unique_ids,
    read_rows,
    write_results,
)

from ..registry import METRICS
from .sequences import (
    BENCHMARKS,
    CLASS_BENCHMARKS,
    check_classes,
    evaluate_sequences,
    format_table,
)
from .submission import server_rules, write_submission


@METRICS.register_module()
class TrackingMetric(BaseMetric):
    """HOTA, DetA, AssA, LocA, MOTA, IDF1 (percent), IDSW, FP, FN, MT, ML (counts), by TrackEval.

    Results are named ``track/HOTA`` (all sequences), ``track/<sequence>/HOTA`` and, with several
    classes, ``track/<class>/HOTA``; they are also logged as a table. ``track/overlapping_pairs``
    counts pairs of tracks in one frame with IoU > 0.6, which a tracker without duplicates hardly
    has.

    Ground truth comes from the metainfo ``instances`` of a frame (``bbox`` xyxy px of the original
    image, ``bbox_label``, ``instance_id``, ``ignore_flag``); for MOT16, MOT17 and MOT20, whose
    distractor classes take part, from ``../gt/gt.txt`` beside the frames' folder, or from instances
    that have ``category_id`` and ``mot_conf``. Frame numbers are the metainfo ``mot_frame_id``,
    else ``frame_id + 1``; the sequence is the metainfo ``sequence`` or ``video_name``, else the
    folder above that of the frames.

    Boxes are scored as they are written: rounded to 0.0001 px. So TrackEval's own runner gives the
    same numbers from the files of `outfile_prefix`.

    Args:
        benchmark (str, optional): ``MOT15``, ``MOT16``, ``MOT17``, ``MOT20``, ``DanceTrack`` or
            ``SportsMOT``: one class and the benchmark's rules. None or ``custom``: the classes of
            the dataset; ignored ground truth takes tracker boxes that match nothing else at IoU >=
            0.5 out of the score. Defaults to None.
        outfile_prefix (str, optional): Folder to which ``<sequence>.txt`` is written: MOTChallenge
            rows ``frame,id,x,y,w,h,score,-1,-1,-1``, frame and id from 1 (with several classes, the
            class from 1 in column 8). Defaults to None: no files.
        format_only (bool): Only write files; no ground truth is needed. Defaults to False.
        submission (str, optional): Zip for the test server of `benchmark` (``DanceTrack``,
            ``SportsMOT`` or ``MOT17``), checked against its rules. Defaults to None: no zip.
        collect_device (str): Unused (results are collected as objects); kept for mmengine. Defaults
            to 'cpu'.
        prefix (str, optional): Prefix of the names. Defaults to None: ``track``.

    Raises:
        ValueError: Unknown benchmark; `format_only` without a file to write; while processing: an
            id twice in a frame, a box that is not finite or of negative size, a label outside the
            classes, no ground truth; at the end: tracks that the server would not take.
    """

    default_prefix = 'track'
    results: list[dict]

    def __init__(
        self,
        benchmark: str | None = None,
        outfile_prefix: str | None = None,
        format_only: bool = False,
        submission: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.benchmark = None if benchmark == 'custom' else benchmark
        if self.benchmark is not None and self.benchmark not in BENCHMARKS:
            raise ValueError(
                f'TrackingMetric: benchmark={benchmark!r} should be one of '
                f"{', '.join(BENCHMARKS)}, or None or 'custom' for other data"
            )
        if format_only and outfile_prefix is None and submission is None:
            raise ValueError(
                'TrackingMetric: format_only=True needs outfile_prefix, a folder, or submission, a '
                'zip file'
            )
        if submission is not None:
            server_rules(self.benchmark)
        self.outfile_prefix = outfile_prefix
        self.submission = submission
        self.format_only = format_only

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set, which a runner sets before it trains or tests."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict) -> None:
        classes = meta.get('classes') or ()
        if self.benchmark is not None and len(classes) > 1:
            raise ValueError(
                f'TrackingMetric: {self.benchmark} has one class, the data set has '
                f'{", ".join(classes)}: set benchmark=None in val_evaluator and test_evaluator'
            )
        self._dataset_meta = meta

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that are scored."""
        return tuple((self.dataset_meta or {}).get('classes') or ('object',))

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the boxes of each frame.

        Args:
            data_batch: Unused.
            data_samples (Sequence[dict]): Tracked samples; each has ``video_data_samples``, a list
                of ``DetDataSample`` with ``pred_track_instances`` (bboxes xyxy px of the original
                image, scores, labels, instances_id).
        """
        for sample in data_samples:
            for frame in sample['video_data_samples']:
                self.results.append(self._frame_record(frame))

    def _frame_record(self, frame: DetDataSample) -> dict:
        meta = frame.metainfo
        sequence, number = sequence_name(meta), frame_number(meta)
        what = f'{sequence}, tracks'
        tracks = as_rows(_track_rows(frame.pred_track_instances, number), what)
        check_unique_ids(tracks, what)
        return dict(
            sequence=sequence,
            number=number,
            video_id=meta.get('video_id'),
            tracks=check_classes(tracks, len(self.classes), what),
            truth=None if self.format_only else self._truth_rows(meta, number),
        )

    def _truth_rows(self, meta: dict, number: int) -> np.ndarray:
        if self.benchmark in CLASS_BENCHMARKS:
            file = Path(meta.get('img_path', '')).parent.parent / 'gt' / 'gt.txt'
            if file.is_file():
                _check_number(meta, number)
                rows = _read_once(str(file))
                return rows[rows[:, 0] == number]
            if not all(
                'category_id' in i and 'mot_conf' in i for i in meta.get('instances') or [{}]
            ):
                raise ValueError(
                    f'{self.benchmark} needs the distractor classes of the ground truth, but there '
                    f'is no {file}: put it there, or set benchmark=None to score the annotated '
                    'classes only'
                )
        if 'instances' not in meta:
            raise ValueError(
                f'{sequence_name(meta)}, frame {number}: the data sample has no ground truth; keep '
                "'instances' in PackTrackInputs, or set format_only=True"
            )
        return _instance_rows(meta['instances'], number, self.benchmark)

    def evaluate(self, size: int) -> dict:
        """Scores of all frames of all ranks, the same on each rank.

        Args:
            size (int): Unused: whole videos are on one rank, and a frame that came twice counts
                once.

        Raises:
            ValueError: On every rank, if rank 0 cannot compute the scores.
        """
        gathered = all_gather_object(self.results)
        self.results = []
        outcome: list[Any] = [None]
        if is_main_process():
            try:
                metrics = self.compute_metrics([record for part in gathered for record in part])
                outcome = [{f'{self.prefix}/{name}': value for name, value in metrics.items()}]
            except Exception as error:  # else the other ranks would wait for ever
                outcome = [error]
        broadcast_object_list(outcome)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Scores by name, from the records of all ranks; logs the table and writes the files."""
        if not results:
            raise ValueError('TrackingMetric: no frame was processed; is the validation set empty?')
        sequences = _merge(results)
        tracks = {name: _stack(frames, 'tracks') for name, frames in sequences.items()}
        if self.outfile_prefix is not None:
            write_results(self.outfile_prefix, tracks, with_class=len(self.classes) > 1)
            print_log(f'Tracks were written to {self.outfile_prefix}', logger='current')
        if self.submission is not None and self.benchmark is not None:
            self._submit(self.submission, self.benchmark, sequences, tracks)
        if self.format_only:
            return {}
        truth = {name: _stack(frames, 'truth') for name, frames in sequences.items()}
        scores = self.score(truth, tracks, sequences)
        print_log(f'\n{format_table(scores)}', logger='current')
        return _flatten(scores)

    def score(
        self,
        truth: dict[str, np.ndarray],
        tracks: dict[str, np.ndarray],
        frames: dict[str, dict[int, dict]],
    ) -> dict[str, dict]:
        """`evaluate_sequences` by the metric's rules; `frames` has the frame numbers as keys."""
        return evaluate_sequences(
            truth, tracks, benchmark=self.benchmark, classes=self.classes, frames=frames
        )

    def _submit(
        self,
        path: str,
        benchmark: str,
        sequences: dict[str, dict[int, dict]],
        tracks: dict[str, np.ndarray],
    ) -> None:
        lengths = {name: _count_frames(name, frames) for name, frames in sequences.items()}
        empty = write_submission(path, benchmark, tracks, lengths)
        print_log(f'Written for the server of {benchmark}: {path}', 'current')
        if empty:
            names = ', '.join(empty)
            print_log(f'Without any track: {names}', 'current', level=logging.WARNING)


def _check_number(meta: dict, number: int) -> None:
    """Guard against ground truth of other frames: MOTChallenge files are named by frame number."""
    stem = Path(meta['img_path']).stem
    if stem.isdigit() and int(stem) != number:
        raise ValueError(
            f"{meta['img_path']} was taken for frame {number}: add 'mot_frame_id' to the meta_keys "
            'of PackTrackInputs (frame_id counts from the start of the split)'
        )


@lru_cache(maxsize=1)
def _read_once(file: str) -> np.ndarray:
    # the frames of a sequence come one after another
    return as_rows(read_rows(file), file)


def _track_rows(tracks: InstanceData, number: int) -> np.ndarray:
    """Rows ``(N, 8)`` of a frame's ``pred_track_instances``."""
    boxes, scores, labels, ids = (
        _numpy(tracks[key]) for key in ('bboxes', 'scores', 'labels', 'instances_id')
    )
    boxes = boxes.reshape(-1, 4)
    return np.column_stack(
        [np.full(len(boxes), number), ids, _xywh(boxes, RESULT_DECIMALS), scores, labels + 1.0]
    )


def _instance_rows(instances: list[dict], number: int, benchmark: str | None) -> np.ndarray:
    """Rows ``(N, 8)`` of a frame's ground truth."""
    boxes = np.array([i['bbox'] for i in instances], dtype=np.float64).reshape(-1, 4)
    flags = [0 if i.get('ignore_flag') or i.get('mot_conf') == 0 else 1 for i in instances]
    if benchmark in CLASS_BENCHMARKS:
        labels = [i['category_id'] for i in instances]
    else:
        labels = [i['bbox_label'] + 1 for i in instances]
    ids = [i['instance_id'] for i in instances]
    # 6 decimals undo the rounding errors of xywh -> xyxy -> xywh
    return np.column_stack([np.full(len(boxes), number), ids, _xywh(boxes, 6), flags, labels])


def _xywh(boxes_xyxy: np.ndarray, decimals: int) -> np.ndarray:
    corners = boxes_xyxy.astype(np.float64)
    return np.round(np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), decimals)


def _numpy(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if hasattr(values, 'detach') else np.asarray(values)


def _merge(records: list[dict]) -> dict[str, dict[int, dict]]:
    """Records by sequence and frame number; a frame that two ranks were given counts once."""
    sequences: dict[str, dict[int, dict]] = {}
    for record in records:
        frames = sequences.setdefault(record['sequence'], {})
        kept = frames.setdefault(record['number'], record)
        if kept['video_id'] != record['video_id']:
            raise ValueError(
                f'{record["sequence"]}, frame {record["number"]}: two videos (video_id '
                f'{kept["video_id"]} and {record["video_id"]}) share this name; '
                "give each its own 'sequence'"
            )
    return sequences


def _count_frames(sequence: str, frames: dict[int, dict]) -> int:
    """Number of frames of a sequence that was tracked from its first to its last.

    Raises:
        ValueError: One between them is missing.
    """
    for expected, number in enumerate(sorted(frames), start=1):
        if number != expected:
            raise ValueError(f'{sequence}: frame {expected} was not tracked')
    return len(frames)


def _stack(frames: dict[int, dict], key: str) -> np.ndarray:
    return np.concatenate([frame[key] for frame in frames.values()])


def _flatten(scores: dict[str, dict]) -> dict[str, float]:
    flat = dict(scores['combined'])
    groups = dict(scores['sequences'])
    if len(scores['classes']) > 1:
        for name, values in scores['classes'].items():
            groups[f'{name} (class)' if name in groups else name] = values
    for name, values in groups.items():
        flat |= {f'{name}/{key}': value for key, value in values.items()}
    return flat
