"""Gaps and regions, worked by hand."""

import numpy as np
import pytest

from lamotr_mm.apis.postprocess import RegionCounter, fill_gaps, fill_gaps_of_file
from lamotr_mm.io.mot_rows import read_rows


def walk(track_id, frames, label=-1):
    """A box of 10x20 px whose left side is at 2 px a frame."""
    return np.array([[f, track_id, 2 * f, 5, 10, 20, 0.5, label] for f in frames], float)


def test_gaps_are_filled_by_lines():
    rows = np.concatenate([walk(8, [1, 2, 3, 4, 5, 8], 2), walk(3, [2, 6])])
    filled = fill_gaps(rows, 2)
    added = walk(8, [6, 7], 2)
    added[:, 6] = 1  # mmdet's score of what was filled in
    expected = np.concatenate([rows, added])
    expected = expected[np.lexsort((expected[:, 1], expected[:, 0]))]
    np.testing.assert_allclose(filled, expected)
    # the gap of two frames is longer than one; a track of two frames stays as it is
    np.testing.assert_array_equal(fill_gaps(rows, 1)[:, :2], expected[expected[:, 6] < 1][:, :2])
    assert len(fill_gaps(np.empty((0, 8)), 3)) == 0
    with pytest.raises(ValueError, match='over 0 frames'):
        fill_gaps(rows, 0)


def test_gaps_of_a_file(tmp_path):
    lines = [','.join(f'{v:g}' for v in row) for row in walk(1, [1, 2, 3, 4, 5, 9])]
    (tmp_path / 'a.txt').write_text('\n'.join(lines))
    assert fill_gaps_of_file(tmp_path / 'a.txt', 3) == 3
    assert read_rows(tmp_path / 'a.txt')[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_lines_and_polygons_count(make_tracks):
    pytest.importorskip('supervision', reason='optional: pip install "lamotr_mm[results]"')
    counter = RegionCounter([(0, 50, 100, 50)], [(60, 0, 100, 0, 100, 100, 60, 100)])
    # 1 goes down over the line, 2 goes up, 3 stays; feet at the middle of the lower side
    for step in range(5):
        down, up = 30 + 10 * step, 70 - 10 * step
        boxes = [[10, down - 20, 20, down], [70, up - 20, 80, up], [90, 60, 96, 90]]
        counter.update(make_tracks(step + 1, [1, 2, 3], boxes, [0, 0, 0]))
    line, polygon = counter.counts()
    assert line['region'] == '0,50,100,50' and {line['in'], line['out']} == {1}
    assert polygon == dict(region='60,0,100,0,100,100,60,100', now=2, most=2, all=2)
    counter.update(make_tracks(6, [], [], []))
    assert counter.counts()[1] | dict(region='') == dict(region='', now=0, most=2, all=2)


@pytest.mark.parametrize(
    ('lines', 'polygons', 'message'),
    [
        ([(1, 2, 3)], [], 'line 1,2,3: give x1,y1,x2,y2'),
        ([(1, 2, 1, 2)], [], 'line 1,2,1,2'),
        ([], [(1, 2, 3, 4)], 'polygon 1,2,3,4: give x,y of three'),
        ([], [(1, 2, 3, 4, 5, 6, 7)], 'polygon 1,2,3,4,5,6,7'),
    ],
)
def test_regions_that_are_none(lines, polygons, message):
    with pytest.raises(ValueError, match=message):
        RegionCounter(lines, polygons)
