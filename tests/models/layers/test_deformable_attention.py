"""The fused CPU op and the module around it, against mmcv's plain PyTorch version."""

import builtins
import warnings

import mmcv.ops.multi_scale_deform_attn as mmcv_attention
import pytest
import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

from lamotr_mm.models.layers import deformable_attention
from lamotr_mm.models.layers.deformable_attention import DeformableAttention
from lamotr_mm.models.layers.msda_numba import multi_scale_deformable_attn_numba

# wide, high and 1x1 levels
SHAPES = [(5, 9), (7, 3), (1, 4), (1, 1)]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5}


def op_inputs(dtype=torch.float64, channels=8, batch=2, queries=11, heads=3, points=2, seed=0):
    """Values, locations (a third of them outside) and weights that sum to 1."""
    rng = torch.Generator().manual_seed(seed)
    values = sum(h * w for h, w in SHAPES)
    value = torch.randn(batch, values, heads, channels, dtype=dtype, generator=rng)
    size = (batch, queries, heads, len(SHAPES), points)
    locations = 2 * torch.rand(*size, 2, dtype=dtype, generator=rng) - 0.5
    weights = torch.rand(size, dtype=dtype, generator=rng).flatten(3).softmax(-1).view(size)
    return [tensor.requires_grad_() for tensor in (value, locations, weights)]


def output_and_grads(op, inputs, shapes=SHAPES):
    """Output and the gradients of a weighted sum of it."""
    value, locations, weights = inputs
    output = op(value, shapes, locations, weights)
    rng = torch.Generator().manual_seed(1)
    upstream = torch.randn(output.shape, dtype=output.dtype, generator=rng)
    return output.detach(), *torch.autograd.grad(output, inputs, upstream)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize('channels', [5, 8, 16, 48])
def test_op_and_gradients_equal_mmcv(dtype, channels):
    inputs = op_inputs(dtype, channels)
    fused = output_and_grads(multi_scale_deformable_attn_numba, inputs)
    plain = output_and_grads(multi_scale_deformable_attn_pytorch, inputs)
    for ours, theirs in zip(fused, plain):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_op_by_hand():
    """Two values 1 and 3 side by side: halfway 2, at the outer border half of the 3."""
    value = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)
    locations = torch.tensor([[0.5, 0.5], [1.0, 0.5], [0.25, 0.5], [1.3, 0.5]])
    locations = locations.view(1, 4, 1, 1, 1, 2)
    output = multi_scale_deformable_attn_numba(
        value, [(1, 2)], locations, torch.full((1, 4, 1, 1, 1), 10.0)
    )
    assert output.flatten().tolist() == pytest.approx([20, 15, 10, 0])


def test_op_gradcheck():
    inputs = op_inputs(channels=3, batch=1, queries=3, heads=2, points=2, seed=4)
    torch.autograd.gradcheck(
        lambda value, *rest: multi_scale_deformable_attn_numba(value, SHAPES, *rest), inputs
    )


@pytest.mark.parametrize('batch', [1, 3])
def test_op_gives_same_bits_whatever_the_threads(batch, monkeypatch):
    from lamotr_mm.models.layers import msda_numba

    monkeypatch.setattr(msda_numba, '_MIN_WORK_PER_THREAD', 1)
    inputs = op_inputs(torch.float32, 16, batch, queries=50)
    results = []
    for threads in (1, 1, 2, 5):
        monkeypatch.setattr(torch, 'get_num_threads', lambda n=threads: n)
        results.append(output_and_grads(multi_scale_deformable_attn_numba, inputs))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other))


def test_op_takes_strided_tensors():
    inputs = op_inputs()
    strided = [x.detach().transpose(0, -1).contiguous().transpose(0, -1) for x in inputs]
    assert not any(tensor.is_contiguous() for tensor in strided)
    strided = [tensor.requires_grad_() for tensor in strided]
    for ours, theirs in zip(
        output_and_grads(multi_scale_deformable_attn_numba, strided),
        output_and_grads(multi_scale_deformable_attn_numba, inputs),
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), float('-inf'), 3e38])
def test_op_shows_non_finite_locations_and_survives_them(bad):
    value, locations, weights = op_inputs(torch.float32)
    with torch.no_grad():
        locations[1, 4, 2, 0, 1, 0] = bad
    output, grad_value, grad_locations, grad_weights = output_and_grads(
        multi_scale_deformable_attn_numba, [value, locations, weights]
    )
    expected = torch.zeros(output.shape, dtype=torch.bool)
    expected[1, 4, 2 * 8 : 3 * 8] = True
    assert torch.equal(output.isnan(), expected)
    assert grad_value.isfinite().all()
    assert grad_locations[1, 4, 2, 0, 1].isnan().all() and grad_locations.isnan().sum() == 2
    assert grad_weights[1, 4, 2, 0, 1].isnan() and grad_weights.isnan().sum() == 1


