"""Linear layers as convolutions, against products in float64."""

import pytest
import torch
from torch import nn

from lamotr_mm.models.layers import linear as module
from lamotr_mm.models.layers.linear import MANY_TOKENS, TokenLinear, joined_linear


@pytest.fixture
def convolutions(monkeypatch):
    """Shapes of the inputs of each convolution."""
    shapes, conv = [], torch.nn.functional.conv2d

    def counted(inputs, *args):
        shapes.append(tuple(inputs.shape))
        return conv(inputs, *args)

    monkeypatch.setattr(module.F, 'conv2d', counted)
    return shapes


@pytest.mark.parametrize('tokens', [MANY_TOKENS - 1, MANY_TOKENS])
def test_bfloat16_products(convolutions, tokens):
    """Of rounded factors, rounded once; the way depends on the number of tokens."""
    torch.manual_seed(0)
    layers = [nn.Linear(16, 24), nn.Linear(16, 8)]
    inputs = torch.randn(2, tokens, 16)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        ours = joined_linear(inputs, layers), TokenLinear.of(layers[0])(inputs)
    assert convolutions == [(2, 16, tokens, 1)] * (2 if tokens == MANY_TOKENS else 0)
    rounded = inputs.bfloat16().double()
    expected = torch.cat(
        [rounded @ x.weight.bfloat16().double().T + x.bias.bfloat16().double() for x in layers], -1
    )
    for output, reference in zip(ours, (expected, expected[..., :24])):
        assert output.dtype == torch.bfloat16 and output.is_contiguous()
        torch.testing.assert_close(output.double(), reference, rtol=2**-7, atol=2**-8)


def test_float32_and_gradients_take_the_usual_way(convolutions):
    torch.manual_seed(0)
    plain = nn.Linear(8, 4)
    ours = TokenLinear.of(plain)
    inputs = torch.randn(1, MANY_TOKENS, 8)
    with torch.no_grad():
        assert torch.equal(ours(inputs), plain(inputs))
    with torch.autocast('cpu', torch.bfloat16):
        gradient = torch.autograd.grad(ours(inputs).float().square().mean(), ours.weight)[0]
    assert not convolutions and ours.weight is plain.weight
    expected = torch.autograd.grad(plain(inputs).square().mean(), plain.weight)[0]
    torch.testing.assert_close(gradient, expected, rtol=0.05, atol=0.01)
