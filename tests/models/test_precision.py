"""Half precision on a CPU: what is refused, what falls back, and what stays in float32."""

from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper

from lamotr_mm.engine.optim import BFloat16OptimWrapper
from lamotr_mm.models import lamotr, precision
from lamotr_mm.models.layers import deformable_attention
from lamotr_mm.models.precision import autocast, check_precision, cpu_has_bf16, float32_island
from lamotr_mm.tracking.state import TrackletState

CPU, GPU = torch.device('cpu'), torch.device('cuda')


@pytest.fixture
def cpuinfo(monkeypatch):
    """``cpuinfo(text)``: what /proc/cpuinfo says; None: there is no such file."""
    monkeypatch.delenv(precision.FORCE_BF16, raising=False)

    def say(text):
        def read(_):
            if text is None:
                raise FileNotFoundError
            return text

        monkeypatch.setattr(Path, 'read_text', read)
        cpu_has_bf16.cache_clear()
        precision._say_no_units.cache_clear()

    yield say
    cpu_has_bf16.cache_clear()


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('flags\t\t: fpu avx512f avx512_bf16\nbugs :', True),
        ('flags : amx_bf16 amx_tile', True),
        ('Features : fp asimd bf16', True),
        ('flags : fpu avx2 f16c avx512f', False),
        (None, False),
    ],
)
def test_units_of_the_cpu(cpuinfo, text, expected):
    cpuinfo(text)
    assert cpu_has_bf16() == expected


def test_the_user_may_insist(cpuinfo, monkeypatch):
    cpuinfo('flags : avx2')
    monkeypatch.setenv(precision.FORCE_BF16, '1')
    with autocast('bf16', CPU):
        assert torch.is_autocast_enabled('cpu')


def test_a_cpu_without_units_says_so_once(cpuinfo, monkeypatch):
    cpuinfo('flags : avx2')
    said = []
    monkeypatch.setattr(precision, 'print_log', lambda text, *_: said.append(text))
    for _ in range(2):
        with autocast('bf16', CPU):
            assert not torch.is_autocast_enabled('cpu')
    assert said == ['this CPU has no bfloat16 units: tracking runs in float32']


def test_what_is_refused():
    check_precision('fp16', GPU)
    with pytest.raises(ValueError, match="'fp16' needs a GPU: use 'bf16' or 'fp32' on a CPU"):
        check_precision('fp16', CPU)
    with pytest.raises(ValueError, match="precision='int8' must be one of fp32, bf16, fp16"):
        check_precision('int8', CPU)


def test_an_island_is_in_float32_and_leaves_autocast_as_it_was():
    product = float32_island(torch.matmul)
    left, right = torch.eye(2), torch.tensor([[1 + 2**-12]] * 2)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(product(left, right), right, rtol=0, atol=0)
        assert product(left.bfloat16(), right).dtype == torch.float32
        assert (left @ right).dtype == torch.bfloat16
    assert product(left.double(), right.double()).dtype == torch.float64


# ---------------------------------------------------------------- the model


@pytest.fixture
def insist(monkeypatch):
    monkeypatch.setenv(precision.FORCE_BF16, '1')
    cpu_has_bf16.cache_clear()
    yield
    cpu_has_bf16.cache_clear()


def frame(model, images):
    """Output of one frame with 5 tracklets, one of them padded."""
    generator = torch.Generator().manual_seed(0)
    width = model.sotd_head.query_embedding.weight.shape[1]
    state = TrackletState(
        query=torch.randn(1, 5, width, generator=generator),
        anchor_cxcywh=torch.rand(1, 5, 4, generator=generator) * 0.6 + 0.2,
        source=torch.zeros(1, 5, dtype=torch.int64),
        valid=torch.tensor([[True, True, False, True, True]]),
        memory=torch.zeros(1, 5, 0, width),
    )
    with torch.no_grad():
        features = model.encode(images(1, 1)[0], [(64, 96)])
        return features, model.decode_frame(features, state)


@pytest.mark.parametrize('worth_casting', [32, 33])
@pytest.mark.parametrize('head', ['lamotr_mm.SOTDHead', 'lamotr_mm.DeformableSOTDHead'])
def test_inference_in_bfloat16(build_tiny, images, insist, monkeypatch, head, worth_casting):
    """Boxes within 1 % of the image, scores within 0.02, and float32 where it must be: a decoder
    that is narrower than what is worth casting as a whole."""
    monkeypatch.setattr(lamotr, 'WORTH_CASTING', worth_casting)
    model = build_tiny({'sotd_head.type': head}).eval()
    whole, full = frame(model, images)
    dtypes = []
    fused = deformable_attention._fused_cpu_op()

    def op(value, shapes, locations, weights):
        dtypes.extend([value.dtype, locations.dtype, weights.dtype])
        return fused(value, shapes, locations, weights)

    monkeypatch.setattr(deformable_attention, '_fused_cpu_op', lambda: op)
    model.precision = 'bf16'
    features, half = frame(model, images)
    assert set(dtypes) == {torch.float32}, 'the fused kernel is not in place'
    floats = features.memory, features.valid_ratios, half.embeds, half.boxes_cxcywh
    for tensor in (*floats, half.asso_logits, half.detections.anchors_cxcywh):
        assert tensor.dtype == torch.float32
    assert half.logits.dtype == (torch.bfloat16 if worth_casting == 32 else torch.float32)
    assert not torch.equal(features.memory, whole.memory), 'it was encoded in float32'
    used = [*range(11), *range(12, 14)]  # 9 objects, 5 tracklets
    difference = (half.boxes_cxcywh[-1] - full.boxes_cxcywh[-1])[:, used].abs()
    assert 0 < difference.max() < 0.01
    pairs = (
        (half.logits[-1][:, used], full.logits[-1][:, used]),
        (
            half.asso_logits[..., [0, 1, 3, 4]],
            full.asso_logits[..., [0, 1, 3, 4]],
        ),
    )
    for ours, reference in pairs:
        assert (ours.float().sigmoid() - reference.sigmoid()).abs().max() < 0.02


def test_training_mode_ignores_the_precision_of_inference(build_tiny, images, insist):
    model = build_tiny({'precision': 'bf16'}).train()
    assert frame(model, images)[1].logits.dtype == torch.float32


def test_losses_in_bfloat16(build_tiny, make_clip, images):
    """Of a clip, within 2 % of float32; gradients are float32 and point the same way."""
    clip = make_clip([{0: [10, 10, 40, 40], 1: [50, 20, 80, 60]}] * 3)
    thresholds = {'clip_tracklets.score_thr': 0.0, 'clip_tracklets.iou_thr': 0.0}
    results = []
    for wrapper in (OptimWrapper, BFloat16OptimWrapper):
        model = build_tiny(thresholds).train()
        with wrapper(torch.optim.SGD(model.parameters(), lr=0.1)).optim_context(model):
            losses = model.loss(images(1, 3), [clip])
        loss = sum(value for name, value in losses.items() if 'loss' in name)
        loss.backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.requires_grad]
        assert {tensor.dtype for tensor in (loss, *gradients)} == {torch.float32}
        results.append((loss, torch.cat([gradient.flatten() for gradient in gradients])))
    (full, full_gradient), (half, half_gradient) = results
    torch.testing.assert_close(half, full, rtol=0.02, atol=0)
    assert torch.nn.functional.cosine_similarity(half_gradient, full_gradient, dim=0) > 0.95