def test_op_finds_far_locations_outside():
    value, locations, weights = op_inputs()
    with torch.no_grad():
        locations.fill_(1e30)
    result = output_and_grads(multi_scale_deformable_attn_numba, [value, locations, weights])
    assert not any(tensor.any() for tensor in result)


@pytest.mark.parametrize('sizes', [dict(queries=0), dict(batch=0)])
def test_op_takes_nothing(sizes):
    inputs = op_inputs(**sizes)
    output, grad_value, *_ = output_and_grads(multi_scale_deformable_attn_numba, inputs)
    assert output.numel() == 0 and not grad_value.any()


def test_op_refuses_what_does_not_fit():
    value, locations, weights = op_inputs()
    with pytest.raises(ValueError, match='add up to the 71 values, not 70'):
        multi_scale_deformable_attn_numba(value, [*SHAPES[:3], (0, 1)], locations, weights)
    with pytest.raises(ValueError, match='3 levels need'):
        multi_scale_deformable_attn_numba(value, SHAPES[:3], locations, weights)
    with pytest.raises(TypeError, match='float64'):
        multi_scale_deformable_attn_numba(value.float(), SHAPES, locations, weights)


def module_inputs(dim=2, dtype=torch.float64, batch=2, queries=6, embed_dims=32):
    rng = torch.Generator().manual_seed(3)
    values = sum(h * w for h, w in SHAPES)
    shapes = torch.tensor(SHAPES)
    sizes = shapes.prod(-1)

    def rand(*size):
        return torch.randn(*size, dtype=dtype, generator=rng)

    return dict(
        query=rand(batch, queries, embed_dims),
        value=rand(batch, values, embed_dims),
        query_pos=rand(batch, queries, embed_dims),
        key_padding_mask=torch.rand(batch, values, generator=rng) < 0.3,
        reference_points=rand(batch, queries, len(SHAPES), dim).sigmoid(),
        spatial_shapes=shapes,
        level_start_index=torch.cat([sizes.new_zeros(1), sizes.cumsum(0)[:-1]]),
    )


def modules(dtype=torch.float64, **kwargs):
    """Ours and mmcv's with the same random weights."""
    torch.manual_seed(0)
    ours = DeformableAttention(embed_dims=32, num_heads=4, num_points=3, **kwargs).to(dtype)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    batch_first = kwargs.get('batch_first', True)
    theirs = MultiScaleDeformableAttention(32, 4, num_points=3, dropout=0, batch_first=batch_first)
    theirs.to(dtype).load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize('dim', [2, 4])
@pytest.mark.parametrize('batch_first', [True, False])
def test_module_equals_mmcv(dim, batch_first):
    ours, theirs = modules(batch_first=batch_first)
    inputs = module_inputs(dim)
    if not batch_first:
        for name in ('query', 'value', 'query_pos'):
            inputs[name] = inputs[name].transpose(0, 1)
    results = []
    for module in (ours, theirs):
        leaves = {
            name: tensor.clone().requires_grad_() if tensor.is_floating_point() else tensor
            for name, tensor in inputs.items()
        }
        output = module(**leaves)
        output.square().sum().backward()
        grads = [leaf.grad for leaf in leaves.values() if leaf.requires_grad]
        results.append([output, *grads, *(p.grad for p in module.parameters())])
    for mine, other in zip(*results):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


def test_module_defaults_to_query_as_value_and_identity():
    ours, theirs = modules()
    inputs = module_inputs()
    values = inputs['value'].shape[1]
    points = inputs['reference_points'][:, :1].expand(-1, values, -1, -1)
    rest = dict(spatial_shapes=inputs['spatial_shapes'], reference_points=points)
    torch.testing.assert_close(ours(inputs['value'], **rest), theirs(inputs['value'], **rest))
    identity = torch.ones_like(inputs['value'])
    torch.testing.assert_close(
        ours(inputs['value'], identity=identity, **rest),
        theirs(inputs['value'], identity=identity, **rest),
    )


def test_module_runs_the_fused_op_without_mmcv_fallback(monkeypatch):
    def forbidden(*args):
        raise AssertionError('the fallback was called')

    monkeypatch.setattr(deformable_attention, 'multi_scale_deformable_attn_pytorch', forbidden)
    for dtype in (torch.float32, torch.float64):
        ours, _ = modules(dtype)
        assert ours(**module_inputs(dtype=dtype)).dtype == dtype


