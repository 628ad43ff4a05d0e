"""`tools/analysis/query_picture.py` on a short synthetic video."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample

from lamotr_mm.datasets.synthetic.render import get_scene
from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.visualization.contact_sheet import GAP
from lamotr_mm.visualization.queries import find_occlusion

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / 'demo' / 'weights' / 'lamotr_synthetic.pth'
LENGTH = 6
# the first two test videos, cut short
OPTIONS = (
    '--cfg-options',
    f'test_dataloader.dataset.video_length={LENGTH}',
    'test_dataloader.dataset.num_videos=2',
    'test_dataloader.dataset.difficulty=1',
    'test_dataloader.dataset.offset=11',
)


@pytest.fixture
def tool():
    path = ROOT / 'tools' / 'analysis' / 'query_picture.py'
    spec = importlib.util.spec_from_file_location('query_picture', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def picture(tool, tmp_path, monkeypatch, capsys):
    """``picture(*arguments)`` -> (exit status, stdout, last line of stderr), in an empty folder."""
    if not WEIGHTS.is_file():
        pytest.skip(f'{WEIGHTS.relative_to(ROOT)} is not there: make train-demo')
    monkeypatch.chdir(tmp_path)
    config = str(ROOT / 'configs' / 'lamotr_synthetic.py')

    def run(*arguments):
        try:
            tool.main([config, str(WEIGHTS), '--device', 'cpu', *arguments, *OPTIONS])
            status = 0
        except SystemExit as error:
            status = error.code
        out, err = capsys.readouterr()
        return status, out, (err.splitlines() or [''])[-1]

    return run


def test_frames_that_are_named(picture):
    status, out, err = picture(
        '--video', 'synthetic-20012-d1', '--frames', '1', '3', '--out', 'a/b.png', '--width', '200'
    )
    assert status == 0, err
    assert 'a/b.png: frames 1, 3' in out
    assert cv2.imread('a/b.png').shape[1] == 3 * 200 + 4 * GAP


def test_frames_around_an_occlusion(picture):
    status, out, err = picture()
    frames = []
    for index in range(LENGTH):
        frame = get_scene(SceneSpec(20011, 1, LENGTH)).render(index)
        frames.append((index + 1, frame.instance_ids, frame.boxes_xyxy))
    expected = find_occlusion(frames)
    assert expected
    assert status == 0, err
    assert f'queries.png: frames {", ".join(map(str, expected))}' in out


def test_what_is_refused(picture):
    for arguments, message in (
        (('--video', 'x'), '--video x: the test data have synthetic-20011-d1, synthetic-20012-d1'),
        (('--frames', '1', '99'), '--frames 99: the video has 1 to 6'),
        (('--out', 'a.jpg'), '--out a.jpg should end in .png'),
    ):
        status, _, err = picture(*arguments)
        assert status == 2 and message in err
    assert not list(Path().iterdir())


def test_targets_are_the_ground_truth_or_the_tracks(tool):
    queries = SimpleNamespace(track_ids=np.array([8]), track_boxes_xyxy=np.array([[1, 2, 3, 4]]))
    ignored = dict(bbox=[0, 0, 9, 9], instance_id=1, ignore_flag=1)
    seen = dict(bbox=[5, 5, 7, 7], instance_id=2, ignore_flag=0)
    for instances, ids, boxes in (
        ([ignored, seen], [2], [[5, 5, 7, 7]]),
        ([ignored], [8], [[1, 2, 3, 4]]),
        ([], [8], [[1, 2, 3, 4]]),
    ):
        found = tool.targets(DetDataSample(metainfo=dict(instances=instances)), queries)
        assert (found[0].tolist(), found[1].tolist()) == (ids, boxes)
    with pytest.raises(ValueError, match='no two targets overlap'):
        tool.choose([dict(queries=SimpleNamespace(number=1), targets=found)], None)


def test_images_come_from_their_files_or_the_batch(tool, tmp_path):
    file = tmp_path / 'img1' / '000001.png'
    file.parent.mkdir()
    cv2.imwrite(str(file), np.full((40, 60, 3), (1, 2, 3), np.uint8))
    inputs = torch.full((1, 3, 20, 30), 77, dtype=torch.uint8)

    def image(path):
        meta = dict(img_path=str(path), ori_shape=(40, 60))
        data = dict(inputs=inputs, data_samples=[DetDataSample(metainfo=meta)])
        return tool.original_image(data)

    assert (image(file) == (1, 2, 3)).all() and image(file).shape == (40, 60, 3)
    assert (image('drawn/img1/000001.jpg') == 77).all() and image('x').shape == (40, 60, 3)
