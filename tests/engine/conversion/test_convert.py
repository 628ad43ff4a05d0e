"""Converted weights compute what they did where they come from."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from official_detectors import detect
from official_layouts import PROJECTS, Size, make_state, shapes_of

from lamotr_mm.engine.conversion.convert import convert
from lamotr_mm.engine.conversion.layouts import LAYOUTS
from lamotr_mm.models import LAMOTR
from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
SMALL = Size(stem=8, width=64, ffn=48, encoder=2, decoder=3, queries=12)
NAMES = {
    'dab': 'DAB-Deformable-DETR',
    'deformable': 'Deformable DETR',
    'memotr': 'MeMOTR',
    'memotr_deformable': 'MeMOTR on Deformable DETR',
}
# images of several sizes; what is beyond them in the batch is padding
BATCHES = [[(96, 128), (70, 101)], [(64, 150), (120, 66), (97, 97)]]


def options(kind: str, size: Size) -> dict:
    """Keys of a config for a detector of this kind and size."""
    project, width = PROJECTS[kind], size.width
    keys = {
        'backbone.init_cfg': None,
        'backbone.base_channels': size.stem,
        'neck.in_channels': [8 * size.stem, 16 * size.stem, 32 * size.stem],
        'neck.out_channels': width,
        'encoder.positional_encoding.num_feats': width // 2,
        'encoder.positional_encoding.temperature': project.temperature,
        'encoder.encoder.num_layers': size.encoder,
        'encoder.encoder.layer_cfg.self_attn_cfg.embed_dims': width,
        'sotd_head.num_queries': size.queries,
        'sotd_head.decoder.num_layers': size.decoder,
        'sotd_head.decoder.anchor_eps': project.eps,
        'sotd_head.decoder.layer_cfg.self_attn_cfg.embed_dims': width,
        'sotd_head.decoder.layer_cfg.cross_attn_cfg.embed_dims': width,
        'sgla.embed_dims': width,
    }
    for part in ('encoder.encoder', 'sotd_head.decoder'):
        keys[f'{part}.layer_cfg.ffn_cfg.embed_dims'] = width
        keys[f'{part}.layer_cfg.ffn_cfg.feedforward_channels'] = size.ffn
    if project.anchors is None:
        keys['sotd_head.type'] = 'lamotr_mm.DeformableSOTDHead'
    return keys


def build(keys: dict) -> LAMOTR:
    """LA-MOTR of ``_base_/lamotr_r50.py`` with these keys changed."""
    config = Config.fromfile(CONFIGS / '_base_' / 'lamotr_r50.py')
    config.merge_from_dict({f'model.{key}': value for key, value in keys.items()})
    init_default_scope('mmdet')
    return MODELS.build(config.model).eval()


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


def load(model: LAMOTR, state: dict) -> LAMOTR:
    """``state`` without what only LA-MOTR has, all else strictly."""
    missing, unknown = model.load_state_dict(state, strict=False)
    assert not unknown
    assert all(name.startswith('sgla.') or 'num_batches' in name for name in missing)
    return model


@pytest.mark.parametrize('kind', PROJECTS)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=['float64', 'float32'])
def test_official_logits_and_boxes(kind, dtype):
    state = {name: value.to(dtype) for name, value in make_state(kind, SMALL).items()}
    model = build(options(kind, SMALL)).to(dtype)
    layout, done = convert(state, model)
    assert layout.name == NAMES[kind]
    load(model, done.state_dict)
    person = 1 if PROJECTS[kind].classes == 91 else 0
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    for img_shapes in BATCHES:
        images = padded_batch(img_shapes, dtype)
        logits, boxes = detect(kind, state, images, img_shapes)
        our_logits, our_boxes = ours(model, images, img_shapes)
        assert logits[..., person].std() > 0.1 and boxes.std() > 0.1
        assert (our_logits[..., 0] - logits[..., person]).abs().max() < tolerance
        assert (our_boxes - boxes).abs().max() < tolerance
