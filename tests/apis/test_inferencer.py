"""Tracking frames in memory, against LAMOTR.predict on images prepared by hand."""

import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config

from lamotr_mm.apis.inferencer import build_pipeline, init_model, track_frames

TINY = Path(__file__).parents[1] / 'robustness' / 'configs' / 'tiny.py'
# an untrained model of which every object may start a track
EVERY_OBJECT = {
    'model.lifecycle': dict(det_thr=0.0, keep_thr=0.0, new_thr=0.0),
    'model.out_score_thr': 0.0,
    'model.out_min_area': 0.0,
}
FIELDS = ('bboxes', 'scores', 'labels', 'instances_id')


def tiny(options=None):
    config = Config.fromfile(TINY, import_custom_modules=False)
    config.merge_from_dict({**EVERY_OBJECT, **(options or {})})
    return config


def save(model, path, half=True):
    state = model.state_dict()
    if half:
        state = {key: v.half() if v.is_floating_point() else v for key, v in state.items()}
    torch.save(dict(state_dict=state), path)
    return path


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return init_model(tiny())


@pytest.fixture(scope='module')
def video():
    """(number, image): noise of 128x192 px, twice the size that the config resizes to."""
    rng = np.random.default_rng(0)
    return [(11 + k, rng.integers(0, 256, (128, 192, 3), np.uint8)) for k in range(5)]


def tracks_of(results):
    return [sample.pred_track_instances for *_, sample in results]


def assert_equal_tracks(ours, reference, atol=0.0):
    assert len(ours) == len(reference)
    for one, two in zip(ours, reference):
        for name in FIELDS:
            torch.testing.assert_close(one[name], two[name], rtol=0, atol=atol)


def predict_by_hand(model, images):
    """The whole clip in one call: resized by OpenCV, normalised with ImageNet's mean and std."""
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    small = [cv2.resize(image, (96, 64), interpolation=cv2.INTER_LINEAR) for image in images]
    inputs = [((image[..., ::-1] - mean) / std).transpose(2, 0, 1) for image in small]
    clip = TrackDataSample()
    clip.video_data_samples = [
        DetDataSample(
            metainfo=dict(frame_id=k, video_id=5, img_shape=(64, 96), ori_shape=images[0].shape[:2])
        )
        for k in range(len(images))
    ]
    model.predict(torch.from_numpy(np.stack(inputs)).float()[None], [clip])
    return [frame.pred_track_instances for frame in clip]


def test_streaming_equals_predicting_a_clip(model, video):
    results = list(track_frames(model, video))
    assert [number for number, *_ in results] == [11, 12, 13, 14, 15]
    assert all(image is given for (_, image, _), (_, given) in zip(results, video))
    reference = predict_by_hand(model, [image for _, image in video])
    assert all(len(tracks) > 0 for tracks in reference)
    assert_equal_tracks(tracks_of(results), reference, atol=1e-3)


def test_a_second_video_starts_afresh(model, video):
    first = tracks_of(track_frames(model, video))
    interrupted = track_frames(model, video)
    next(interrupted)
    interrupted.close()
    assert_equal_tracks(tracks_of(track_frames(model, video)), first)


def test_one_frame_is_held_at_a_time(model):
    images, drawn = [], 0

    def frames():
        nonlocal drawn
        for number in range(1, 7):
            image = np.zeros((64, 96, 3), np.uint8)
            images.append(weakref.ref(image))
            drawn = number
            yield number, image
            del image

    for number, image, sample in track_frames(model, frames()):
        assert drawn == number  # no frame is read ahead
        del image, sample
        assert sum(image() is not None for image in images) <= 2


@pytest.mark.parametrize(
    'image',
    [np.zeros((64, 96), np.uint8), np.zeros((64, 96, 4), np.uint8), np.zeros((64, 96, 3), float)],
)
def test_frames_of_another_kind_are_named(model, image):
    good = np.zeros((64, 96, 3), np.uint8)
    with pytest.raises(ValueError, match='frame 8 is'):
        list(track_frames(model, [(7, good), (8, image)]))


def test_half_precision_weights_become_float32(model, tmp_path):
    loaded = init_model(tiny(), save(model, tmp_path / 'half.pth'))
    assert not loaded.training
    for (name, ours), theirs in zip(loaded.named_parameters(), model.parameters()):
        assert ours.dtype == torch.float32, name
        torch.testing.assert_close(ours, theirs.half().float(), rtol=0, atol=0)


def test_weights_of_another_config(model, tmp_path):
    path = save(model, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other\.pth is of another model.*ffn') as caught:
        init_model(tiny({'model.sgla.ffn_dims': 48}), path)
    assert '\n' not in str(caught.value)


def test_bad_arguments_are_named(tmp_path):
    (tmp_path / 'empty.py').write_text('')
    (tmp_path / 'resnet.py').write_text("model = dict(type='mmdet.ResNet', depth=18)")
    torch.save([1, 2], tmp_path / 'list.pth')
    for arguments, message in (
        ((tmp_path / 'no.py',), 'no.py does not exist'),
        ((tmp_path / 'empty.py',), 'has no model'),
        ((tmp_path / 'resnet.py',), 'describes a ResNet'),
        ((tiny(), tmp_path / 'no.pth'), 'no.pth does not exist'),
        ((tiny(), tmp_path / 'list.pth'), 'holds a list'),
        ((tiny(), None, 'abacus'), 'device abacus cannot be used'),
        ((tiny(), None, 'cuda:99'), 'device cuda:99 cannot be used'),
    ):
        with pytest.raises(ValueError, match=message):
            init_model(*arguments)


def test_the_pipeline_leaves_out_what_loads():
    config = tiny()
    kept = [t['type'] for t in config.test_pipeline[0].transforms]
    assert kept == ['lamotr_mm.LoadFrame', 'Resize', 'LoadTrackAnnotations']
    assert len(build_pipeline(config).transforms[0].transforms.transforms) == 1
    with pytest.raises(ValueError, match=r'test_dataloader\.dataset\.pipeline'):
        build_pipeline(Config(dict(model={})))
