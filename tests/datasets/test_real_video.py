"""From a real gt.txt and real frames to data samples, and a clip that repeats one frame."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from lamotr_mm.datasets import MOTVideoDataset
from lamotr_mm.io.mot_gt import class_rule
from lamotr_mm.preparation.cocovid import Part, make_cocovid, write_json


@pytest.fixture
def mot17(lamotr_data, tmp_path):
    """Function that makes a dataset of four frames of MOT17-02."""

    def make(pipeline, frames='1-4', **arguments):
        root = lamotr_data / 'mot17_mini'
        part = Part(root / 'MOT17-02-FRCNN', frames)
        content, _ = make_cocovid([part], root, class_rule('mot17'))
        write_json({tmp_path / 'a.json': content})
        with DefaultScope.overwrite_default_scope('mmdet'):
            return MOTVideoDataset(
                ann_file=str(tmp_path / 'a.json'),
                data_root=str(root),
                data_prefix=dict(img_path=''),
                pipeline=pipeline,
                **arguments,
            )

    return make


def test_frames_and_boxes_as_numpy_and_opencv_see_them(mot17, lamotr_data):
    """Pixels, pedestrians to find, and distractors to ignore, of every frame."""
    transforms = [dict(type='lamotr_mm.LoadFrame'), dict(type='LoadTrackAnnotations')]
    dataset = mot17(
        [
            dict(type='TransformBroadcaster', transforms=transforms),
            dict(type='PackTrackInputs', meta_keys=('mot_frame_id',)),
        ],
        test_mode=True,
    )
    folder = lamotr_data / 'mot17_mini' / 'MOT17-02-FRCNN'
    table = np.loadtxt(folder / 'gt' / 'gt.txt', delimiter=',')
    for number in range(1, 5):
        packed = dataset[0, number - 1]
        (sample,) = packed['data_samples'].video_data_samples
        image = cv2.imread(str(folder / 'img1' / f'{number:06d}.jpg'))
        assert np.array_equal(packed['inputs'][0].permute(1, 2, 0).numpy(), image)
        assert (sample.frame_id, sample.mot_frame_id) == (number - 1, number)
        for found, classes in ((sample.gt_instances, [1]), (sample.ignored_instances, [2, 7, 8])):
            rows = table[(table[:, 0] == number) & np.isin(table[:, 7], classes)]
            rows = rows[np.argsort(rows[:, 1])]
            expected = np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])
            assert len(rows) and np.array_equal(found.bboxes.numpy(), expected.astype(np.float32))
            assert set(found.labels.tolist()) == {0}


@pytest.mark.parametrize('config', ['pets.py', 'mot_clip.py'])
def test_equal_frames_stay_equal(mot17, config, request):
    """A video of one frame repeats it: augmentation of a clip is the same in every pixel, box and
    identity, and the ignored boxes are where the others are."""
    file = request.config.rootpath / 'configs' / '_base_' / 'datasets' / config
    dataset = mot17(Config.fromfile(file).train_pipeline, frames='2-2')
    clips = set()
    for epoch in range(4):
        dataset.set_epoch(epoch)
        packed = dataset[0, 0]
        first, *others = zip(packed['inputs'], packed['data_samples'].video_data_samples)
        assert len(others) == 2
        for image, sample in others:
            assert image.equal(first[0])
            for key in ('gt_instances', 'ignored_instances'):
                one, other = getattr(first[1], key), getattr(sample, key)
                assert one.bboxes.equal(other.bboxes)
                assert one.instances_ids.equal(other.instances_ids)
        clips.add(first[0].numpy().tobytes())
    assert len(clips) == 4
