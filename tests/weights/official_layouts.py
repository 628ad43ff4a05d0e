"""Independent reference: names and shapes of the published checkpoints, and random ones."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

State = dict[str, Tensor]
BLOCKS = (3, 4, 6, 3)  # bottlenecks in the stages of ResNet-50


class Project(NamedTuple):
    """How a project names and computes.

    Attributes:
        backbone, projections: prefixes.
        content, anchors: names of the query content and its anchors; without ``anchors``,
            ``content`` is position and content side by side.
        eps: of inverse sigmoids.
        temperature: of the image's sine encoding.
        order: of x, y, w, h in the anchors' encoding.
        classes: rows of the classifier.
    """

    backbone: str
    projections: str
    content: str
    anchors: str | None
    eps: float
    temperature: float = 10000
    order: tuple[int, ...] = (0, 1, 2, 3)
    classes: int = 91


PROJECTS = {
    'dab': Project(
        'backbone.0.body',
        'input_proj',
        'tgt_embed.weight',
        'refpoint_embed.weight',
        1e-3,
        order=(1, 0, 2, 3),
    ),
    'deformable': Project('backbone.0.body', 'input_proj', 'query_embed.weight', None, 1e-5),
    'memotr': Project(
        'backbone.backbone.backbone',
        'feature_projs',
        'det_query_embed',
        'det_anchor',
        1e-5,
        temperature=20,
        classes=1,
    ),
    'memotr_deformable': Project(
        'backbone.backbone.backbone',
        'feature_projs',
        'det_query_embed',
        None,
        1e-5,
        temperature=20,
        classes=1,
    ),
}


class Size(NamedTuple):
    """Widths and depths; 8 heads, 4 points and 4 levels everywhere."""

    stem: int = 64
    width: int = 256
    ffn: int = 2048
    encoder: int = 6
    decoder: int = 6
    queries: int = 300


FULL = Size()
SMALL = Size(stem=8, width=64, ffn=48, encoder=2, decoder=3, queries=12)


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple]:
    return {f'{name}.weight': (outputs, inputs), f'{name}.bias': (outputs,)}


def _norm(name: str, width: int, *statistics: str) -> dict[str, tuple]:
    return {f'{name}.{part}': (width,) for part in ('weight', 'bias', *statistics)}


def _batch_norm(name: str, width: int) -> dict[str, tuple]:
    return _norm(name, width, 'running_mean', 'running_var')


def _resnet_shapes(prefix: str, stem: int) -> dict[str, tuple]:
    shapes = {f'{prefix}.conv1.weight': (stem, 3, 7, 7)} | _batch_norm(f'{prefix}.bn1', stem)
    inputs = stem
    for stage, blocks in enumerate(BLOCKS):
        width = stem * 2**stage
        for block in range(blocks):
            name = f'{prefix}.layer{stage + 1}.{block}'
            shapes[f'{name}.conv1.weight'] = (width, inputs, 1, 1)
            shapes[f'{name}.conv2.weight'] = (width, width, 3, 3)
            shapes[f'{name}.conv3.weight'] = (4 * width, width, 1, 1)
            for index, channels in enumerate((width, width, 4 * width), 1):
                shapes |= _batch_norm(f'{name}.bn{index}', channels)
            if block == 0:
                shapes[f'{name}.downsample.0.weight'] = (4 * width, inputs, 1, 1)
                shapes |= _batch_norm(f'{name}.downsample.1', 4 * width)
            inputs = 4 * width
    return shapes


def _deformable_shapes(name: str, width: int) -> dict[str, tuple]:
    return {
        **_linear(f'{name}.sampling_offsets', 8 * 4 * 4 * 2, width),
        **_linear(f'{name}.attention_weights', 8 * 4 * 4, width),
        **_linear(f'{name}.value_proj', width, width),
        **_linear(f'{name}.output_proj', width, width),
    }


def _layer_shapes(name: str, width: int, ffn: int, norms: int) -> dict[str, tuple]:
    shapes = _linear(f'{name}.linear1', ffn, width) | _linear(f'{name}.linear2', width, ffn)
    for index in range(1, norms + 1):
        shapes |= _norm(f'{name}.norm{index}', width)
    return shapes


def _transformer_shapes(project: Project, size: Size) -> dict[str, tuple]:
    width = size.width
    shapes = {'transformer.level_embed': (4, width)}
    for index in range(size.encoder):
        name = f'transformer.encoder.layers.{index}'
        shapes |= _deformable_shapes(f'{name}.self_attn', width)
        shapes |= _layer_shapes(name, width, size.ffn, norms=2)
    for index in range(size.decoder):
        name = f'transformer.decoder.layers.{index}'
        shapes |= _deformable_shapes(f'{name}.cross_attn', width)
        shapes |= _layer_shapes(name, width, size.ffn, norms=3)
        shapes[f'{name}.self_attn.in_proj_weight'] = (3 * width, width)
        shapes[f'{name}.self_attn.in_proj_bias'] = (3 * width,)
        shapes |= _linear(f'{name}.self_attn.out_proj', width, width)
    if project.anchors is None:
        return shapes | _linear('transformer.reference_points', 2, width)
    for index in range(2):
        shapes |= _linear(f'transformer.decoder.query_scale.layers.{index}', width, width)
        inputs = (2 - index) * width
        shapes |= _linear(f'transformer.decoder.ref_point_head.layers.{index}', width, inputs)
    return shapes


def _updater_shapes(project: Project, size: Size) -> dict[str, tuple]:
    """MeMOTR's tracks."""
    width = size.width
    shapes = {
        'query_updater.memory_attn.in_proj_weight': (3 * width, width),
        'query_updater.memory_attn.in_proj_bias': (3 * width,),
    } | _linear('query_updater.memory_attn.out_proj', width, width)
    for name, inputs, hidden in (
        ('confidence_weight_net.0', width, width),
        ('short_memory_fusion', 2 * width, 2 * width),
        ('query_pos_head', 2 * width, width),
    ):
        shapes |= _linear(f'query_updater.{name}.layers.0', hidden, inputs)
        shapes |= _linear(f'query_updater.{name}.layers.1', width, hidden)
    for name in ('memory', 'query_feat'):
        shapes |= _norm(f'query_updater.{name}_norm', width)
        shapes |= _linear(f'query_updater.{name}_ffn.linear1', size.ffn, width)
        shapes |= _linear(f'query_updater.{name}_ffn.linear2', width, size.ffn)
        shapes |= _norm(f'query_updater.{name}_ffn.norm', width)
    if project.anchors is None:
        shapes |= _linear('query_updater.linear_pos1', width, width)
        shapes |= _linear('query_updater.linear_pos2', width, width)
        shapes |= _norm('query_updater.norm_pos', width)
    return shapes


