"""Frames spread over a run, in one picture."""

import cv2
import numpy as np
import pytest

from lamotr_mm.visualization.contact_sheet import (
    BACKGROUND,
    GAP,
    EvenSample,
    contact_sheet,
    write_png,
)


def flat(value, height=40, width=60):
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize('length', [1, 2, 11, 12, 13, 24, 25, 100, 1000])
def test_frames_are_spread_evenly(length):
    sample = EvenSample(count=12, width=60)
    for number in range(1, length + 1):
        sample.add(number, flat(number % 250, 4, 6))
        assert len(sample._kept) <= 24
    frames = sample.frames()
    numbers = [number for number, _ in frames]
    assert len(numbers) == min(length, 12)
    assert numbers[0] == 1
    assert numbers[-1] > 0.85 * length  # the end of the run is shown, too
    steps = np.diff(numbers)
    if length > 12:
        assert steps.min() > 0 and steps.max() <= 2 * steps.min()
    assert all((image == number % 250).all() for number, image in frames)


def test_large_frames_are_scaled_down():
    sample = EvenSample(count=2, width=50)
    sample.add(1, flat(9, 200, 100))
    assert sample.frames()[0][1].shape == (100, 50, 3)
    with pytest.raises(ValueError, match='count=0'):
        EvenSample(count=0)


def test_tiles_lie_in_reading_order():
    sheet = contact_sheet([(n, flat(50 * n)) for n in (1, 2, 3)], columns=2)
    assert sheet.shape == (2 * (40 + GAP) + GAP, 2 * (60 + GAP) + GAP, 3)
    low = 30  # below the caption
    assert (sheet[GAP + low, GAP : GAP + 60] == 50).all()
    assert (sheet[GAP + low, 2 * GAP + 60 : 2 * GAP + 120] == 100).all()
    assert (sheet[2 * GAP + 40 + low, GAP : GAP + 60] == 150).all()
    assert (sheet[2 * GAP + 40 :, 2 * GAP + 60 :] == BACKGROUND).all()
    assert (sheet[GAP : GAP + 20, GAP : GAP + 60] == 255).any()  # the number


def test_sheets_without_frames_or_of_several_sizes():
    with pytest.raises(ValueError, match='none'):
        contact_sheet([])
    with pytest.raises(ValueError, match='one size'):
        contact_sheet([(1, flat(1)), (2, flat(1, 20))])


def test_png_is_lossless(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    write_png(tmp_path / 'made' / 'sheet.png', image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'made' / 'sheet.png')), image)
    assert [file.name for file in (tmp_path / 'made').iterdir()] == ['sheet.png']
