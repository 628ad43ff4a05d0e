"""Why this id: track a video and write a page that explains each association."""

import copy
import dataclasses
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmdet.datasets import BaseVideoDataset
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.dataset import pseudo_collate

from lamotr_mm.evaluation.switches import Switch, clear_matches
from lamotr_mm.io.frame_meta import frame_number, sequence_name
from lamotr_mm.io.frames import DEFAULT_FPS, FrameSource
from lamotr_mm.io.mot_gt import class_rule, detect_benchmark, read_gt
from lamotr_mm.io.mot_rows import BOX, FLAG, FRAME, ID
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.association_trace import AssociationTrace
from lamotr_mm.tracking.reasons import FrameReasons
from lamotr_mm.visualization.explain import (
    ExplanationPage,
    FrameRecord,
    NetworkView,
    TruthRecord,
)

from .dataset_video import ground_truth, original_image
from .few_tracks import class_names
from .inferencer import PreparedFrame, build_pipeline, prepare_frames
from .write_tracks import Progress

MAX_FRAMES = 1000  # of a page: 67 MB


class Explanation(NamedTuple):
    """What was explained.

    Attributes:
        file: the page.
        frames: number of frames in it.
        tracks: number of ids in it.
        events: number of births, losses, recoveries and ends.
        switches: identity switches; None: there was no ground truth.
    """

    file: Path
    frames: int
    tracks: int
    events: int
    switches: int | None

    def __str__(self) -> str:
        size = self.file.stat().st_size / 1e6
        switches = '' if self.switches is None else f', {self.switches} identity switches'
        return (
            f'{self.frames} frames, {self.tracks} tracks, {self.events} events{switches}\n'
            f'  {self.file} ({size:.1f} MB): open it in a browser'
        )


def explain_video(
    model: LAMOTR,
    frames: FrameSource,
    out: str | Path,
    first: int = 1,
    truth: str | Path | None = None,
    progress: bool = True,
) -> Explanation:
    """Track a video and write the page of its frames from ``first`` on.

    Ids and scores are those of ``track_video`` on the same frames: what is watched does not change.

    Args:
        model: of :func:`~.inferencer.init_model`.
        frames: of :func:`lamotr_mm.io.frames.open_frames`; all of them are tracked.
        out: HTML file; it appears whole or not at all.
        first: number of the first frame that the page has.
        truth: MOTChallenge ``gt.txt`` of the video.
        progress: show frames done on stderr.

    Raises:
        ValueError: no frame is left, or more than `MAX_FRAMES`; ``out`` is not ``.html``; the
            ground truth is broken.
        FrameReadError: a frame can't be read.
    """
    prepared = prepare_frames(model, frames, build_pipeline(model.cfg))
    rows = None if truth is None else read_truth(truth, frames.name, _classes(model))
    meter = Progress(frames.num_frames, sys.stderr if progress else None)
    pages = _Explainer(model, frames.name, frames.size, frames.fps, rows, first)
    return pages.write(out, _counted(prepared, meter))


def explain_dataset(
    model: LAMOTR,
    dataset: BaseVideoDataset,
    video: int,
    out: str | Path,
    first: int = 1,
    last: int | None = None,
    progress: bool = True,
) -> Explanation:
    """As :func:`explain_video`, of a video of a data set with its ground truth.

    Args:
        model: of :func:`~.inferencer.init_model`.
        dataset: in test mode.
        video: index of the video.
        out, first: as there.
        last: number of the last frame; None: the video's.
        progress: show frames done on stderr.
    """
    images = dataset.get_data_info(video)['images']
    if last is not None:
        images = [image for image in images if frame_number(image) <= last]
    if not images:
        raise ValueError(f'the video has no frame up to {last}')
    meter = Progress(len(images), sys.stderr if progress else None)
    prepared = _counted(_prepared(model, dataset, video, len(images)), meter)
    size = (images[0]['width'], images[0]['height'])
    name = sequence_name(images[0])
    return _Explainer(model, name, size, DEFAULT_FPS, None, first).write(out, prepared)


def read_truth(path: str | Path, name: str, classes: tuple[str, ...]) -> np.ndarray:
    """Rows ``(N, 8)`` of a ``gt.txt``, flag 0 for what is not scored.

    Args:
        path: the file.
        name: of the video, which tells the benchmark and so what the classes mean.
        classes: that the model knows.

    Raises:
        MOTFormatError: the file is broken.
    """
    benchmark = detect_benchmark([name])
    several = list(classes) if benchmark == 'custom' and len(classes) > 1 else None
    rule = class_rule(benchmark, several)
    found, _ = read_gt(Path(path), sys.maxsize, rule)
    rows = [
        [*row[:6], row.flag * known, row.class_id if known else 1]
        for row in found
        for known in [row.class_id in rule.targets]
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 8)


def _classes(model: LAMOTR) -> tuple[str, ...]:
    return class_names(model.cfg) or ('object',)


def _counted(prepared: Iterable[PreparedFrame], meter: Progress) -> Iterator[PreparedFrame]:
    for frame in prepared:
        yield frame
        meter.update()
    meter.finish()