def shapes_of(kind: str, size: Size = FULL) -> dict[str, tuple]:
    """Every tensor of a published checkpoint: name -> shape, without the copies in the decoder."""
    project, width = PROJECTS[kind], size.width
    shapes = _resnet_shapes(project.backbone, size.stem)
    for level, channels in enumerate((8, 16, 32, 32)):
        kernel = 1 if level < 3 else 3
        name = f'{project.projections}.{level}'
        shapes[f'{name}.0.weight'] = (width, channels * size.stem, kernel, kernel)
        shapes[f'{name}.0.bias'] = (width,)
        shapes |= _norm(f'{name}.1', width)
    shapes |= _transformer_shapes(project, size)
    for index in range(size.decoder):
        shapes |= _linear(f'class_embed.{index}', project.classes, width)
        for layer, outputs in enumerate((width, width, 4)):
            shapes |= _linear(f'bbox_embed.{index}.layers.{layer}', outputs, width)
    if project.anchors is None:
        shapes[project.content] = (size.queries, 2 * width)
    else:
        shapes[project.content] = (size.queries, width)
        shapes[project.anchors] = (size.queries, 4)
    return shapes | (_updater_shapes(project, size) if kind.startswith('memotr') else {})


def make_state(kind: str, size: Size = FULL, seed: int = 0) -> State:
    """A state dict with random values of sensible size, float32; all norms are off their defaults
    and some anchors beyond ``eps``.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    queries = (PROJECTS[kind].content, PROJECTS[kind].anchors)
    for name, shape in shapes_of(kind, size).items():
        value = torch.randn(shape, generator=generator)
        if name.endswith('running_var'):
            value = 1 + 0.5 * value.tanh()
        elif len(shape) == 1:
            value = 0.2 * value + (0.7 if name.endswith('weight') else 0)
        elif name not in queries:
            value = value / math.sqrt(math.prod(shape[1:]))
        state[name] = value
    # some boxes near the border, where eps matters
    if (anchors := PROJECTS[kind].anchors) is not None:
        state[anchors][:4] *= 8
    else:
        state[PROJECTS[kind].content][:4, : size.width] *= 20
    # the decoder holds the same box heads once more
    copies = {f'transformer.decoder.{name}': value for name, value in state.items()}
    return state | {name: copy for name, copy in copies.items() if '.bbox_embed.' in name}


def config_keys(kind: str, size: Size) -> dict:
    """Keys below ``model`` that turn ``_base_/lamotr_r50.py`` into a model for such weights."""
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
