"""A synthetic video on disk, read back by the converter's reader and a video decoder."""

import importlib.util
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lamotr_mm.datasets.synthetic.render import SyntheticScene
from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.io.mot_folder import read_seqinfo
from lamotr_mm.io.mot_rows import read_rows
from lamotr_mm.preparation.synthetic_export import write_sequence

SPEC = SceneSpec(20_004, 2, 8, height=128, width=160)
TOOL = Path(__file__).parents[2] / 'tools' / 'render_synthetic.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return write_sequence(SPEC, tmp_path_factory.mktemp('sequences'), fps=12)


def test_ground_truth_is_that_of_the_frames(folder):
    rows, scene = read_rows(folder / 'gt' / 'gt.txt'), SyntheticScene(SPEC)
    for t in range(SPEC.length):
        frame, here = scene.render(t), rows[rows[:, 0] == t + 1]
        assert here[:, 1].tolist() == frame.instance_ids.tolist()
        assert np.array_equal(here[:, 2:4], frame.boxes_xyxy[:, :2])
        assert np.array_equal(here[:, 2:4] + here[:, 4:6], frame.boxes_xyxy[:, 2:])


def test_video_shows_the_frames_without_boxes(folder):
    with av.open(str(folder / 'synthetic-20004-d2.mp4')) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
        decoded = [frame.to_ndarray(format='bgr24') for frame in container.decode(video=0)]
    assert len(decoded) == SPEC.length
    scene = SyntheticScene(SPEC)
    for t, image in enumerate(decoded):
        error = np.abs(image.astype(int) - scene.render(t).image).mean()
        assert error < 12  # lossy, and colour at half resolution
    assert np.abs(decoded[0].astype(int) - decoded[5]).mean() > 1


def test_sequence_info(folder):
    info = read_seqinfo(folder)
    assert info['name'] == folder.name == 'synthetic-20004-d2'
    assert (info['framerate'], info['seqlength']) == ('12', '8')
    assert (info['imwidth'], info['imheight']) == ('160', '128')
    assert cv2.imread(str(folder / 'sheet.png')) is not None


def test_extracted_frames_of_an_older_video_are_not_mixed_in(tmp_path):
    (tmp_path / SPEC.name / 'img1').mkdir(parents=True)
    with pytest.raises(FileExistsError, match='older video'):
        write_sequence(SPEC, tmp_path)


def test_tool_names_a_bad_argument(capsys, tmp_path):
    module_spec = importlib.util.spec_from_file_location('render_synthetic', TOOL)
    tool = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(tool)
    with pytest.raises(SystemExit) as stop:
        tool.main(['5', '--difficulty', '7', '--out', str(tmp_path)])
    assert stop.value.code == 2
    assert 'difficulty=7' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
