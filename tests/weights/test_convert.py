"""Converted weights compute what they did where they come from; every tensor has its place."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from official_detectors import detect
from official_layouts import FULL, PROJECTS, SMALL, config_keys, make_state, shapes_of

from lamotr_mm.models import LAMOTR
from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState
from lamotr_mm.weights.convert import convert
from lamotr_mm.weights.rules import Conversion

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
NAMES = {
    'dab': 'DAB-Deformable-DETR',
    'deformable': 'Deformable DETR',
    'memotr': 'MeMOTR',
    'memotr_deformable': 'MeMOTR on Deformable DETR',
}
# images of several sizes; what is beyond them in the batch is padding
BATCHES = [[(96, 128), (70, 101)], [(64, 150), (120, 66), (97, 97)]]
MMDET = 'mmdet::deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco.py'


def build(keys: dict, config: str = '_base_/lamotr_r50.py') -> LAMOTR:
    """The model of a config with these keys changed."""
    config = Config.fromfile(CONFIGS / config)
    config.merge_from_dict({f'model.{key}': value for key, value in keys.items()})
    init_default_scope('mmdet')
    return MODELS.build(config.model).eval()


def build_mmdet(keys: dict) -> torch.nn.Module:
    """mmdet's own Deformable DETR with box refinement, all parameters random."""
    config = get_config(MMDET)
    config.merge_from_dict({f'model.{key}': value for key, value in keys.items()})
    config.model.backbone.init_cfg = None
    init_default_scope('mmdet')
    model = MMDET_MODELS.build(config.model).eval()
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator).mul_(0.1))
        if name.endswith('running_var') or (value.dim() == 1 and name.endswith('weight')):
            value.add_(0.8)
    return model


def padded_batch(img_shapes: list[tuple[int, int]], dtype: torch.dtype) -> torch.Tensor:
    """Noise images, 0 beyond their size."""
    height, width = (max(sizes) for sizes in zip(*img_shapes))
    images = torch.zeros(len(img_shapes), 3, height, width, dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    for image, (h, w) in zip(images, img_shapes):
        image[:, :h, :w] = torch.randn(3, h, w, generator=generator)
    return images


def ours(model: LAMOTR, images: torch.Tensor, img_shapes: list) -> tuple:
    """Logits and boxes of the object queries after each decoder layer, without tracklets."""
    with torch.no_grad():
        features = model.encode(images, img_shapes)
        empty = TrackletState.empty(len(images), 2, features.memory)
        found = model.sotd_head(features, empty)
    count = model.sotd_head.num_queries
    return found.logits[:, :, :count], found.boxes_cxcywh[:, :, :count]


def load(model: LAMOTR, done: Conversion) -> LAMOTR:
    """Load what was converted; the rest must be what was said to keep its initial value."""
    missing, unknown = model.load_state_dict(done.state_dict, strict=False)
    assert not unknown
    assert missing == done.initial
    return model


def assert_close(our: tuple, official: tuple, row: int, tolerance: float) -> None:
    """Logits of people and boxes after every layer."""
    logits, boxes = official[0][..., row], official[1]
    assert logits.std() > 0.1 and boxes.std() > 0.05  # a constant would prove nothing
    assert (our[0][..., 0] - logits).abs().max() < tolerance
    assert (our[1] - boxes).abs().max() < tolerance


@pytest.mark.parametrize('kind', PROJECTS)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=['float64', 'float32'])
def test_official_logits_and_boxes(kind, dtype):
    state = {name: value.to(dtype) for name, value in make_state(kind, SMALL).items()}
    model = build(config_keys(kind, SMALL)).to(dtype)
    layout, done = convert(state, model)
    assert layout.name == NAMES[kind]
    load(model, done)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    person = 1 if PROJECTS[kind].classes == 91 else 0
    for img_shapes in BATCHES:
        images = padded_batch(img_shapes, dtype)
        official = detect(kind, state, images, img_shapes)
        assert_close(ours(model, images, img_shapes), official, person, tolerance)
    images = padded_batch([(96, 128)], dtype)  # without padding our geometry is float64 as well
    official = detect(kind, state, images, [(96, 128)])
    assert_close(ours(model, images, [(96, 128)]), official, person, max(tolerance, 1e-6))


