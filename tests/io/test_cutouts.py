"""The index of cutouts and their pictures."""

import cv2
import numpy as np
import pytest

from lamotr_mm.io.cutouts import INDEX, Cutout, read_picture, read_runs, write_runs

RUNS = [
    [
        Cutout('a/1.png', 4, (3, 5), (1.0, 2.0, 9.5, 20.0)),
        Cutout('a/2.png', 6, (4, 5), (1, 2, 9, 20)),
    ],
    [Cutout('b/1.png', 0, (0, 0), (0, 0, 5, 5))],
]


def test_what_is_written_is_read(tmp_path):
    write_runs(tmp_path, RUNS)
    found = read_runs(tmp_path)
    assert [[tuple(cutout) for cutout in run] for run in found] == [
        [(c.file, c.frame, list(c.corner), list(c.box_xyxy)) for c in run] for run in RUNS
    ]


def test_picture(tmp_path):
    picture = np.zeros((4, 3, 4), np.uint8)
    picture[1, 2] = 10, 20, 30, 51
    cv2.imwrite(str(tmp_path / '1.png'), picture)
    colours, alpha = read_picture(tmp_path, RUNS[1][0]._replace(file='1.png'))
    assert colours.shape == (4, 3, 3) and alpha.shape == (4, 3, 1)
    np.testing.assert_array_equal(colours[1, 2], [10, 20, 30])
    assert alpha[1, 2] == pytest.approx(0.2)
    assert alpha.sum() == alpha[1, 2]


def test_errors_name_the_file_and_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'cutouts\.json does not exist: .*cut_out_targets'):
        read_runs(tmp_path)
    for text in ('{', '{}', '{"runs": [[{"file": 1}]]}'):
        (tmp_path / INDEX).write_text(text)
        with pytest.raises(ValueError, match=r'cutouts\.json is no index of cutouts'):
            read_runs(tmp_path)
    write_runs(tmp_path, [])
    with pytest.raises(ValueError, match='has no cutouts'):
        read_runs(tmp_path)
    cv2.imwrite(str(tmp_path / 'grey.png'), np.zeros((4, 4), np.uint8))
    for file in ('grey.png', 'none.png'):
        with pytest.raises(ValueError, match=rf'{file} is missing or no PNG with transparency'):
            read_picture(tmp_path, RUNS[1][0]._replace(file=file))
