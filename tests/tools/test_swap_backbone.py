"""`swap_backbone.py`: the least squares, and a backbone that is a known change of the old one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from lamotr_mm.apis.inferencer import init_model

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / 'tests' / 'robustness' / 'configs' / 'tiny.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location(
        'tool_swap_backbone', ROOT / 'tools' / 'model_converters' / 'swap_backbone.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model(seed, **backbone):
    """A tiny tracker with random weights and GroupNorms that are no identities."""
    torch.manual_seed(seed)
    cfg = Config.fromfile(TINY, import_custom_modules=False)
    cfg.merge_from_dict({f'model.backbone.{key}': value for key, value in backbone.items()})
    built = init_model(cfg)
    with torch.no_grad():
        for parameter in built.neck.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return built


def images(count):
    torch.manual_seed(5)
    return [torch.randn(1, 3, 64, 96) for _ in range(count)]


def test_least_squares_as_numpy_has_it(tool):
    rng = np.random.default_rng(0)
    x = rng.normal(2, 1, (500, 4))
    y = x @ rng.normal(size=(4, 3)) + [1, -5, 2] + rng.normal(0, 1, (500, 3))
    fit = tool.LinearFit(4, 3)
    for part in range(5):
        rows = slice(100 * part, 100 * part + 100)
        fit.add(torch.from_numpy(x[rows]), torch.from_numpy(y[rows]))
    weight, bias = fit.solve()
    full = np.concatenate([x, np.ones((500, 1))], 1)
    expected, residual, *_ = np.linalg.lstsq(full, y, rcond=None)
    np.testing.assert_allclose(weight.numpy(), expected[:4].T, atol=1e-4)
    np.testing.assert_allclose(bias.numpy(), expected[4], atol=1e-3)
    share = 1 - residual.sum() / ((y - y.mean(0)) ** 2).sum()
    assert fit.explained(weight, bias) == pytest.approx(share, abs=1e-4)
    worse = fit.explained(weight + 0.1, bias)
    errors = y - x @ (weight.numpy() + 0.1).T - bias.numpy()
    assert worse == pytest.approx(1 - (errors**2).sum() / ((y - y.mean(0)) ** 2).sum(), abs=1e-6)


def test_channels_in_another_order_and_scale_change_nothing(tool):
    """The fitted neck undoes them, and the rest is taken over: equal features."""
    old, new = model(0), model(1)
    new.backbone.load_state_dict(old.backbone.state_dict())
    forward = new.backbone.forward
    new.backbone.forward = lambda x: tuple(3 * level.flip(1) for level in forward(x))
    tool.check_necks(old, new)
    tool.take_over(old, new)
    shares = tool.fit_neck(old, new, images(10))
    assert all(0.99 < share <= 1 for share in shares)
    (image,) = images(1)
    with torch.no_grad():
        one, other = (m.encode(image, [(64, 96)]).memory for m in (old, new))
    assert (one - other).abs().max() < 0.05 * one.abs().max()
    assert torch.equal(old.sotd_head.query_embedding.weight, new.sotd_head.query_embedding.weight)


def test_what_does_not_fit_is_named(tool):
    old, new = model(0), model(1)
    new.sotd_head.query_embedding = torch.nn.Embedding(3, 32)
    with pytest.raises(ValueError, match=r'1 weights, such as sotd_head\.query_embedding\.weight'):
        tool.take_over(old, new)
    new.neck = torch.nn.Identity()
    with pytest.raises(ValueError, match='ChannelMapper with 1x1'):
        tool.check_necks(old, new)


def test_command_line(tool, tiny_tracker, tmp_path, capsys):
    """A config without backbone weights is refused in one line."""
    out = tmp_path / 'out.pth'
    config = tiny_tracker.config
    with pytest.raises(SystemExit) as caught:
        tool.main([config, tiny_tracker.checkpoint, config, str(out)])
    assert caught.value.code == 2
    assert 'no model.backbone.init_cfg.checkpoint' in capsys.readouterr().err
    assert not out.exists()