@pytest.mark.parametrize('kind', PROJECTS)
def test_settings_matter(kind):
    """With another eps or temperature the same weights would give other boxes."""
    model = build(config_keys(kind, SMALL)).double()
    state = {name: value.double() for name, value in make_state(kind, SMALL).items()}
    load(model, convert(state, model)[1])
    images = padded_batch(BATCHES[0], torch.float64)
    boxes = ours(model, images, BATCHES[0])[1]
    project, decoder = PROJECTS[kind], model.sotd_head.decoder
    decoder.anchor_eps = 1e-3 if project.eps == 1e-5 else 1e-5
    assert (ours(model, images, BATCHES[0])[1] - boxes).abs().max() > 1e-4
    decoder.anchor_eps = project.eps
    encoding = model.encoder.positional_encoding
    encoding.temperature = 10000 if project.temperature == 20 else 20
    assert (ours(model, images, BATCHES[0])[1] - boxes).abs().max() > 1e-4


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=['float64', 'float32'])
def test_mmdet_logits_and_boxes(dtype):
    """Against mmdet's own model."""
    size, keys = SMALL, config_keys('deformable', SMALL)
    width = {key: value for key, value in keys.items() if key.split('.')[0] in ('backbone', 'neck')}
    for part, layers in (('encoder', size.encoder), ('decoder', size.decoder)):
        width |= {f'{part}.num_layers': layers}
        for name in ('self_attn_cfg', 'ffn_cfg') + ('cross_attn_cfg',) * (part == 'decoder'):
            width |= {f'{part}.layer_cfg.{name}.embed_dims': size.width}
        width |= {f'{part}.layer_cfg.ffn_cfg.feedforward_channels': size.ffn}
    width |= {
        'positional_encoding.num_feats': size.width // 2,
        'bbox_head.embed_dims': size.width,
        'num_queries': size.queries,
    }
    source = build_mmdet(width).to(dtype)
    model = build(keys).to(dtype)
    layout, done = convert(source.state_dict(), model)
    assert layout.name == "mmdet's Deformable DETR"
    assert all(not done.state_dict[f'neck.convs.{level}.conv.bias'].any() for level in range(3))
    load(model, done)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    for img_shapes in BATCHES:
        images = padded_batch(img_shapes, dtype)
        meta = dict(batch_input_shape=tuple(images.shape[-2:]))
        samples = [DetDataSample(metainfo=meta | dict(img_shape=shape)) for shape in img_shapes]
        with torch.no_grad():
            hidden = source.forward_transformer(source.extract_feat(images), samples)
            official = source.bbox_head(**hidden)
        assert_close(ours(model, images, img_shapes), official, 0, tolerance)


FULL_SIZE = {
    'dab': 'lamotr_dancetrack.py',
    'memotr': 'lamotr_memotr-init_dancetrack.py',
    'deformable': 'lamotr_deformable-detr_dancetrack.py',
    'memotr_deformable': 'lamotr_deformable-detr_dancetrack.py',
}


def full_size(kind: str) -> tuple[dict, dict]:
    """Published shapes, and keys that the shipped config lacks for them."""
    if kind in ('dab', 'memotr'):
        return FULL, {}
    ffn = 'layer_cfg.ffn_cfg.feedforward_channels'
    keys = {f'encoder.encoder.{ffn}': 1024, f'sotd_head.decoder.{ffn}': 1024}
    if kind == 'memotr_deformable':
        keys['encoder.positional_encoding.temperature'] = 20
    return FULL._replace(ffn=1024), keys


@pytest.mark.parametrize('kind', PROJECTS)
def test_every_published_tensor_has_its_place(kind):
    """Full size, with the shipped configs: mapped, or left out with a reason."""
    size, keys = full_size(kind)
    state = {name: torch.zeros(()).expand(shape) for name, shape in shapes_of(kind, size).items()}
    for index in range(size.decoder):  # heads of their own: no shared one
        state[f'bbox_embed.{index}.layers.2.bias'] = torch.full((4,), float(index))
    boxes = {name: value for name, value in state.items() if name.startswith('bbox_embed.')}
    state |= {f'transformer.decoder.{name}': value for name, value in boxes.items()}
    model = build(keys, FULL_SIZE[kind])
    _, done = convert(state, model)
    mapped = {done.sources[name] for name in done.state_dict if 'num_batches' not in name}
    assert mapped | set(done.skipped) == set(state)
    assert not mapped & set(done.skipped)
    assert set(done.skipped.values()) == {
        'a copy of bbox_embed',
        *(["MeMOTR's memory of tracks: LA-MOTR updates tracklets otherwise"] * ('memotr' in kind)),
    }
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    converted = {name: value.shape for name, value in done.state_dict.items()}
    assert shapes == converted | {name: shapes[name] for name in done.initial}
    assert done.initial == [name for name in shapes if name.startswith('sgla.')]


