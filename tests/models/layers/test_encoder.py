"""FeatureEncoder against mmdet's Deformable DETR with the same weights, and an unpadded image."""

from types import SimpleNamespace

import pytest
import torch
from mmdet.models.detectors import DeformableDETR
from mmdet.models.layers import DeformableDetrTransformerEncoder, SinePositionalEncoding
from mmdet.structures import DetDataSample

from lamotr_mm.models.layers.encoder import FeatureEncoder

WIDTH = 32
LAYER = dict(
    self_attn_cfg=dict(embed_dims=WIDTH, num_heads=4, num_levels=2, num_points=2, dropout=0.0),
    ffn_cfg=dict(embed_dims=WIDTH, feedforward_channels=48, ffn_drop=0.0),
)
POSITION = dict(num_feats=WIDTH // 2, normalize=True, offset=-0.5)


def build(seed=0, **kwargs):
    torch.manual_seed(seed)
    module = FeatureEncoder(dict(num_layers=2, layer_cfg=LAYER), POSITION, num_levels=2, **kwargs)
    module.init_weights()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.double()


def levels(images, size, seed=1):
    """Two levels of stride 16 and 32."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    return tuple(
        torch.randn(
            images,
            WIDTH,
            height // stride,
            width // stride,
            generator=generator,
            dtype=torch.double,
        )
        for stride in (16, 32)
    )


def mmdet_reference(module, feats, img_shapes, batch_input_shape):
    encoder = DeformableDetrTransformerEncoder(num_layers=2, layer_cfg=LAYER).double()
    encoder.load_state_dict(module.encoder.state_dict())
    detr = SimpleNamespace(
        positional_encoding=SinePositionalEncoding(**POSITION),
        level_embed=module.level_embed,
        get_valid_ratio=DeformableDETR.get_valid_ratio,
        encoder=encoder,
    )
    samples = [
        DetDataSample(metainfo=dict(img_shape=shape, batch_input_shape=batch_input_shape))
        for shape in img_shapes
    ]
    inputs, decoder_inputs = DeformableDETR.pre_transformer(detr, feats, samples)
    return DeformableDETR.forward_encoder(detr, **inputs)['memory'], decoder_inputs


@pytest.mark.parametrize(
    'img_shapes', [[(64, 96), (64, 96)], [(64, 96), (50, 70)], [(40, 96), (64, 33)]]
)
def test_equals_mmdet(img_shapes):
    """Without padding, with padding that cuts through pixels of the levels, in either direction."""
    module, feats = build(), levels(2, (64, 96))
    ours = module(feats, img_shapes, (64, 96))
    memory, reference = mmdet_reference(module, feats, img_shapes, (64, 96))
    torch.testing.assert_close(ours.memory, memory, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        ours.valid_ratios, reference['valid_ratios'], rtol=0, atol=1e-6, check_dtype=False
    )
    assert torch.equal(ours.spatial_shapes, reference['spatial_shapes'])
    assert torch.equal(ours.level_start_index, reference['level_start_index'])
    if reference['memory_mask'] is None:
        assert ours.padding_mask is None
    else:
        assert torch.equal(ours.padding_mask, reference['memory_mask'])


def test_padding_changes_no_feature_of_the_image():
    """An image padded on the right and below = the image alone, whatever stands in the padding."""
    module = build()
    alone = levels(1, (64, 96))
    padded = levels(1, (96, 128), seed=2)
    for small, large in zip(alone, padded):
        large[..., : small.shape[-2], : small.shape[-1]] = small
    expected = module(alone, [(64, 96)], (64, 96))
    ours = module(padded, [(64, 96)], (96, 128))
    assert expected.padding_mask is None
    torch.testing.assert_close(
        ours.memory[~ours.padding_mask], expected.memory[0], rtol=0, atol=1e-5
    )
    share = torch.tensor([96 / 128, 64 / 96], dtype=torch.double).expand(1, 2, 2)
    torch.testing.assert_close(ours.valid_ratios, share, check_dtype=False)


FUSION = dict(type='BFP', in_channels=WIDTH, num_levels=3, refine_level=1, refine_type='conv')


def thin(fusion=None):
    """Three levels, of which the two coarser ones are encoded by the weights of `build()`."""
    module = FeatureEncoder(
        dict(num_layers=2, layer_cfg=LAYER), POSITION, num_levels=3, first_level=1, fusion=fusion
    )
    missing, unexpected = module.load_state_dict(build().state_dict(), strict=False)
    assert not unexpected and all(name.startswith('fusion.') for name in missing)
    return module.double()


@pytest.mark.parametrize('shape', [(64, 96), (50, 70)])
def test_the_finest_level_can_go_by_the_encoder(shape):
    fine = torch.randn(1, WIDTH, 8, 12, generator=torch.Generator().manual_seed(5)).double()
    coarse = levels(1, (64, 96))
    ours = thin()((fine, *coarse), [shape], (64, 96))
    reference = build()(coarse, [shape], (64, 96))
    torch.testing.assert_close(ours.memory[0, :96], fine[0].flatten(1).T)
    torch.testing.assert_close(ours.memory[:, 96:], reference.memory)
    assert ours.spatial_shapes.tolist() == [[8, 12], [4, 6], [2, 3]]
    assert ours.level_start_index.tolist() == [0, 96, 120]
    torch.testing.assert_close(ours.valid_ratios[:, 1:], reference.valid_ratios)
    if reference.padding_mask is not None:
        assert torch.equal(ours.padding_mask[:, 96:], reference.padding_mask)


def test_fusion_mixes_the_levels_after_the_encoder():
    fine = torch.randn(2, WIDTH, 8, 12, generator=torch.Generator().manual_seed(5)).double()
    feats, shapes = (fine, *levels(2, (64, 96))), [(64, 96), (50, 70)]
    fused = thin(FUSION)
    with torch.no_grad():
        plain = thin()(feats, shapes, (64, 96)).memory
        ours = fused(feats, shapes, (64, 96)).memory
        maps = [
            plain[:, start : start + h * w].permute(0, 2, 1).reshape(2, WIDTH, h, w)
            for start, h, w in [(0, 8, 12), (96, 4, 6), (120, 2, 3)]
        ]
        expected = fused.fusion(maps)
    torch.testing.assert_close(ours[:, :96], expected[0].flatten(2).permute(0, 2, 1))
    torch.testing.assert_close(ours[:, 96:120], expected[1].flatten(2).permute(0, 2, 1))
    torch.testing.assert_close(ours[:, 120:], expected[2].flatten(2).permute(0, 2, 1))
    assert not torch.allclose(ours[:, :96], plain[:, :96])


@pytest.mark.parametrize(('num_levels', 'first_level'), [(3, 0), (2, 1), (1, -1)])
def test_levels_that_do_not_fit_are_named(num_levels, first_level):
    with pytest.raises(ValueError, match=r'self_attn_cfg\.num_levels=2 must be num_levels='):
        FeatureEncoder(
            dict(num_layers=1, layer_cfg=LAYER),
            POSITION,
            num_levels=num_levels,
            first_level=first_level,
        )


def test_frames_of_a_batch_are_independent_and_listed_clip_by_clip():
    module, feats = build(), levels(4, (64, 96))
    shapes = [(64, 96), (64, 80), (48, 96), (64, 96)]
    together = module(feats, shapes, (64, 96))
    for index in range(4):
        alone = module(
            tuple(feat[[index, 1]] for feat in feats), [shapes[index], shapes[1]], (64, 96)
        )
        clip, t = divmod(index, 2)
        frame = together.by_frame(2)[t]
        torch.testing.assert_close(frame.memory[clip], alone.memory[0])
        assert torch.equal(frame.padding_mask[clip], alone.padding_mask[0])
        assert torch.equal(frame.valid_ratios[clip], alone.valid_ratios[0])


def test_checkpointing_changes_no_gradient():
    gradients = []
    for with_cp in (False, True):
        module, feats = build(with_cp=with_cp).train(), levels(2, (64, 96))
        module(feats, [(64, 96), (50, 70)], (64, 96)).memory.square().sum().backward()
        gradients.append({name: p.grad for name, p in module.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-12, atol=1e-12, msg=name)


def test_a_neck_with_other_levels_is_named():
    with pytest.raises(ValueError, match=r'yields 1 levels, the encoder was built for 2.*num_outs'):
        build()(levels(1, (64, 96))[:1], [(64, 96)], (64, 96))


def test_a_wrong_positional_encoding_is_named():
    with pytest.raises(ValueError, match=r'positional_encoding\.num_feats=8 must be half'):
        FeatureEncoder(dict(num_layers=1, layer_cfg=LAYER), dict(num_feats=8), num_levels=2)


def test_positions_that_are_kept_are_those_of_the_size(monkeypatch):
    """In eval mode they are computed once a size; a video of another size gets its own."""
    module, fresh = build().eval(), build().train()
    calls = []
    encode = module.positional_encoding.forward
    monkeypatch.setattr(
        module.positional_encoding, 'forward', lambda *a, **k: calls.append(1) or encode(*a, **k)
    )
    for images, size, expected in [(2, (64, 96), 2), (1, (64, 96), 2), (1, (96, 64), 4)]:
        arguments = levels(images, size), [size] * images, size
        ours, reference = module(*arguments), fresh(*arguments)
        torch.testing.assert_close(ours.memory, reference.memory, rtol=1e-12, atol=1e-12)
        assert len(calls) == expected
    assert len(module._encodings) == 2, 'the encodings of earlier sizes are kept'
