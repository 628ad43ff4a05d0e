"""Every setting that the weights need is checked, and named as the command line takes it."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from official_layouts import SMALL, config_keys, make_state

from lamotr_mm.registry import MODELS
from lamotr_mm.weights.convert import convert
from lamotr_mm.weights.layouts import LAYOUTS
from lamotr_mm.weights.settings import check_settings

BASE = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'lamotr_r50.py'
ATTENTION = 'layer_cfg.{}_attn_cfg.num_heads'
FFN = 'layer_cfg.ffn_cfg.feedforward_channels'


def build(keys: dict):
    config = Config.fromfile(BASE)
    config.merge_from_dict({f'model.{key}': value for key, value in keys.items()})
    init_default_scope('mmdet')
    return MODELS.build(config.model)


@pytest.mark.parametrize(
    ('key', 'wrong', 'right'),
    [
        ('data_preprocessor.mean', [0.0, 0.0, 0.0], '[123.675,116.28,103.53]'),
        ('data_preprocessor.std', [1.0, 1.0, 1.0], '[58.395,57.12,57.375]'),
        ('data_preprocessor.bgr_to_rgb', False, 'True'),
        ('backbone.style', 'caffe', 'pytorch'),
        ('neck.norm_cfg.num_groups', 8, '32'),
        ('encoder.positional_encoding.temperature', 10000, '20'),
        ('encoder.positional_encoding.normalize', False, 'True'),
        ('encoder.positional_encoding.offset', 0.0, '-0.5'),
        ('encoder.encoder.num_layers', 3, '2'),
        (f'encoder.encoder.{ATTENTION.format("self")}', 4, '8'),
        (f'encoder.encoder.{FFN}', 40, '48'),
        ('sotd_head.num_queries', 13, '12'),
        ('sotd_head.decoder.anchor_eps', 1e-3, '1e-05'),
        ('sotd_head.decoder.temperature', 20, '10000'),
        ('sotd_head.decoder.num_layers', 2, '3'),
        (f'sotd_head.decoder.{ATTENTION.format("self")}', 4, '8'),
        (f'sotd_head.decoder.{ATTENTION.format("cross")}', 4, '8'),
        (f'sotd_head.decoder.{FFN}', 40, '48'),
    ],
)
def test_a_wrong_setting_is_named(key, wrong, right):
    model = build(config_keys('memotr', SMALL) | {key: wrong})
    with pytest.raises(ValueError) as caught:
        convert(make_state('memotr', SMALL), model)
    assert str(caught.value) == (
        f'the weights need --cfg-options model.{key}={right} (now {wrong}), here and in training, '
        'or a config that says so'
    )


def test_other_base():
    """Anchors do not fit learned positions, and the other way round."""
    with pytest.raises(ValueError, match=r'sotd_head\.type=lamotr_mm\.DeformableSOTDHead .*\(now'):
        convert(make_state('deformable', SMALL), build(config_keys('dab', SMALL)))
    with pytest.raises(ValueError, match=r'sotd_head\.type=lamotr_mm\.SOTDHead .*\(now'):
        convert(make_state('dab', SMALL), build(config_keys('deformable', SMALL)))


def test_other_backbone():
    """All that is missing is named, not only the first."""
    model = build(config_keys('dab', SMALL) | {'neck.norm_cfg': None})
    model.backbone = torch.nn.Identity()
    with pytest.raises(ValueError, match=r'ResNet model\.backbone\.depth=50 .*num_groups=32') as e:
        check_settings(LAYOUTS[0].settings, {}, model)
    assert '(now torch.Identity, None, None, None)' in str(e.value)
