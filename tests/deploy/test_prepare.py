"""Frames into input, against mmdet's own transforms and data preprocessor."""

import numpy as np
import pytest
from mmengine.config import Config

from lamotr_mm.apis.inferencer import build_pipeline, init_model, prepare_frames
from lamotr_mm.deploy.export import preprocessing_of
from lamotr_mm.deploy.prepare import prepare, resized_shape


@pytest.fixture(scope='module')
def model(tiny_tracker):
    model = init_model(tiny_tracker.config)
    model.data_preprocessor.pad_size_divisor = 32
    return model


def with_resize(model, *transforms):
    model.cfg.test_dataloader = Config(
        dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile'), *transforms]))
    )
    return model


PACK = dict(type='PackTrackInputs')


@pytest.mark.parametrize('keep_ratio', [True, False, None])
@pytest.mark.parametrize('size', [(96, 144), (145, 97), (61, 200), (64, 96)])
def test_bit_for_bit(model, size, keep_ratio):
    resize = dict(type='Resize', scale=(96, 64), keep_ratio=keep_ratio)
    with_resize(
        model,
        dict(type='TransformBroadcaster', transforms=[] if keep_ratio is None else [resize]),
        PACK,
    )
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    pipeline = build_pipeline(model.cfg)
    data = next(prepare_frames(model, [(1, image)], pipeline)).data
    settings = preprocessing_of(model, size)
    assert settings.img_shape == data['data_samples'][0][0].img_shape[:2]
    found = prepare(image, settings)
    assert found.dtype == np.float32
    assert np.array_equal(found, data['inputs'][0].numpy())


def test_sizes_by_hand():
    assert resized_shape((576, 768), (640, 352), True) == (352, 469)
    assert resized_shape((1080, 1920), (640, 352), True) == (352, 626)
    assert resized_shape((1920, 1080), (640, 352), True) == (626, 352)
    assert resized_shape((5, 7), (640, 352), False) == (352, 640)
    assert resized_shape((5, 7), None, False) == (5, 7)


@pytest.mark.parametrize(
    'transforms',
    [
        [dict(type='RandomFlip', prob=1.0), PACK],
        [dict(type='Resize', scale_factor=0.5), PACK],
        [dict(type='Resize', scale=(96, 64)), dict(type='Pad', size_divisor=32), PACK],
        [dict(type='Resize', scale=(96, 64))],
    ],
)
def test_what_the_runtime_cannot_do_is_refused(model, transforms):
    with pytest.raises(ValueError, match=f'test pipeline is.*{transforms[0]["type"]}.*Resize'):
        preprocessing_of(with_resize(model, *transforms), (96, 144))


def test_padding_with_another_value_is_refused(model, monkeypatch):
    with_resize(model, PACK)
    monkeypatch.setattr(model.data_preprocessor, 'pad_value', 114)
    with pytest.raises(ValueError, match='pad_value=0'):
        preprocessing_of(model, (96, 144))
