"""Drawn tracks, pixel by pixel."""

import numpy as np
import pytest

from lamotr_mm.visualization.draw_tracks import TrackPainter, colour_of, draw_tracks, put_caption

GREY = np.full((120, 160, 3), 90, np.uint8)


def has(image, colour, rows=slice(None), columns=slice(None)):
    return bool((image[rows, columns] == colour).all(-1).any())


def test_colours_are_told_apart_and_stay():
    colours = [colour_of(i) for i in range(21)]
    assert len(set(colours)) == 21
    assert colours == [colour_of(np.int64(i)) for i in range(21)]
    assert colour_of(21) == colours[0]
    assert colours[0] == (0, 159, 230)  # BGR of the palette's orange


def test_a_box_is_drawn_where_it_is():
    image = GREY.copy()
    drawn = draw_tracks(image, np.array([[40, 50, 100, 90]]), np.array([3]))
    np.testing.assert_array_equal(image, GREY)
    for y, x in ((50, 70), (90, 70), (70, 40), (70, 100)):
        assert tuple(drawn[y, x]) == colour_of(3)
    np.testing.assert_array_equal(drawn[60:80, 50:90], GREY[60:80, 50:90])
    np.testing.assert_array_equal(drawn[100:], GREY[100:])


def test_labels_stay_in_the_image():
    boxes = np.array([[-30, -30, 20, 20], [150, 110, 300, 300], [1e9, 1e9, 2e9, 2e9]])
    drawn = draw_tracks(GREY, boxes, np.array([1, 2, 3]), np.array([0.5, 0.6, 0.7]))
    assert drawn.shape == GREY.shape
    assert has(drawn, colour_of(1)) and has(drawn, colour_of(2))


def test_nothing_to_draw():
    np.testing.assert_array_equal(draw_tracks(GREY, np.empty((0, 4)), np.empty(0, int)), GREY)


@pytest.mark.parametrize(
    ('boxes', 'ids', 'scores', 'message'),
    [
        ([[0, 0, 9, 9]], [1, 2], None, '1 boxes, 2 ids'),
        ([[0, 0, 9, 9]], [1], [0.5, 0.5], '2 scores'),
        ([[0, 0, 9, 9], [0, 0, np.nan, 9]], [1, 7], None, 'track 7 is not finite'),
    ],
)
def test_what_cannot_be_drawn_is_named(boxes, ids, scores, message):
    with pytest.raises(ValueError, match=message):
        draw_tracks(GREY, np.array(boxes), np.array(ids), scores)


def box_at(x):
    return np.array([[x - 5, 40, x + 5, 60]])


def test_a_trail_follows_the_bottom_centre():
    painter = TrackPainter()
    for x in (20, 60, 100, 140):
        drawn = painter(GREY, box_at(x), np.array([2]))
    # far from the box, only the trail is there: at y = 60, from x = 20 on
    assert (drawn[60, 25:125] != GREY[60, 25:125]).any(-1).all()
    np.testing.assert_array_equal(drawn[66:, :120], GREY[66:, :120])


def test_no_trail_jumps_over_a_gap():
    painter = TrackPainter()
    none = np.empty((0, 4)), np.empty(0, int)
    painter(GREY, box_at(20), np.array([2]))
    painter(GREY, *none)
    drawn = painter(GREY, box_at(140), np.array([2]))
    np.testing.assert_array_equal(drawn[:, :120], GREY[:, :120])


def test_trails_are_forgotten():
    painter = TrackPainter(trail_frames=3)
    for x in (20, 50, 80, 110, 140):
        drawn = painter(GREY, box_at(x), np.array([2]))
    np.testing.assert_array_equal(drawn[:, :75], GREY[:, :75])
    for _ in range(3):
        painter(GREY, np.empty((0, 4)), np.empty(0, int))
    assert not painter._trails  # a long video with many ids holds none of the old ones


def test_caption():
    captioned = put_caption(GREY, 'frame 7')
    assert has(captioned, (255, 255, 255), slice(0, 25), slice(0, 90))
    np.testing.assert_array_equal(captioned[40:], GREY[40:])
