"""Object queries, tracklet queries and tracks of a frame side by side, as in Fig. 6."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from mmdet.evaluation import bbox_overlaps
from mmengine.structures import InstanceData

from lamotr_mm.tracking.lifecycle import FrameScores, FrameTracks, Lifecycle
from lamotr_mm.tracking.session import NO_TRACK, TrackTable

from .contact_sheet import GAP, contact_sheet
from .draw_tracks import colour_of, draw_boxes, draw_tracks, put_label

OBJECT_COLOUR = (235, 235, 235)  # an object has no identity yet
LEAST_SCORE = 0.05  # association scores below it are not drawn
APART = 0.05  # IoU up to which two targets count as apart
MARGIN = 0.06  # around the boxes, of the image's shorter side


@dataclass(frozen=True)
class QueryFrame:
    """What the queries of one frame say. Boxes are in px of the original image.

    Attributes:
        number: number of the frame in its video.
        object_boxes_xyxy, object_scores: ``(No, 4)``, ``(No,)`` of the kept object queries.
        tracklet_boxes_xyxy, tracklet_scores, tracklet_ids: ``(Nt, 4)``, ``(Nt,)``, ``(Nt,)`` of the
            tracklets that entered the frame.
        lost: ``(Nt,)`` bool, tracklets that are neither matched nor kept in this frame.
        association: ``(No, Nt)``, S as probabilities.
        matches: ``(K, 2)``, matched (object, tracklet).
        track_boxes_xyxy, track_scores, track_ids: ``(n, 4)``, ``(n,)``, ``(n,)`` of the output.
    """

    number: int
    object_boxes_xyxy: np.ndarray
    object_scores: np.ndarray
    tracklet_boxes_xyxy: np.ndarray
    tracklet_scores: np.ndarray
    tracklet_ids: np.ndarray
    lost: np.ndarray
    association: np.ndarray
    matches: np.ndarray
    track_boxes_xyxy: np.ndarray
    track_scores: np.ndarray
    track_ids: np.ndarray

    @classmethod
    def of(
        cls,
        number: int,
        ids: np.ndarray,
        scores: FrameScores,
        tracks: FrameTracks,
        output: InstanceData,
    ) -> 'QueryFrame':
        """From what the lifecycle was given and decided.

        Args:
            number: number of the frame.
            ids: ``(slots,)`` ids before the frame, `NO_TRACK` for a free slot.
            scores: what the network said.
            tracks: what the lifecycle decided.
            output: ``pred_track_instances``.
        """
        slots = np.flatnonzero(ids != NO_TRACK)
        columns = np.searchsorted(slots, tracks.matches[:, 1])
        rows = np.searchsorted(tracks.objects, tracks.matches[:, 0])
        return cls(
            number=number,
            object_boxes_xyxy=scores.object_boxes_xyxy[tracks.objects],
            object_scores=scores.object_scores[tracks.objects],
            tracklet_boxes_xyxy=scores.tracklet_boxes_xyxy[slots],
            tracklet_scores=scores.tracklet_scores[slots],
            tracklet_ids=ids[slots],
            lost=~tracks.present[slots],
            association=scores.association[np.ix_(tracks.objects, slots)],
            matches=np.stack([rows, columns], 1),
            track_boxes_xyxy=output.bboxes.numpy(),
            track_scores=output.scores.numpy(),
            track_ids=output.instances_id.numpy(),
        )


@contextmanager
def recorded_queries(lifecycle: Lifecycle) -> Iterator[list[tuple]]:
    """Keep what the lifecycle is given and decides while the block runs.

    Yields:
        A list to which every frame adds (ids before it, `FrameScores`, `FrameTracks`).
    """
    seen: list[tuple] = []
    decide = lifecycle.step

    def step(table: TrackTable, scores: FrameScores) -> FrameTracks:
        ids = table.ids.copy()
        tracks = decide(table, scores)
        seen.append((ids, scores, tracks))
        return tracks

    lifecycle.step = step  # type: ignore[method-assign, assignment]  # of this object alone
    try:
        yield seen
    finally:
        del lifecycle.step


def find_occlusion(frames: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> list[int]:
    """Frames before, in and after the heaviest overlap of two targets.

    Pairs that are seen apart both before and after come first.

    Args:
        frames: (frame number, ids ``(n,)``, boxes ``(n, 4)`` xyxy px), in order.

    Returns:
        Up to three frame numbers, ascending: the last one in which the two are apart, that of the
        largest IoU, and the next one in which they are apart again. Empty where no two targets
        overlap.
    """
    overlaps: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for number, ids, boxes in frames:
        order = np.argsort(ids)
        ids, ious = np.asarray(ids)[order], bbox_overlaps(boxes[order], boxes[order])
        for i, j in zip(*np.triu_indices(len(ids), 1)):
            overlaps.setdefault((ids[i], ids[j]), []).append((number, float(ious[i, j])))
    best: list[int] = []
    best_rank = (0, APART)
    for course in overlaps.values():
        peak, iou = max(course, key=lambda point: point[1])
        before = [number for number, value in course if number < peak and value <= APART][-1:]
        after = [number for number, value in course if number > peak and value <= APART][:1]
        rank = (int(bool(before and after)), iou)
        if iou > APART and rank > best_rank:
            best, best_rank = [*before, peak, *after], rank
    return best


def draw_queries(
    images_bgr: Sequence[np.ndarray], frames: Sequence[QueryFrame], width: int = 560
) -> np.ndarray:
    """A row for each frame: object queries, tracklet queries, tracks.

    Objects are white, tracklets and tracks have the colour of their id, lost tracklets are dashed.
    Lines join object and tracklet centres: thick ones with S where the two were matched, thin ones
    where S is there, too. All pictures show the part of the image that has boxes.

    Args:
        images_bgr: ``(H, W, 3)`` uint8, all of one size.
        frames: what to draw on them.
        width: of a picture of a row, px.

    Returns:
        ``(h, w, 3)`` uint8 BGR.
    """
    x1, y1, x2, y2 = _part_with_boxes(frames, images_bgr[0].shape)
    view = _View(np.array([x1, y1]), width / (x2 - x1))
    height = round(view.scale * (y2 - y1))
    tiles = []
    for image, frame in zip(images_bgr, frames, strict=True):
        tiles += _tiles(cv2.resize(image[y1:y2, x1:x2], (width, height)), frame, view)
    sheet = contact_sheet(tiles, columns=3)
    for row, frame in enumerate(frames):
        _draw_scores(sheet, frame, view, GAP + row * (height + GAP), width)
    return sheet


@dataclass(frozen=True)
class _View:
    """A part of the image: its top left corner in px of the image, and px of the picture per px."""

    corner: np.ndarray
    scale: float

    def boxes(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """``(n, 4)`` in px of the picture."""
        return self.scale * (boxes_xyxy - np.tile(self.corner, 2))

    def centres(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """``(n, 2)``, x and y in px of the picture."""
        boxes = self.boxes(boxes_xyxy)
        return (boxes[:, :2] + boxes[:, 2:]) / 2


def _part_with_boxes(frames: Sequence[QueryFrame], shape: tuple[int, ...]) -> list[int]:
    """x1, y1, x2, y2 in whole px around all boxes, with a margin; the image if there are none."""
    height, width = shape[:2]
    boxes = np.concatenate(
        [
            boxes
            for frame in frames
            for boxes in (
                frame.object_boxes_xyxy,
                frame.tracklet_boxes_xyxy,
                frame.track_boxes_xyxy,
            )
        ]
    )
    if len(boxes) == 0:
        return [0, 0, width, height]
    margin = MARGIN * min(height, width)
    first, last = boxes[:, :2].min(0) - margin, boxes[:, 2:].max(0) + margin
    # not narrower than high: a row holds three pictures
    missing = max(0, (last - first)[1] - (last - first)[0]) / 2
    first[0], last[0] = first[0] - missing, last[0] + missing
    part = np.clip([*first, *last], 0, [width, height, width, height])
    return part.round().astype(int).tolist()


def _tiles(image: np.ndarray, frame: QueryFrame, view: _View) -> list[tuple[str, np.ndarray]]:
    """The three pictures of a frame, with their captions."""
    objects = draw_boxes(
        image,
        view.boxes(frame.object_boxes_xyxy),
        [OBJECT_COLOUR] * len(frame.object_scores),
        [f'{score:.2f}' for score in frame.object_scores],
    )
    tracklets = draw_boxes(
        image,
        view.boxes(frame.tracklet_boxes_xyxy),
        [colour_of(track_id) for track_id in frame.tracklet_ids],
        [f'{i}  {score:.2f}' for i, score in zip(frame.tracklet_ids, frame.tracklet_scores)],
        dashed=frame.lost,
    )
    tracks = draw_tracks(
        image, view.boxes(frame.track_boxes_xyxy), frame.track_ids, frame.track_scores
    )
    return [
        (f'frame {frame.number}: object queries', objects),
        ('tracklet queries' + (' (dashed: lost)' if frame.lost.any() else ''), tracklets),
        ('tracks', tracks),
    ]


def _draw_scores(sheet: np.ndarray, frame: QueryFrame, view: _View, top: int, width: int) -> None:
    """Lines of S from the first picture of a row to its second one."""
    corners = np.array([[GAP, top], [2 * GAP + width, top]])
    objects = (view.centres(frame.object_boxes_xyxy) + corners[0]).round().astype(int)
    tracklets = (view.centres(frame.tracklet_boxes_xyxy) + corners[1]).round().astype(int)
    matched = {tuple(pair) for pair in frame.matches.tolist()}
    pairs = np.argwhere(frame.association >= LEAST_SCORE).tolist()
    for o, t in sorted(pairs, key=lambda pair: tuple(pair) in matched):
        thickness = 2 if (o, t) in matched else 1
        colour = colour_of(frame.tracklet_ids[t])
        cv2.line(sheet, objects[o].tolist(), tracklets[t].tolist(), colour, thickness, cv2.LINE_AA)
    for o, t in sorted(matched):
        x, y = ((objects[o] + tracklets[t]) // 2).tolist()
        put_label(
            sheet, f'S {frame.association[o, t]:.2f}', colour_of(frame.tracklet_ids[t]), (x, y)
        )
