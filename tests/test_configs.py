"""Every config loads and builds; the paper's recipe; variants train a step and track."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from lamotr_mm import registry

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = [path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob('*.py')]
NAMES = sorted(name for name in NAMES if not name.startswith(('_base_', 'suites/')))
# LA-MOTR's detections and a tracker without weights
PEERS = [name for name in NAMES if name.startswith('peers/')]
ABLATIONS = [name for name in NAMES if name.startswith('ablations/')]
REGISTRIES = [
    getattr(registry, name)
    for name in ('MODELS', 'DATASETS', 'DATA_SAMPLERS', 'TRANSFORMS', 'METRICS', 'HOOKS')
]
BOXES = torch.tensor([[10.0, 10.0, 50.0, 60.0], [60.0, 20.0, 120.0, 90.0]])


def load(name: str, **overrides) -> Config:
    """A config without weights to download; ``overrides`` of the model, with ``__`` for dots."""
    config = Config.fromfile(CONFIGS / name)
    init_default_scope(config.default_scope)
    for part in walk(config.model):
        part.pop('init_cfg', None)
    config.merge_from_dict(
        {f'model.{key.replace("__", ".")}': value for key, value in overrides.items()}
    )
    return config


def walk(node) -> Iterator[dict]:
    """Every dict in a config."""
    if isinstance(node, dict):
        yield node
        node = node.values()
    if not isinstance(node, str) and hasattr(node, '__iter__'):
        for child in list(node):
            yield from walk(child)


def build(config: Config) -> torch.nn.Module:
    torch.manual_seed(0)
    return registry.MODELS.build(config.model)


def trainable(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def sample(annotated: list[int], first_frame: int = 0) -> TrackDataSample:
    """A clip of 96 x 128 px; ``annotated[t]``: number of targets in frame ``t``."""
    clip = TrackDataSample()
    frames = []
    for t, count in enumerate(annotated):
        meta = dict(img_shape=(96, 128), ori_shape=(96, 128), frame_id=first_frame + t, video_id=0)
        frame = DetDataSample(metainfo=meta)
        frame.gt_instances = InstanceData(
            bboxes=BOXES[:count],
            labels=torch.zeros(count, dtype=torch.long),
            instances_ids=torch.arange(count),
        )
        frames.append(frame)
    clip.video_data_samples = frames
    return clip


@pytest.mark.parametrize('name', PEERS)
def test_peer_loads_and_builds(name):
    config = load(name)
    model = build(config)
    assert list(model.parameters()) == []
    assert model.detector.config.model == load('lamotr_people.py').model
    assert config.model.data_preprocessor == config.model.detector.model.data_preprocessor
    assert config.custom_imports.imports == ['lamotr_mm', 'lamotr_mm.engine.hooks']


@pytest.mark.parametrize('name', [name for name in NAMES if name not in PEERS])
def test_config_loads_and_builds(name):
    config = load(name)
    model = build(config)
    count = trainable(model)
    assert count > 1e6
    # some backbones freeze their stages in train() only: too late for DDP
    assert trainable(model.train()) == count
    assert config.default_scope == 'mmdet'
    assert config.custom_imports.imports == ['lamotr_mm', 'lamotr_mm.engine.hooks']


@pytest.mark.parametrize('name', NAMES)
def test_config_names_only_types_that_exist(name):
    """Also those that are looked up late, by a runner: datasets, transforms, metrics, hooks."""
    config = load(name)
    types = {part['type'] for part in walk(config._cfg_dict) if isinstance(part.get('type'), str)}
    ours = {name for name in types if name.startswith('lamotr_mm.')}
    assert 'lamotr_mm.LAMOTR' in ours
    for kind in sorted(ours):
        assert any(reg.get(kind) is not None for reg in REGISTRIES), kind
    hooks = [hook.type for hook in config.custom_hooks]
    assert len(set(hooks)) == len(hooks), f'a hook that runs twice: {hooks}'


def test_parameters_of_table_7():
    """50.29M trainable parameters, 3.24M of them in SGLA, none in the update and the losses."""
    model = build(load('lamotr_dancetrack.py'))
    assert trainable(model) == 50_288_623
    assert round(trainable(model) / 1e6, 2) == 50.29
    assert trainable(model.sgla) == 3_243_809
    assert trainable(model.tracklet_update) == trainable(model.criterion) == 0
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    # stem and first stage; batch normalisation, which the official code keeps as buffers
    assert frozen == 222_400 + 53_120


# of Sec. 4.2: epochs, epoch of the drop, w, weight decay (ours where the paper is silent)
RECIPES = {
    'dancetrack': (18, 12, 1.0, 5e-4),
    'sportsmot': (28, 18, 0.9, 5e-4),
    'mot17': (130, 120, 0.5, 1e-4),
    'mot17_crowdhuman': (130, 120, 0.5, 1e-4),
    'mot17_half': (130, 120, 0.5, 1e-4),
}
PLAIN = ['dancetrack', 'sportsmot', 'mot17', 'mot17_crowdhuman']  # the rows with *


@pytest.mark.parametrize('name', [*RECIPES, *(f'deformable-detr_{name}' for name in PLAIN)])
def test_recipe_of_section_4_2(name):
    config = load(f'lamotr_{name}.py')
    epochs, drop, weight, decay = RECIPES[name.removeprefix('deformable-detr_')]
    assert config.train_cfg.max_epochs == config.param_scheduler[0].end == epochs
    assert (config.param_scheduler[0].milestones, config.param_scheduler[0].gamma) == ([drop], 0.1)
    assert config.optim_wrapper.optimizer == dict(type='AdamW', lr=2e-4, weight_decay=decay)
    assert config.auto_scale_lr.base_batch_size == 4 * config.train_dataloader.batch_size == 4

    model = config.model
    assert model.tracklet_update.weight == weight
    assert model.sotd_head.num_queries == 300
    assert model.clip_tracklets == dict(score_thr=0.5, iou_thr=0.5)
    assert model.criterion.asso_weight == 10
    assert model.lifecycle.miss_tolerance == (15 if 'mot17' in name else 30)
    plain = name.startswith('deformable-detr')
    assert model.sotd_head.type == f'lamotr_mm.{"Deformable" if plain else ""}SOTDHead'
    assert config.load_from.endswith(
        f'{"deformable-detr" if plain else "dab-deformable-detr"}_r50.pth'
    )
    assert plain == ('dab' not in config.load_from)


@pytest.mark.parametrize('name', RECIPES)
def test_clips_of_section_4_2(name):
    """Three frames at intervals of 1 to 10; short side 800 and long side at most 1536 at test."""
    config = load(f'lamotr_{name}.py')
    dataset = config.train_dataloader.dataset
    for member in dataset.get('datasets', [dataset]):
        clips = [part for part in walk(member.pipeline) if part.get('clip_len')]
        assert [(c.type, c.clip_len, c.max_interval) for c in clips] == [
            ('lamotr_mm.ClipSampler', 3, 10)
        ]
        sizes = [part for part in walk(member.pipeline) if part.get('type') == 'RandomChoiceResize']
        scales = [[tuple(scale) for scale in size.scales] for size in sizes]
        multi_scale = [(short, 1536) for short in range(608, 993, 32)]
        shorts = (400, 500, 600) if 'mot17' in name else (800, 1000, 1200)
        assert multi_scale in scales
        assert [(short, 4200) for short in shorts] in scales
        crops = [part for part in walk(member.pipeline) if part.get('type') == 'RandomCrop']
        assert [tuple(crop.crop_size) for crop in crops] == [
            (384, 600) if 'mot17' in name else (800, 1200)
        ]
    resize = [part for part in walk(config.test_pipeline) if part.get('type') == 'Resize']
    assert [tuple(part.scale) for part in resize] == [(1536, 800)]
    assert (
        (config.val_dataloader is None)
        == (config.val_cfg is None)
        == (name in ('mot17', 'mot17_crowdhuman'))
    )
    assert config.submission.ann_file == 'annotations/test.json'


@pytest.mark.parametrize('name', ['dancetrack', 'deformable-detr_dancetrack'])
def test_learning_rates(name):
    """2e-4, and 2e-5 for the backbone and what looks for sampling points."""
    config = load(f'lamotr_{name}.py')
    model = build(config)
    optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    rates = {}
    for group in optimizer.param_groups:
        rates.setdefault(round(group['lr'], 9), 0)
        rates[round(group['lr'], 9)] += sum(p.numel() for p in group['params'])
    # 12 deformable attentions with 8 heads x 4 levels x 4 points x (x, y)
    slow = 12 * (256 * 256 + 256) + trainable(model.backbone)
    if name.startswith('deformable'):
        slow += 2 * 256 + 2
    assert rates == {2e-4: trainable(model) - slow, 2e-5: slow}


VARIANTS = [
    *ABLATIONS,
    'lamotr_r18_dancetrack.py',
    'lamotr_mobilenetv2_dancetrack.py',
    'lamotr_swin-t_dancetrack.py',
    'lamotr_pets.py',
    'lamotr_deformable-detr_dancetrack.py',
    'lamotr_lite_r18_dancetrack.py',
    'lamotr_lite_people.py',
]


@pytest.mark.parametrize('name', VARIANTS)
def test_variant_trains_a_step_and_tracks(name, monkeypatch):
    """Every trainable parameter gets a gradient: DDP needs no find_unused_parameters."""
    config = load(name, sotd_head__num_queries=20, clip_tracklets__score_thr=0.0)
    config.model.clip_tracklets.update(iou_thr=-1.0, drop_prob=0.0)
    if 'proposals' in config.model:
        config.model.proposals.bbox_head.test_cfg.max_per_img = 20
    model = build(config).train()
    monkeypatch.setattr(type(model), '_dump_init_info', lambda self: None)
    model.init_weights()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    # wider than the frames: the detector's norms need two pixels at stride 128
    images = torch.randint(256, (2, 3, 96, 160), dtype=torch.uint8)
    data = model.data_preprocessor(
        dict(inputs=[images], data_samples=[sample([2, 1])]), training=True
    )
    losses = model(**data, mode='loss')
    assert losses['tck_total'] == 1
    loss, _ = model.parse_losses(losses)
    loss.backward()
    for key, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
    wrapper.step()
    assert all(torch.isfinite(p).all() for p in model.parameters())

    model.eval()
    with torch.no_grad():  # every object is confident: tracks are born
        model.sotd_head.cls_branches[-1].bias.fill_(5.0)
    first = model.test_step(dict(inputs=[images[:1]], data_samples=[sample([0])]))
    second = model.test_step(dict(inputs=[images[1:]], data_samples=[sample([0], first_frame=1)]))
    born = first[0][0].pred_track_instances.instances_id
    alive = second[0][0].pred_track_instances.instances_id
    assert len(born) > 0
    assert set(born.tolist()) & set(alive.tolist())


@pytest.mark.parametrize('row', ['iou', 'feature', 'combination', 'single-decoder'])
def test_rows_of_table_4_differ_in_the_association_alone(row):
    """Data, schedule, features, detector and choice of tracklets in training are the base's."""
    config, base = load(f'ablations/{row}_synthetic.py'), load('lamotr_synthetic.py')
    for key in ('train_dataloader', 'val_dataloader', 'optim_wrapper', 'param_scheduler'):
        assert config[key] == base[key]
    for key in ('backbone', 'neck', 'encoder', 'sotd_head', 'clip_tracklets'):
        assert config.model[key] == base.model[key]