def test_full_size_logits_and_boxes():
    """The published size of DAB-Deformable-DETR, float32."""
    state = make_state('dab')
    model = build({}, FULL_SIZE['dab'])
    load(model, convert(state, model)[1])
    img_shapes = [(64, 96), (50, 70)]
    images = padded_batch(img_shapes, torch.float32)
    official = detect('dab', state, images, img_shapes)
    assert_close(ours(model, images, img_shapes), official, 1, 1e-4)


def test_full_size_mmdet():
    """mmdet's published config: every tensor is mapped."""
    source = build_mmdet({}).state_dict()
    model = build(full_size('deformable')[1], FULL_SIZE['deformable'])
    _, done = convert(source, model)
    assert set(source) <= set(done.sources.values())
    assert not done.skipped
    assert all(name.startswith('sgla.') for name in done.initial)
    assert torch.equal(
        done.state_dict['sotd_head.cls_branches.3.weight'],
        source['bbox_head.cls_branches.3.weight'][:1],
    )


def test_changed_values():
    """Rows, halves and columns, compared one by one with the file's."""
    state = make_state('dab', SMALL)
    done = convert(state, build(config_keys('dab', SMALL)))[1].state_dict
    head = 'sotd_head.decoder.ref_point_head.layers.0.weight'
    assert torch.equal(done[head], state['transformer.decoder.ref_point_head.layers.0.weight'])
    for name in ('weight', 'bias'):
        row = state[f'class_embed.2.{name}'][1:2]
        assert torch.equal(done[f'sotd_head.cls_branches.2.{name}'], row)

    state = make_state('memotr', SMALL)
    done = convert(state, build(config_keys('memotr', SMALL)))[1].state_dict
    weight = state['transformer.decoder.ref_point_head.layers.0.weight']
    x, y, w_and_h = weight[:, :32], weight[:, 32:64], weight[:, 64:]
    assert torch.equal(done[head], torch.cat([y, x, w_and_h], 1))

    state = make_state('deformable', SMALL)
    done = convert(state, build(config_keys('deformable', SMALL)))[1].state_dict
    position, content = state['query_embed.weight'][:, :64], state['query_embed.weight'][:, 64:]
    assert torch.equal(done['sotd_head.position_embedding.weight'], position)
    assert torch.equal(done['sotd_head.query_embedding.weight'], content)


def test_several_classes():
    """Each takes the row that the user names."""
    state = make_state('dab', SMALL)
    model = build(config_keys('dab', SMALL) | {'sotd_head.num_classes': 2})
    with pytest.raises(ValueError, match=r'2 classes .* 91 rows: say with --class-rows'):
        convert(state, model)
    for rows in ([1], [1, 91], [-1, 1]):
        with pytest.raises(ValueError, match=r'needs 2 rows, each of 0-90'):
            convert(state, model, rows)
    done = convert(state, model, [3, 1])[1]
    for name in ('weight', 'bias'):
        expected = state[f'class_embed.0.{name}'][[3, 1]]
        assert torch.equal(done.state_dict[f'sotd_head.cls_branches.0.{name}'], expected)


def test_odd_entries_are_named():
    """Neither other objects nor other shapes end in a traceback of torch's."""
    state, model = make_state('deformable', SMALL), build(config_keys('deformable', SMALL))
    for name, value, message in [
        ('bbox_embed.0.layers.0.bias', None, 'is a NoneType, not a tensor'),
        ('query_embed.weight', torch.zeros(12), 'has not the usual shape'),
        ('class_embed.2.bias', torch.zeros(1), 'has not the usual shape'),
        ('transformer.level_embed', torch.zeros(4, 64, dtype=torch.int8), 'is torch.int8'),
    ]:
        with pytest.raises(ValueError, match=f'{name} .*{message}'):
            convert(state | {name: value}, model)
