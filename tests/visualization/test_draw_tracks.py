"""Drawing of tracks, looked at pixel by pixel."""

import numpy as np
import pytest

from lamotr_mm.visualization.draw_tracks import (
    TrackPainter,
    colour_of,
    draw_tracks,
    line_width,
    put_caption,
)

GREY = np.full((240, 320, 3), 90, np.uint8)


def _has(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (image == colour).all(-1)


def test_box_has_the_colour_of_its_id():
    drawn = draw_tracks(GREY, [[100, 80, 140, 200]], [7])
    rows, columns = np.nonzero(_has(drawn[80:], colour_of(7)))
    assert abs(rows.min()) <= 1 and abs(rows.max() - 120) <= 1
    assert abs(columns.min() - 100) <= 1 and abs(columns.max() - 140) <= 1
    assert (drawn[100:180, 110:130] == 90).all()  # nothing inside
    assert (GREY == 90).all()  # the input stays as it was


def test_label_stands_on_its_box():
    drawn = draw_tracks(GREY, [[100, 80, 140, 200]], [7])
    above = (drawn[:76] != 90).any(-1)  # 76: the box itself, its outline included, is below
    rows, columns = np.nonzero(above)
    assert 6 <= rows.max() - rows.min() <= 20
    assert 95 <= columns.min() <= 100
    ink = drawn[:76][above & ~_has(drawn[:76], colour_of(7))]
    assert ink.size  # there is text


def test_labels_of_different_ids_differ():
    patches = {
        draw_tracks(GREY, [[100, 80, 140, 200]], [k])[60:78, 98:130].tobytes() for k in range(30)
    }
    assert len(patches) == 30


def test_label_stays_inside_the_image():
    boxes = [[-30, -20, 20, 100], [300, 100, 400, 300], [300, -5, 340, 100]]
    drawn = draw_tracks(GREY, boxes, [1, 22222, 3], [0.5, 0.6, 0.7])
    assert drawn.shape == GREY.shape
    for track_id in (1, 22222, 3):
        assert _has(drawn, colour_of(track_id)).sum() > 100  # label included


def test_scores_make_the_label_longer():
    def length(scores):
        drawn = draw_tracks(GREY, [[100, 80, 140, 200]], [7], scores)
        return np.ptp(np.nonzero((drawn[:76] != 90).any(-1))[1])

    assert length([0.87]) > length(None) + 15


def test_no_tracks():
    drawn = draw_tracks(GREY, np.empty((0, 4)), np.empty(0, int), np.empty(0))
    assert (drawn == GREY).all() and drawn is not GREY


def test_huge_and_reversed_boxes():
    draw_tracks(GREY, [[-1e12, -1e12, 1e12, 1e12], [50, 50, 20, 20], [5, 5, 5, 5]], [1, 2, 3])


@pytest.mark.parametrize(
    ('boxes', 'ids', 'scores', 'message'),
    [
        ([[0, 0, 9, 9]], [1, 2], None, '1 boxes, 2 ids'),
        ([[0, 0, 9, 9]], [1], [0.5, 0.5], '2 scores'),
        ([[0, 0, 9, 9], [0, 0, np.nan, 9]], [4, 5], None, 'track 5 is not finite'),
    ],
)
def test_bad_arguments(boxes, ids, scores, message):
    with pytest.raises(ValueError, match=message):
        draw_tracks(GREY, boxes, ids, scores)


def test_colours_are_stable_and_far_apart():
    colours = np.array([colour_of(k) for k in range(21)], dtype=float)
    assert len(np.unique(colours, axis=0)) == 21
    assert colour_of(3) == colour_of(24) == colour_of(np.int64(3))
    assert colour_of(0) == (0, 159, 230)  # BGR of the palette's orange
    near = np.linalg.norm(colours - np.roll(colours, 1, axis=0), axis=1)
    assert near.min() > 60  # ids in a row never look alike


def test_lines_grow_with_the_image():
    widths = [line_width(np.empty((h, 2 * h, 3))) for h in (64, 240, 576, 1080, 2160)]
    assert widths == sorted(widths) and widths[0] == 1 and widths[2] == 2 and widths[3] == 3


def _walk(painter, positions):
    for x in positions:
        boxes = np.empty((0, 4)) if x is None else [[x - 5, 50, x + 5, 80]]
        drawn = painter(GREY, boxes, [] if x is None else [2])
    return (drawn != GREY).any(-1)[80]  # the row on which the box stands


def test_trail_follows_the_bottom_centre():
    row = _walk(TrackPainter(), range(40, 140, 10))
    assert row[45:125].all()
    assert not row[:38].any() and not row[140:].any()


def test_trail_is_forgotten():
    row = _walk(TrackPainter(trail_frames=4), range(40, 140, 10))
    assert not row[:98].any() and row[105:125].all()


def test_no_trail_across_a_gap():
    row = _walk(TrackPainter(), [20, 30, None, 200, 210])
    assert not row[:194].any()
    painter = TrackPainter(trail_frames=3)
    _walk(painter, [20, None, None, None, None])
    assert not painter._trails  # ended tracks take no memory


def test_caption():
    captioned = put_caption(GREY, 'frame 7')
    assert _has(captioned[:25, :90], (255, 255, 255)).any()
    assert (captioned[40:] == 90).all()
