"""One tiny LA-MOTR for all tests of the model: configs/_base_/lamotr_r50.py, overridden."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from lamotr_mm.registry import MODELS

sys.path.insert(0, str(Path(__file__).parent))  # small_detector

BASE = Path(__file__).parents[2] / 'configs' / '_base_' / 'lamotr_r50.py'
WIDTH, HEADS, LEVELS, OBJECTS, CLASSES = 32, 4, 2, 9, 2
ATTENTION = dict(embed_dims=WIDTH, num_heads=HEADS)
DEFORMABLE = dict(**ATTENTION, num_levels=LEVELS, num_points=2)
FFN = dict(embed_dims=WIDTH, feedforward_channels=48)
TINY = {
    'backbone.depth': 18,
    'backbone.base_channels': 8,
    'backbone.out_indices': (2, 3),
    'backbone.frozen_stages': -1,
    'backbone.init_cfg': None,
    'neck.in_channels': [32, 64],
    'neck.out_channels': WIDTH,
    'neck.norm_cfg.num_groups': 8,
    'neck.num_outs': LEVELS,
    'encoder.num_levels': LEVELS,
    'encoder.positional_encoding.num_feats': WIDTH // 2,
    'encoder.encoder.num_layers': 2,
    'encoder.encoder.layer_cfg.self_attn_cfg': DEFORMABLE,
    'encoder.encoder.layer_cfg.ffn_cfg': FFN,
    'sotd_head.num_classes': CLASSES,
    'sotd_head.num_queries': OBJECTS,
    'sotd_head.decoder.num_layers': 3,
    'sotd_head.decoder.layer_cfg.self_attn_cfg': ATTENTION,
    'sotd_head.decoder.layer_cfg.cross_attn_cfg': DEFORMABLE,
    'sotd_head.decoder.layer_cfg.ffn_cfg': FFN,
    'sgla.embed_dims': WIDTH,
    'sgla.num_heads': HEADS,
    'sgla.num_layers': 2,
    'sgla.ffn_dims': 40,
}


@pytest.fixture(autouse=True)
def _quiet_initialisation(monkeypatch):
    """mmengine logs three lines for each parameter that it initialises."""
    monkeypatch.setattr(BaseModule, '_dump_init_info', lambda self: None)


@pytest.fixture
def tiny_config() -> Callable[..., dict]:
    """``tiny_config({'lifecycle.gate': 0.3})`` -> config of the tiny model with these keys."""

    def make(overrides: dict | None = None) -> dict:
        config = Config.fromfile(BASE)
        keys = {**TINY, **(overrides or {})}
        config.merge_from_dict({f'model.{key}': value for key, value in keys.items()})
        return config.model

    return make


def spread(module: nn.Module, seed: int = 0, std: float = 0.1) -> nn.Module:
    """Add noise to every parameter: zeros and ones of the initialisation would hide errors."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(std * torch.randn(parameter.shape, generator=generator))
    return module


@pytest.fixture
def build_tiny(tiny_config) -> Callable[..., nn.Module]:
    """``build_tiny(overrides, seed)`` -> initialised tiny model with noise on every parameter."""

    def build(overrides: dict | None = None, seed: int = 0) -> nn.Module:
        init_default_scope('mmdet')
        torch.manual_seed(seed)
        model = MODELS.build(tiny_config(overrides))
        model.init_weights()
        return spread(model, seed)

    return build


@pytest.fixture
def spread_parameters() -> Callable[..., nn.Module]:
    """``spread_parameters(module, seed)``: noise on every parameter."""
    return spread


@pytest.fixture
def make_clip() -> Callable[..., TrackDataSample]:
    """``make_clip([{id: box}, ...])`` -> a frame for each dict; boxes xyxy px, label ``id % 2``."""

    def make(
        frames: list[dict[int, list[float]]],
        img_shape: tuple[int, int] = (64, 96),
        ori_shape: tuple[int, int] | None = None,
        video_id: int = 0,
        first_frame: int = 0,
    ) -> TrackDataSample:
        samples = []
        for t, targets in enumerate(frames):
            frame = DetDataSample(
                metainfo=dict(
                    img_shape=img_shape,
                    ori_shape=ori_shape or img_shape,
                    frame_id=first_frame + t,
                    video_id=video_id,
                    img_path=f'frame_{first_frame + t}.png',
                )
            )
            frame.gt_instances = InstanceData(
                bboxes=torch.tensor(list(targets.values()), dtype=torch.float32).reshape(-1, 4),
                labels=torch.tensor([i % CLASSES for i in targets], dtype=torch.long),
                instances_ids=torch.tensor(list(targets), dtype=torch.long),
            )
            samples.append(frame)
        clip = TrackDataSample()
        clip.video_data_samples = samples
        return clip

    return make


@pytest.fixture
def images() -> Callable[..., Tensor]:
    """``images(2, 3)`` -> reproducible noise images ``(2, 3, 3, 64, 96)``."""

    def make(clips: int, frames: int, seed: int = 0, size: tuple[int, int] = (64, 96)) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(clips, frames, 3, *size, generator=generator)

    return make
