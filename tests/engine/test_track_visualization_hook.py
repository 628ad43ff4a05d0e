"""Drawn test frames: where they are written, and what is in them."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets.samplers import TrackImgSampler
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.visualization import TrackLocalVisualizer
from mmengine.structures import InstanceData

from lamotr_mm.registry import HOOKS

HEIGHT, WIDTH = 60, 80
BLUE_BGR = (200, 40, 10)


class Loader:
    """A loader of which hooks see the sampler only."""

    sampler = TrackImgSampler.__new__(TrackImgSampler)


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Runs the hook over frames; returns the files written below the current folder."""
    monkeypatch.chdir(tmp_path)
    TrackLocalVisualizer.get_instance('drawing').dataset_meta = dict(classes=('person',))

    def run(work_dir, samples, test_out_dir='shown', inputs=None):
        hook = HOOKS.build(
            dict(type='lamotr_mm.TrackVisualizationHook', draw=True, test_out_dir=test_out_dir)
            | dict(frame_interval=1)
        )
        hook._visualizer = TrackLocalVisualizer.get_instance('drawing')
        runner = SimpleNamespace(work_dir=work_dir, timestamp='t0', test_dataloader=Loader())
        hook.before_test(runner)
        for index, sample in enumerate(samples):
            hook.after_test_iter(runner, index, dict(inputs=[inputs]), [sample])
        return sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob('*.jpg'))

    return run


def sample_of(**meta):
    frame = DetDataSample(metainfo=dict(ori_shape=(HEIGHT, WIDTH), video_id=0) | meta)
    frame.pred_track_instances = InstanceData(
        bboxes=torch.tensor([[40.0, 10.0, 70.0, 50.0]]),
        scores=torch.tensor([0.9]),
        labels=torch.tensor([0]),
        instances_id=torch.tensor([3]),
    )
    frame.gt_instances = InstanceData()
    sample = TrackDataSample()
    sample.video_data_samples = [frame]
    return sample


def file_sample(number):
    path = Path('data', 'PETS', 'img1', f'{number:06d}.png')
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), BLUE_BGR, np.uint8))
    return sample_of(img_path=str(path), frame_id=number - 1)


def assert_drawn(file):
    image = cv2.imread(file)
    assert image.shape == (HEIGHT, WIDTH, 3)
    # the corner is the frame, in its own colours; the box's edge is not
    np.testing.assert_allclose(image[55, 5], BLUE_BGR, atol=12)
    assert np.abs(image[30, 38:43].astype(int) - BLUE_BGR).max() > 60


@pytest.mark.parametrize('kind', ['relative', 'absolute'])
def test_one_folder_for_all_frames(draw, tmp_path, kind):
    work_dir = 'work' if kind == 'relative' else str(tmp_path / 'work')
    files = draw(work_dir, [file_sample(number) for number in (1, 2, 3)])
    assert files == [f'work/t0/shown/PETS/{number:06d}.jpg' for number in (1, 2, 3)]
    assert_drawn(files[0])


def test_frames_that_are_no_files_come_from_the_batch(draw):
    """The batch holds them resized: they are drawn at their original size."""
    inputs = torch.tensor(BLUE_BGR, dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 120, 160)
    meta = dict(frame_id=4, sequence='synthetic_20000')
    with_path = sample_of(img_path='synthetic/20000/000006', **meta)
    files = draw('work', [sample_of(**meta), with_path], inputs=inputs)
    assert files == [f'work/t0/shown/synthetic_20000/{name}.jpg' for name in ('000005', '000006')]
    for file in files:
        assert_drawn(file)


def test_a_whole_video_in_one_sample(draw, monkeypatch):
    monkeypatch.setattr(Loader, 'sampler', None)
    frames = torch.zeros(2, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    frames[1] = torch.tensor(BLUE_BGR).view(3, 1, 1)
    video = TrackDataSample()
    video.video_data_samples = [sample_of(frame_id=t, sequence='s')[0] for t in (0, 1)]
    files = draw('work', [video], inputs=frames)
    assert files == ['work/t0/shown/s/000001.jpg', 'work/t0/shown/s/000002.jpg']
    assert_drawn(files[1])
    assert cv2.imread(files[0])[55, 5].max() < 12