def _prepared(
    model: LAMOTR, dataset: BaseVideoDataset, video: int, count: int
) -> Iterator[PreparedFrame]:
    for index in range(count):
        data = dataset[video, index]
        image = original_image(data)
        number = frame_number(data['data_samples'][0].metainfo)
        with torch.no_grad():
            batch = model.data_preprocessor(pseudo_collate([data]), training=False)
        yield PreparedFrame(number, image, batch)


class _Explainer:
    """One video: its session, what SGLA did, the page."""

    def __init__(
        self,
        model: LAMOTR,
        name: str,
        size: tuple[int, int],
        fps: float,
        truth: np.ndarray | None,
        first: int,
    ) -> None:
        self._model, self._first = model, first
        # one part where it is given; of a data set, a part comes with each frame
        self._truth = [] if truth is None else [truth]
        self._session = model.new_session()
        rules = dataclasses.asdict(model.lifecycle)
        self._classes = _classes(model)
        self._page = ExplanationPage(name, size, fps, rules, self._classes)
        self._rows: list[list[float]] = []  # tracks that are given out

    def write(self, out: str | Path, frames: Iterable[PreparedFrame]) -> Explanation:
        """Track the frames and write the page."""
        if Path(out).suffix != '.html':
            raise ValueError(f'{out} should end in .html')
        with AssociationTrace(self._model.sgla) as trace:
            for prepared in frames:
                self._add(prepared, trace)
        if not self._page.frames:
            raise ValueError(f'the video has no frame at or after {self._first}')
        switches = self._match(np.concatenate(self._truth)) if self._truth else None
        events = self._page.write(out, switches)
        ids = {track.id for frame in self._page.frames for track in frame.tracks}
        count = None if switches is None else len(switches)
        return Explanation(
            Path(out), len(self._page.frames), len(ids), len(events) - (count or 0), count
        )

    def _add(self, prepared: PreparedFrame, trace: AssociationTrace) -> None:
        prepared.wait()
        inputs, ((frame,),) = prepared.data['inputs'], prepared.data['data_samples']
        features = self._model.encode_frames(inputs[0], [frame.img_shape[:2]])
        before = copy.deepcopy(self._session.table)
        tracked = self._model.track_frame(self._session, features, frame.ori_shape)
        self._model.report(frame, tracked)
        if prepared.number < self._first:
            return
        if len(self._page.frames) == MAX_FRAMES:
            raise ValueError(f'a page holds {MAX_FRAMES} frames at most: name a part of the video')
        before.grow(len(tracked.entered_ids))
        reasons = FrameReasons.of(self._model.lifecycle, before, tracked.scores, tracked.tracks)
        view = network_view(trace, frame.ori_shape)
        record = FrameRecord.of(
            prepared.number,
            tracked.scores,
            tracked.tracks,
            reasons,
            view,
            frame.pred_track_instances.instances_id.tolist(),
        )
        if (rows := ground_truth(frame.metainfo)) is not None:
            self._truth.append(rows)
        for rows in self._truth[-1:]:
            record.truth = _targets(rows[rows[:, FRAME] == prepared.number])
        self._page.add(record, prepared.image, view.prior, len(view.spatial))
        self._rows += _track_rows(prepared.number, frame)

    def _match(self, truth: np.ndarray) -> list[Switch]:
        """Switches in the page; its frames get who has which target."""
        numbers = [frame.number for frame in self._page.frames]
        tracks = np.array(self._rows).reshape(-1, 8)
        matches = clear_matches(truth, tracks, numbers, len(self._classes))
        for frame in self._page.frames:
            pairs = matches.by_frame[frame.number]
            frame.truth = [item._replace(id=pairs.get(item.target, -1)) for item in frame.truth]
        return matches.switches


def network_view(trace: AssociationTrace, ori_shape: tuple[int, int]) -> NetworkView:
    """What SGLA did in the last frame of a video, on the host.

    Args:
        trace: that watched.
        ori_shape: (height, width) in px of the original image.
    """
    terms, boxes = trace.terms(), trace.boxes_cxcywh()
    objects = trace.output.num_objects
    height, width = ori_shape[:2]
    before = bbox_cxcywh_to_xyxy(boxes[0, 0, objects:].float())
    before = before * before.new_tensor([width, height, width, height])
    looks = trace.tracklet_attention()[:, 0, :, :objects]
    host = [v.cpu().numpy() for v in (terms.spatial[:, 0], terms.attention[:, 0], looks, before)]
    return NetworkView(float(terms.prior), *host)


def _targets(rows: np.ndarray) -> list[TruthRecord]:
    """Of the rows of a frame, those that are scored; who has them is not known yet."""
    corners = rows[:, BOX] + np.pad(rows[:, BOX][:, :2], ((0, 0), (2, 0)))
    return [
        TruthRecord(int(row[ID]), -1, [round(value, 1) for value in box])
        for row, box in zip(rows, corners.tolist())
        if row[FLAG] != 0
    ]


def _track_rows(number: int, frame: DetDataSample) -> list[list[float]]:
    """MOTChallenge rows of the tracks that are given out, class from 1."""
    tracks = frame.pred_track_instances
    boxes = tracks.bboxes.double()
    boxes = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).tolist()
    return [
        [number, track_id, *box, score, label + 1]
        for track_id, box, score, label in zip(
            tracks.instances_id.tolist(), boxes, tracks.scores.tolist(), tracks.labels.tolist()
        )
    ]
