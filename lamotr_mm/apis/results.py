"""Tracks as values: of a frame and of a video, and in the forms that other programs take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from lamotr_mm.io.mot_rows import format_rows
from lamotr_mm.tracking.tracked_frame import TrackedFrame, association_of, object_rows

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import supervision  # type: ignore[import-not-found,unused-ignore]
    from mmdet.structures import DetDataSample, TrackDataSample


@dataclass(frozen=True)
class Association:
    """What the tracks of a frame were decided by (Sec. 3.2), boxes in px of the image.

    Attributes:
        scores: ``(No, Nt)``, ``S`` of the detected objects and the tracklets that entered.
        object_boxes_xyxy, object_scores, object_labels: ``(No, 4)``, ``(No,)``, ``(No,)``.
        tracklet_ids, tracklet_boxes_xyxy: ``(Nt,)``, ``(Nt, 4)``; lost tracklets included.
        matches: ``(K, 2)``, matched (row, column) of ``scores``.
    """

    scores: np.ndarray
    object_boxes_xyxy: np.ndarray
    object_scores: np.ndarray
    object_labels: np.ndarray
    tracklet_ids: np.ndarray
    tracklet_boxes_xyxy: np.ndarray
    matches: np.ndarray

    @classmethod
    def of(cls, found: dict[str, Any]) -> 'Association':
        """From :func:`~lamotr_mm.tracking.tracked_frame.association_of`."""
        return cls(
            scores=found['scores'],
            object_boxes_xyxy=found['object_bboxes'],
            object_scores=found['object_scores'],
            object_labels=found['object_labels'],
            tracklet_ids=found['tracklet_ids'],
            tracklet_boxes_xyxy=found['tracklet_bboxes'],
            matches=found['matches'],
        )


@dataclass(frozen=True)
class Tracks:
    """The tracks of one frame; ``len()`` is their number.

    Attributes:
        frame: number of the frame, from 1.
        ids: ``(n,)`` int64, from 1.
        boxes_xyxy: ``(n, 4)`` float32, px of the image.
        scores: ``(n,)`` float32, probabilities.
        labels: ``(n,)`` int64, classes from 0.
        ages: ``(n,)`` int64, frames since the birth of each track.
        objects: ``(n,)`` int64, the row of ``association`` whose object each track was matched with
            or born from; -1: it lives by its own score.
        association: the scores behind the matches.
        sample: the same as mmdet's metrics and visualizers take it; None of an exported model.
        classes: names of the labels; () where they are not known.
    """

    frame: int
    ids: np.ndarray
    boxes_xyxy: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    ages: np.ndarray
    objects: np.ndarray
    association: Association
    sample: 'DetDataSample | None' = field(repr=False)
    classes: tuple[str, ...] = ()

    @classmethod
    def from_sample(
        cls, frame: int, sample: 'DetDataSample', classes: tuple[str, ...] = ()
    ) -> 'Tracks':
        """From what :meth:`LAMOTR.predict` filled."""
        found = sample.pred_track_instances
        return cls(
            frame=frame,
            ids=found.instances_id.numpy(),
            boxes_xyxy=found.bboxes.numpy(),
            scores=found.scores.numpy(),
            labels=found.labels.numpy(),
            ages=found.ages.numpy(),
            objects=found.object_index.numpy(),
            association=Association.of(sample.association),
            sample=sample,
            classes=classes,
        )

    @classmethod
    def from_tracked(
        cls,
        frame: int,
        tracked: TrackedFrame,
        shown: np.ndarray,
        classes: tuple[str, ...] = (),
    ) -> 'Tracks':
        """From what an exported model says of a frame; ``shown (n,)`` bool marks its tracks."""
        tracks = tracked.tracks
        return cls(
            frame=frame,
            ids=tracks.ids[shown],
            boxes_xyxy=tracks.boxes_xyxy[shown],
            scores=tracks.scores[shown],
            labels=tracks.labels[shown],
            ages=tracks.ages[shown],
            objects=object_rows(tracks)[shown],
            association=Association.of(association_of(tracked)),
            sample=None,
            classes=classes,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self) -> np.ndarray:
        """MOTChallenge rows ``(n, 8)`` float64: ``frame, id, x, y, w, h, score, class`` from 1."""
        corners = self.boxes_xyxy.astype(np.float64)
        boxes_xywh = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        frames = np.full(len(self), self.frame)
        return np.column_stack([frames, self.ids, boxes_xywh, self.scores, self.labels + 1])

    def to_mot(self) -> str:
        """Lines of a MOTChallenge result file, by id."""
        return format_rows(self.rows(), f'frame {self.frame}')

    def to_coco_vid(self) -> dict[str, list]:
        """See :meth:`VideoTracks.to_coco_vid`; a video of this frame alone."""
        return VideoTracks([self], classes=self.classes).to_coco_vid()

    def to_pandas(self) -> 'pandas.DataFrame':
        """See :meth:`VideoTracks.to_pandas`."""
        return VideoTracks([self], classes=self.classes).to_pandas()

    def to_supervision(self) -> 'supervision.Detections':
        """For the annotators and zones of supervision, with ``tracker_id``.

        Raises:
            ValueError: supervision is not installed.
        """
        names = [self.classes[k] if k < len(self.classes) else str(k) for k in self.labels]
        return optional_package('supervision').Detections(
            xyxy=self.boxes_xyxy,
            confidence=self.scores,
            class_id=self.labels,
            tracker_id=self.ids,
            data={'class_name': np.array(names, dtype=str), 'age': self.ages},
        )


class VideoTracks(Sequence[Tracks]):
    """The tracks of the frames of one video, in order.

    Args:
        frames: tracks of each frame.
        name: of the video.
        size: (width, height) in px; (0, 0): not known.
        classes: names of the labels 0, 1, ...
    """

    def __init__(
        self,
        frames: Sequence[Tracks] = (),
        name: str = 'video',
        size: tuple[int, int] | None = None,
        classes: tuple[str, ...] = (),
    ) -> None:
        self.frames = list(frames)
        self.name = name
        self.classes = classes
        sample = self.frames[0].sample if self.frames else None
        if size is None and sample is not None:
            height, width = sample.ori_shape[:2]
            size = width, height
        self.size = size or (0, 0)

    def append(self, tracks: Tracks) -> None:
        """Add the next frame."""
        self.frames.append(tracks)

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, index: int) -> Tracks: ...
    @overload
    def __getitem__(self, index: slice) -> 'VideoTracks': ...
    def __getitem__(self, index: int | slice) -> 'Tracks | VideoTracks':
        if isinstance(index, slice):
            return VideoTracks(self.frames[index], self.name, self.size, self.classes)
        return self.frames[index]

    def __iter__(self) -> Iterator[Tracks]:
        return iter(self.frames)

    def rows(self) -> np.ndarray:
        """MOTChallenge rows ``(N, 8)`` of all frames, as :meth:`Tracks.rows`."""
        return np.concatenate([np.empty((0, 8)), *(tracks.rows() for tracks in self)])

    def to_mot(self) -> str:
        """Text of a MOTChallenge result file."""
        return format_rows(self.rows(), self.name)

    def to_coco_vid(self) -> dict[str, list]:
        """CocoVID json, as `tools/dataset_converters/` write it, with ``score`` of each box."""
        width, height = self.size
        rows = self.rows()
        image_of = {tracks.frame: image_id for image_id, tracks in enumerate(self, start=1)}
        labels = range(max(int(rows[:, 7].max(initial=1)), len(self.classes)))
        names = [self.classes[k] if k < len(self.classes) else str(k) for k in labels]
        return dict(
            categories=[dict(id=k, name=name) for k, name in enumerate(names, start=1)],
            videos=[dict(id=1, name=self.name, width=width, height=height)],
            images=[
                dict(
                    id=image_id,
                    video_id=1,
                    file_name=f'{self.name}/img1/{number:06d}.jpg',
                    width=width,
                    height=height,
                    frame_id=image_id - 1,
                    mot_frame_id=number,
                )
                for number, image_id in image_of.items()
            ],
            annotations=[
                dict(
                    id=place,
                    image_id=image_of[int(frame)],
                    video_id=1,
                    category_id=int(category),
                    instance_id=int(track_id),
                    bbox=[x, y, w, h],
                    area=w * h,
                    iscrowd=0,
                    score=score,
                )
                for place, (frame, track_id, x, y, w, h, score, category) in enumerate(
                    rows.tolist(), start=1
                )
            ],
        )

    def to_pandas(self) -> 'pandas.DataFrame':
        """One row a box: frame, id, x1, y1, x2, y2 (px), score, label, age.

        Raises:
            ValueError: pandas is not installed.
        """
        boxes = np.concatenate([np.empty((0, 4), np.float32), *(t.boxes_xyxy for t in self)])
        columns = dict(
            frame=_joined([np.full(len(t), t.frame) for t in self], np.int64),
            id=_joined([t.ids for t in self], np.int64),
            **dict(zip(('x1', 'y1', 'x2', 'y2'), boxes.T)),
            score=_joined([t.scores for t in self], np.float32),
            label=_joined([t.labels for t in self], np.int64),
            age=_joined([t.ages for t in self], np.int64),
        )
        return optional_package('pandas').DataFrame(columns)

    def to_supervision(self) -> 'list[supervision.Detections]':
        """:meth:`Tracks.to_supervision` of each frame."""
        return [tracks.to_supervision() for tracks in self]

    def to_data_sample(self) -> 'TrackDataSample':
        """mmdet's structure for a video, with the sample of each frame."""
        from mmdet.structures import TrackDataSample

        video = TrackDataSample()
        if self.frames:  # mmdet takes no empty list
            video.video_data_samples = [tracks.sample for tracks in self]
        return video


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts])


def optional_package(name: str) -> Any:
    """A package that is not needed otherwise."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f'{name} is not installed: pip install "lamotr_mm[results]" ({error})'
        ) from error