def test_module_falls_back_without_numba(monkeypatch):
    real_import = builtins.__import__

    def without_numba(name, *args, **kwargs):
        if name == 'numba' or name.endswith('msda_numba'):
            raise ImportError('No module named numba')
        return real_import(name, *args, **kwargs)

    ours, theirs = modules()
    inputs = module_inputs()
    deformable_attention._fused_cpu_op.cache_clear()
    monkeypatch.setattr(builtins, '__import__', without_numba)
    try:
        with pytest.warns(UserWarning, match='pip install numba'):
            output = ours(**inputs)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            assert torch.equal(ours(**inputs), output)  # warned once
    finally:
        deformable_attention._fused_cpu_op.cache_clear()
    torch.testing.assert_close(output, theirs(**inputs))


@pytest.mark.filterwarnings('ignore')
def test_module_can_be_traced():
    ours, theirs = modules()
    inputs = module_inputs()
    names = list(inputs)

    class Wrapper(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = ours

        def forward(self, *tensors):
            return self.attention(**dict(zip(names, tensors)))

    traced = torch.jit.trace(Wrapper(), tuple(inputs.values()))
    inputs['query'] = inputs['query'] + 1
    torch.testing.assert_close(traced(*inputs.values()), theirs(**inputs))


def test_module_can_be_compiled():
    ours, theirs = modules()
    compiled = torch.compile(ours, backend='eager')
    inputs = module_inputs()
    torch.testing.assert_close(compiled(**inputs), theirs(**inputs))


def test_module_under_autocast():
    ours, _ = modules(torch.float32)
    inputs = module_inputs(dtype=torch.float32)
    full = ours(**inputs)
    with torch.autocast('cpu', torch.bfloat16):
        half = ours(**inputs)
    torch.testing.assert_close(half.float(), full, rtol=0.05, atol=0.05)


def test_module_takes_no_queries():
    ours, _ = modules()
    output = ours(**module_inputs(queries=0))
    assert output.shape == (2, 0, 32)
    output.sum().backward()
    assert not ours.value_proj.weight.grad.any()


def test_module_names_what_does_not_fit():
    ours, _ = modules()
    inputs = module_inputs()
    with pytest.raises(ValueError, match='is 3, it must be 2'):
        ours(**module_inputs(dim=3))
    with pytest.raises(ValueError, match=r'\[5, 9\].* 4 levels .* with 70 positions'):
        ours(**{**inputs, 'value': inputs['value'][:, 1:], 'key_padding_mask': None})
    with pytest.raises(ValueError, match='4 levels'):
        ours(**{**inputs, 'spatial_shapes': inputs['spatial_shapes'][:3]})
    for name in ('reference_points', 'spatial_shapes'):
        with pytest.raises(TypeError, match='needs reference_points and spatial_shapes'):
            ours(**{**inputs, name: None})


def test_module_has_mmcvs_parameters_and_our_defaults():
    ours, theirs = DeformableAttention(), MultiScaleDeformableAttention()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }
    assert ours.dropout.p == 0 and ours.batch_first
    assert torch.equal(ours.sampling_offsets.bias, theirs.sampling_offsets.bias)


@pytest.mark.parametrize(('batch', 'step'), [(1, 1), (4, 4), (6, 3), (7, 1)])
def test_cuda_op_gets_steps_that_divide_the_batch(batch, step, monkeypatch):
    """mmcv's op refuses a batch that is not a multiple of im2col_step; the op itself is stubbed."""
    steps = []

    class Op:
        @staticmethod
        def apply(value, shapes, starts, locations, weights, im2col_step):
            steps.append(im2col_step)
            return multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)

    class OnDevice(torch.Tensor):
        is_cuda = True

    monkeypatch.setattr(deformable_attention, 'MultiScaleDeformableAttnFunction', Op)
    ours, _ = modules(im2col_step=4)
    value, locations, weights = op_inputs(batch=batch)
    ours._attend(
        value.as_subclass(OnDevice), locations, weights, torch.tensor(SHAPES), torch.tensor([0])
    )
    assert steps == [step]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU and mmcv built for it')
@pytest.mark.parametrize('batch', [1, 3])
def test_module_on_cuda_equals_cpu(batch):
    if not mmcv_attention.IS_CUDA_AVAILABLE:
        pytest.skip('mmcv was built without CUDA')
    ours, _ = modules(torch.float32, im2col_step=2)
    inputs = module_inputs(dtype=torch.float32, batch=batch)
    expected = ours(**inputs)
    actual = ours.cuda()(**{name: tensor.cuda() for name, tensor in inputs.items()})
    torch.testing.assert_close(actual.cpu(), expected, rtol=1e-4, atol=1e-4)
