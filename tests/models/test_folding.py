"""A folded model against the one it was made of."""

import copy

import pytest
import torch
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm

from lamotr_mm.models.folding import fold


@pytest.fixture
def model(build_tiny):
    """Whose batch norms have met data: means, variances, scales and shifts of their own."""
    model = build_tiny().eval().double()
    generator = torch.Generator().manual_seed(0)
    for norm in (module for module in model.backbone.modules() if isinstance(module, _BatchNorm)):
        for tensor in (norm.running_mean, norm.running_var):
            tensor.add_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype))
    return model


def test_the_same_features(model, images):
    inputs = images(1, 2)[0].double()
    folded = fold(copy.deepcopy(model))
    with torch.no_grad():
        ours, reference = (m.encode(inputs, [(64, 96)] * 2).memory for m in (folded, model))
    torch.testing.assert_close(ours, reference, rtol=1e-10, atol=1e-10)
    assert not any(isinstance(module, _BatchNorm) for module in folded.backbone.modules())
    weight = folded.backbone.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_not_while_training(model):
    with pytest.raises(ValueError, match=r'call model.eval\(\) first'):
        fold(model.train())
