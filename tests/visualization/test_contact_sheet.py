"""The picture of a run: which frames, and where."""

import cv2
import numpy as np
import pytest

from lamotr_mm.visualization.contact_sheet import GAP, EvenSample, contact_sheet, write_png


def _flat(value: int, height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize('length', [1, 5, 12, 13, 48, 49, 50, 96, 100, 1000, 4321])
def test_frames_are_spread_evenly(length):
    sample = EvenSample(count=12, width=8)
    for number in range(1, length + 1):
        sample.add(number, _flat(0, 6, 8))
        assert len(sample._kept) <= 48  # bounded memory
    numbers = [number for number, _ in sample.frames()]
    assert len(numbers) == min(12, length)
    assert numbers[0] == 1
    if length > 12:
        steps = np.diff(numbers)
        assert steps.min() > 0
        assert steps.max() <= 2 * steps.min()
        assert length - numbers[-1] <= steps.max()


def test_pictures_are_scaled_down():
    sample = EvenSample(count=2, width=40)
    image = _flat(0)
    sample.add(1, image)
    image[:] = 255  # the caller may reuse its frame
    small = EvenSample(count=2, width=400)
    small.add(1, _flat(0))
    assert sample.frames()[0][1].shape == (30, 40, 3)
    assert sample.frames()[0][1].max() == 0
    assert small.frames()[0][1].shape == (60, 80, 3)
    with pytest.raises(ValueError, match='count=0'):
        EvenSample(count=0)


def test_sheet_is_a_grid():
    sheet = contact_sheet([(k, _flat(40 * k)) for k in range(1, 6)], columns=3)
    assert sheet.shape == (2 * 60 + 3 * GAP, 3 * 80 + 4 * GAP, 3)
    for k in range(5):
        row, column = divmod(k, 3)
        centre = sheet[GAP + row * (60 + GAP) + 45, GAP + column * (80 + GAP) + 40]
        assert centre.tolist() == [40 * (k + 1)] * 3
    # the last place stays empty; captions are written
    assert sheet[GAP + 66 + 45, GAP + 2 * 86 + 40].tolist() == sheet[0, 0].tolist()
    assert (sheet[GAP : GAP + 16, GAP : GAP + 60] == 255).any()


def test_sheet_is_rather_wide():
    sheet = contact_sheet([(k, _flat(0)) for k in range(12)])
    assert 1 <= sheet.shape[1] / sheet.shape[0] <= 2.2


def test_frames_of_different_sizes():
    with pytest.raises(ValueError, match='one size'):
        contact_sheet([(1, _flat(0)), (2, _flat(0, 61))])
    with pytest.raises(ValueError, match='none'):
        contact_sheet([])


def test_png(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    write_png(tmp_path / 'new' / 'a.png', image)
    assert (cv2.imread(str(tmp_path / 'new' / 'a.png')) == image).all()
    assert [file.name for file in (tmp_path / 'new').iterdir()] == ['a.png']
