"""Frozen norms merged into convolutions: features and gradients of the plain backbone."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmdet.models import MobileNetV2
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from torch import nn

from lamotr_mm.engine.hooks import FrozenNormHook

HOOK = dict(type='lamotr_mm.FrozenNormHook')


def make_backbone(norm_eval=True, frozen_stages=1):
    torch.manual_seed(0)
    backbone = MobileNetV2(
        widen_factor=0.25,
        out_indices=(2, 4),
        frozen_stages=frozen_stages,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=norm_eval,
    )
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):  # not the identity that it starts as
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.2)
    backbone.train()  # returns None
    return backbone


def features_and_gradients(backbone, images):
    features = backbone(images)
    sum((feature * feature.detach().cos()).sum() for feature in features).backward()
    return features, {name: p.grad for name, p in backbone.named_parameters() if p.grad is not None}


@pytest.fixture
def merged():
    """A plain backbone, and one that the hook has changed."""

    def make(**options):
        plain = make_backbone(**options)
        backbone = copy.deepcopy(plain)
        hook = MMENGINE_HOOKS.build(HOOK)
        assert isinstance(hook, FrozenNormHook)
        hook.before_train(SimpleNamespace(model=SimpleNamespace(backbone=backbone)))
        return plain, backbone

    return make


def count_norms(backbone, images):
    calls = []
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda *_: calls.append(1))
    backbone(images)
    return len(calls)


def test_the_same_features_and_gradients(merged):
    plain, backbone = merged()
    images = torch.randn(2, 3, 64, 96)
    expected, gradients = features_and_gradients(plain, images)
    features, ours = features_and_gradients(backbone, images)
    for one, two in zip(features, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)
    assert ours.keys() == gradients.keys() and ours
    for name, gradient in gradients.items():
        scale = float(gradient.abs().max())
        assert scale > 0
        torch.testing.assert_close(ours[name], gradient, rtol=1e-3, atol=1e-4 * scale, msg=name)
    assert count_norms(plain, images) > 0
    assert count_norms(backbone, images) == 0


def test_checkpoints_stay_as_they_are(merged):
    plain, backbone = merged()
    state = backbone.state_dict()
    assert list(state) == list(plain.state_dict())
    for name, value in plain.state_dict().items():
        assert torch.equal(state[name], value), name
    assert state['conv1.conv.weight'].is_contiguous(memory_format=torch.channels_last)


def test_norms_that_learn_are_left_alone(merged):
    plain, backbone = merged(norm_eval=False, frozen_stages=-1)
    images = torch.randn(2, 3, 64, 96)
    assert count_norms(backbone, images) == count_norms(plain, images) > 0
    name = 'layer4.0.expand_conv.bn.running_mean'
    torch.testing.assert_close(backbone.state_dict()[name], plain.state_dict()[name])


def test_a_model_without_a_backbone():
    FrozenNormHook().before_train(SimpleNamespace(model=nn.Linear(1, 1)))
