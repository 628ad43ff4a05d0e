"""Queries side by side: what is taken from a frame, which frames, and where things are drawn."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from lamotr_mm.tracking.lifecycle import FrameScores, Lifecycle
from lamotr_mm.tracking.session import TrackTable
from lamotr_mm.visualization.contact_sheet import GAP
from lamotr_mm.visualization.draw_tracks import colour_of, draw_boxes
from lamotr_mm.visualization.queries import (
    OBJECT_COLOUR,
    QueryFrame,
    draw_queries,
    find_occlusion,
    recorded_queries,
)

GREY = np.full((120, 200, 3), 90, np.uint8)


def box(k: int) -> list[float]:
    return [10.0 * k, 20, 10.0 * k + 6, 50]


def scores(objects, tracklets, association) -> FrameScores:
    """Of (score, k) pairs."""

    def part(pairs):
        boxes = np.array([box(k) for _, k in pairs]).reshape(-1, 4)
        return np.array([score for score, _ in pairs]), np.zeros(len(pairs), int), boxes

    return FrameScores(*part(objects), *part(tracklets), association=np.array(association))


def output(boxes, values, ids) -> InstanceData:
    return InstanceData(
        bboxes=torch.tensor(boxes), scores=torch.tensor(values), instances_id=torch.tensor(ids)
    )


def test_what_is_taken_from_a_frame():
    """Ids 1 and 2 are born from objects 0 and 2; then 2 is found again, 1 is lost, 3 is born."""
    lifecycle, table = Lifecycle(), TrackTable.empty(4)
    nothing = [(0.1, 9)] * 4
    first = scores([(0.9, 1), (0.2, 5), (0.8, 3)], nothing, np.zeros((3, 4)))
    association = np.full((3, 4), 0.01)
    association[1] = [0.3, 0.7, 0.0, 0.0]
    second = scores(
        [(0.1, 1), (0.9, 3), (0.8, 6)], [(0.2, 1), (0.6, 3), (0.9, 8), (0.9, 9)], association
    )
    with recorded_queries(lifecycle) as seen:
        lifecycle.step(table, first)
        lifecycle.step(table, second)
    assert 'step' not in vars(lifecycle) and len(seen) == 2

    born = QueryFrame.of(1, *seen[0], output([box(1)], [0.9], [1]))
    assert born.object_boxes_xyxy.tolist() == [box(1), box(3)]
    assert born.object_scores.tolist() == [0.9, 0.8]
    assert born.tracklet_boxes_xyxy.shape == (0, 4) and born.association.shape == (2, 0)
    assert born.matches.shape == (0, 2)
    assert (born.number, born.track_ids.tolist()) == (1, [1])

    frame = QueryFrame.of(2, *seen[1], output([box(3), box(6)], [0.6, 0.8], [2, 3]))
    assert frame.object_boxes_xyxy.tolist() == [box(3), box(6)]
    assert frame.tracklet_ids.tolist() == [1, 2], 'those that entered the frame'
    assert frame.tracklet_boxes_xyxy.tolist() == [box(1), box(3)]
    assert frame.tracklet_scores.tolist() == [0.2, 0.6]
    assert frame.lost.tolist() == [True, False]
    assert frame.association.tolist() == [[0.3, 0.7], [0.01, 0.01]]
    assert frame.matches.tolist() == [[0, 1]]
    assert frame.track_ids.tolist() == [2, 3]


def test_recording_ends_with_an_error():
    lifecycle = Lifecycle()
    with pytest.raises(KeyError), recorded_queries(lifecycle):
        raise KeyError
    assert 'step' not in vars(lifecycle)


def course(*offsets: float | None, other: float = 0.0) -> list:
    """Frames of target 7 at rest and target 4 at x = offset (10 px wide); None: it isn't there."""
    frames = []
    for number, x in enumerate(offsets, start=11):
        ids, boxes = [7], [[0, 0, 10, 10]]
        if x is not None:
            ids, boxes = [7, 4], [[0, 0, 10, 10], [x, 0, x + 10, 10]]
        ids, boxes = [*ids, 9], [*boxes, [100 + other, 0, 110 + other, 10]]
        frames.append((number, np.array(ids), np.array(boxes, dtype=float)))
    return frames


def test_frames_before_in_and_after_an_occlusion():
    assert find_occlusion(course(30, 20, 8, 2, -4, -9.8, -20)) == [12, 14, 16]
    # the first of equal ones; seen apart on one side only; gone in between
    assert find_occlusion(course(30, 2, 2, 8)) == [11, 12]
    assert find_occlusion(course(2, 20, 30)) == [11, 12]
    assert find_occlusion(course(30, None, 3, None, None, 30)) == [11, 13, 16]
    assert find_occlusion(course(30, 20, None)) == []
    assert find_occlusion([]) == find_occlusion([(1, np.empty(0), np.empty((0, 4)))]) == []


def test_a_pair_that_is_seen_apart_again_comes_first():
    frames = course(30, 5, 30)
    for number, ids, boxes in frames:
        # a couple that never parts, at a larger IoU
        ids_of_two, twin = np.append(ids, 2), np.vstack([boxes, boxes[-1] + [0, 0, 1, 0]])
        frames[number - 11] = (number, ids_of_two, twin)
    assert find_occlusion(frames) == [11, 12, 13]
    assert len(find_occlusion([frames[0], frames[2]])) == 1


