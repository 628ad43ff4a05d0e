"""Readings of the pairs' hidden units against the plain product, and their gradients."""

import pytest
import torch

from lamotr_mm.models.layers import pair_readout as module
from lamotr_mm.models.layers.pair_readout import pair_readout


def draw(batch, rows, columns, hidden=6, wanted=3):
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, hidden, rows), (batch, hidden, columns), (wanted, hidden)
    return [
        torch.randn(shape, generator=generator, dtype=torch.double).requires_grad_()
        for shape in shapes
    ]


def plain(rows, columns, weight):
    hidden = (rows[:, :, :, None] - columns[:, :, None]).clamp(min=0)
    return torch.einsum('rk,bkij->brij', weight, hidden)


@pytest.mark.parametrize('limit', [1, 100, 1 << 17], ids=['row_by_row', 'some_rows', 'all_rows'])
@pytest.mark.parametrize('shape', [(1, 5, 4), (2, 7, 3), (2, 3, 0), (1, 0, 3), (0, 2, 2)])
def test_values_and_gradients(monkeypatch, limit, shape):
    monkeypatch.setattr(module, '_CHUNK_CPU', limit)
    inputs = draw(*shape)
    ours, reference = pair_readout(*inputs), plain(*inputs)
    torch.testing.assert_close(ours, reference, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(reference)
    pairs = zip(
        torch.autograd.grad((ours * weights).sum(), inputs),
        torch.autograd.grad((reference * weights).sum(), inputs),
    )
    for gradient, expected in pairs:
        torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


def test_a_unit_at_its_kink_gets_no_gradient():
    """As ``torch.relu``: 0 at 0."""
    rows, columns = torch.ones(1, 2, 1, requires_grad=True), torch.ones(1, 2, 1)
    pair_readout(rows, columns, torch.ones(1, 2)).sum().backward()
    assert rows.grad.abs().max() == 0


def test_what_is_not_finite_is_not_hidden():
    rows, columns, weight = draw(1, 2, 2)
    with torch.no_grad():
        rows[0, 0, 1] = torch.nan
    result = pair_readout(rows, columns, weight)
    assert torch.isnan(result[:, :, 1]).all() and torch.isfinite(result[:, :, 0]).all()


def test_only_the_inputs_are_kept_for_the_backward_pass():
    inputs = draw(1, 50, 40)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        pair_readout(*inputs)
    assert [tensor.data_ptr() for tensor in kept] == [tensor.data_ptr() for tensor in inputs]
