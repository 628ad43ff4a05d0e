"""Converted weights and the model that is trained from them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lamotr_mm.engine.hooks import ConvertedWeightsHook
from lamotr_mm.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture(scope='module')
def model():
    config = Config.fromfile(CONFIGS / 'lamotr_dancetrack.py')
    init_default_scope('mmdet')
    config.model.backbone.init_cfg = None
    return MODELS.build(config.model)


def load(model, state_dict, origin='DAB-Deformable-DETR'):
    """What a runner does before it loads."""
    runner = SimpleNamespace(model=model, cfg=Config(dict(load_from='coco.pth')))
    meta = {} if origin is None else dict(converted_from=origin)
    ConvertedWeightsHook().after_load_checkpoint(runner, dict(meta=meta, state_dict=state_dict))


def test_weights_for_this_model(model):
    state = {k: v for k, v in model.state_dict().items() if not k.startswith('sgla')}
    load(model, state)
    message = r'load_from coco\.pth, weights of MeMOTR: .*decoder\.anchor_eps=1e-05'
    with pytest.raises(ValueError, match=message):
        load(model, state, 'MeMOTR')
    with pytest.raises(ValueError, match=r'sotd_head\.type=lamotr_mm\.DeformableSOTDHead'):
        load(model, state, 'Deformable DETR')
    with pytest.raises(ValueError, match='weights of Other: converted by another version'):
        load(model, state, 'Other')


@pytest.mark.parametrize('name', ['sotd_head.cls_branches.3.bias', 'sotd_head.no_branch.bias'])
def test_a_tensor_that_does_not_fit(model, name):
    state = {k: v for k, v in model.state_dict().items() if not k.startswith('sgla')}
    with pytest.raises(ValueError, match=rf'DAB-Deformable-DETR: {name} \(2,\) does not fit'):
        load(model, state | {name: torch.zeros(2)})


def test_other_checkpoints_pass(model):
    """Transfer between data sets with other classes is mmengine's business."""
    load(model, {'sotd_head.cls_branches.3.bias': torch.zeros(2)}, origin=None)