def query_frame(**changes) -> QueryFrame:
    values = dict(
        number=5,
        object_boxes_xyxy=np.array([[20.0, 40, 40, 80], [120, 40, 140, 80]]),
        object_scores=np.array([0.9, 0.8]),
        tracklet_boxes_xyxy=np.array([[24.0, 40, 44, 80], [150, 40, 180, 80]]),
        tracklet_scores=np.array([0.7, 0.1]),
        tracklet_ids=np.array([1, 5]),
        lost=np.array([False, True]),
        association=np.array([[0.8, 0.0], [0.0, 0.2]]),
        matches=np.array([[0, 0]]),
        track_boxes_xyxy=np.array([[24.0, 40, 44, 80]]),
        track_scores=np.array([0.7]),
        track_ids=np.array([1]),
    )
    return QueryFrame(**values | changes)


EMPTY = dict(
    object_boxes_xyxy=np.empty((0, 4)),
    object_scores=np.empty(0),
    tracklet_boxes_xyxy=np.empty((0, 4)),
    tracklet_scores=np.empty(0),
    tracklet_ids=np.empty(0, int),
    lost=np.empty(0, bool),
    association=np.empty((0, 0)),
    matches=np.empty((0, 2), int),
    track_boxes_xyxy=np.empty((0, 4)),
    track_scores=np.empty(0),
    track_ids=np.empty(0, int),
)
# to the very corners, so that the whole image is shown, at 2 px a px
WHOLE = dict(object_boxes_xyxy=np.array([[0.0, 0, 200, 120], [120, 40, 140, 80]]))


def has(sheet: np.ndarray, colour: tuple[int, int, int], x: float, y: float) -> bool:
    """Whether there is about this colour (lines are smoothed) within 2 px."""
    x, y = round(x), round(y)
    difference = np.abs(sheet[y - 2 : y + 3, x - 2 : x + 3].astype(int) - colour)
    return bool((difference.max(-1) < 40).any())


def test_boxes_and_lines_are_where_they_belong():
    sheet = draw_queries([GREY, GREY], [query_frame(**WHOLE), query_frame(**EMPTY)], width=400)
    assert sheet.shape == (2 * 240 + 3 * GAP, 3 * 400 + 4 * GAP, 3)

    def at(column: int, x: float, y: float) -> tuple[float, float]:
        return GAP + column * (400 + GAP) + 2 * x, GAP + 2 * y

    white, first, second = OBJECT_COLOUR, colour_of(1), colour_of(5)
    assert has(sheet, white, *at(0, 120, 70)) and has(sheet, white, *at(0, 140, 70))
    assert not has(sheet, white, *at(1, 120, 70))
    assert has(sheet, first, *at(1, 24, 70)) and has(sheet, first, *at(2, 24, 70))
    assert not has(sheet, first, *at(0, 24, 70))
    assert not has(sheet, second, *at(2, 150, 70))
    edge = (sheet[GAP + 100 : GAP + 158, round(at(1, 150, 0)[0])] == second).all(-1)
    assert 0.3 < edge.mean() < 0.8, 'a lost tracklet is dashed'

    # S 0.8 (matched, with its label) and 0.2 from object to tracklet centres
    ends = np.array(at(0, 100, 60)), np.array(at(1, 34, 60))
    thick = [has(sheet, first, *(ends[0] + part * (ends[1] - ends[0]))) for part in (0.1, 0.5, 0.9)]
    assert all(thick)
    ends = np.array(at(0, 130, 60)), np.array(at(1, 165, 60))
    x, y = ends[0] + 0.8 * (ends[1] - ends[0])
    assert has(sheet, second, x, y)
    # S of 0: no line from the first object to the second tracklet
    assert not has(sheet, second, *at(0, 110, 60))
    # an empty frame: its caption only
    row = sheet[2 * GAP + 240 + 20 :]
    assert (row[:200, GAP : GAP + 400] == 90).all()


def test_the_pictures_show_the_part_with_boxes():
    image = np.zeros((1000, 2000, 3), np.uint8)
    image[400:600, 900:1100] = 90
    frame = query_frame(
        object_boxes_xyxy=np.array([[960.0, 460, 1000, 540]]),
        object_scores=np.array([0.9]),
        tracklet_boxes_xyxy=np.array([[1000.0, 460, 1040, 540]]),
        tracklet_scores=np.array([0.7]),
        tracklet_ids=np.array([1]),
        lost=np.array([False]),
        association=np.array([[0.8]]),
        track_boxes_xyxy=np.array([[1000.0, 460, 1040, 540]]),
    )
    # 960-1040 and 460-540, a margin of 60 px around: 900-1100, 400-600
    sheet = draw_queries([image], [frame], width=300)
    assert sheet.shape[:2] == (300 + 2 * GAP, 3 * 300 + 4 * GAP)
    assert (sheet[GAP + 20 : GAP + 40, 2 * (GAP + 300) + GAP :][:, :300] == 90).all()
    blank = draw_queries([image], [query_frame(**EMPTY)], width=300)
    assert blank.shape[0] == 150 + 2 * GAP, 'no boxes: the whole image'


def test_dashed_boxes():
    boxes = np.array([[20.0, 20, 80, 100], [100, 20, 180, 100]])
    red = (0, 0, 255)
    drawn = draw_boxes(GREY, boxes, [red, red], ['', ''], dashed=np.array([True, False]))
    is_red = (drawn == red).all(-1)
    assert is_red[20:100, 100].all() and is_red[20, 100:180].all()
    for line in (is_red[20:100, 20], is_red[20:100, 80], is_red[20, 20:80], is_red[100, 20:80]):
        assert 0.3 < line.mean() < 0.8
    assert (GREY == 90).all()
    # behind the others
    twice = draw_boxes(GREY, boxes[[0, 0]], [(9, 9, 9), red], ['', ''], np.array([False, True]))
    assert not (twice == red).all(-1).any()
