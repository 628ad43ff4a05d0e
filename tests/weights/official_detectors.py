"""Independent reference: the detectors as published, in plain PyTorch, on their own tensor names.

Written from the papers (arXiv 2010.04159, 2201.12329, 2307.15700) and the formulas of the published
code; shares nothing with the package under test. A detector is a function of a state dict in its
project's layout. Geometry (encodings, pixel centres, valid ratios) is float32, as published.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from official_layouts import BLOCKS, PROJECTS, Project, State
from torch import Tensor


def _frozen_bn(state: State, name: str, x: Tensor) -> Tensor:
    weight, bias, mean, variance = (
        state[f'{name}.{part}'][:, None, None]
        for part in ('weight', 'bias', 'running_mean', 'running_var')
    )
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias


def resnet50(state: State, prefix: str, images: Tensor) -> list[Tensor]:
    """Levels of strides 8, 16, 32; a stage's stride is in its first 3x3 convolution."""

    def conv(name: str, x: Tensor, **options) -> Tensor:
        return F.conv2d(x, state[f'{prefix}.{name}.weight'], **options)

    def norm(name: str, x: Tensor) -> Tensor:
        return _frozen_bn(state, f'{prefix}.{name}', x)

    x = norm('bn1', conv('conv1', images, stride=2, padding=3)).relu()
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    levels = []
    for stage, blocks in enumerate(BLOCKS, 1):
        for block in range(blocks):
            name = f'layer{stage}.{block}'
            stride = 2 if stage > 1 and block == 0 else 1
            short = x
            if block == 0:
                short = conv(f'{name}.downsample.0', x, stride=stride)
                short = norm(f'{name}.downsample.1', short)
            x = norm(f'{name}.bn1', conv(f'{name}.conv1', x)).relu()
            x = norm(f'{name}.bn2', conv(f'{name}.conv2', x, stride=stride, padding=1)).relu()
            x = (norm(f'{name}.bn3', conv(f'{name}.conv3', x)) + short).relu()
        levels.append(x)
    return levels[1:]


def project_levels(state: State, name: str, levels: list[Tensor]) -> list[Tensor]:
    """Four levels of one width; the fourth from the last of the backbone, at half its size."""
    inputs = [*levels, levels[-1]]
    projected = []
    for index, x in enumerate(inputs):
        options = dict(stride=2, padding=1) if index == 3 else {}
        x = F.conv2d(
            x, state[f'{name}.{index}.0.weight'], state[f'{name}.{index}.0.bias'], **options
        )
        scale, shift = state[f'{name}.{index}.1.weight'], state[f'{name}.{index}.1.bias']
        projected.append(F.group_norm(x, 32, scale, shift))
    return projected


def sines(values: Tensor, features: int, temperature: float) -> Tensor:
    """``(..., )`` in 0..2 pi -> ``(..., features)``: sin and cos in turn, each pair slower."""
    pair = torch.arange(features, dtype=torch.float32) // 2
    angles = values[..., None] / temperature ** (2 * pair / features)
    return torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], -1).flatten(-2)


def image_encoding(padded: Tensor, width: int, temperature: float) -> Tensor:
    """``(B, h, w)`` padding mask -> ``(B, h * w, width)``: y, then x, relative to the image."""
    inside = (~padded).float()
    parts = []
    for axis in (1, 2):
        count = inside.cumsum(axis)
        share = (count - 0.5) / (count.narrow(axis, -1, 1) + 1e-6) * (2 * math.pi)
        parts.append(sines(share, width // 2, temperature))
    return torch.cat(parts, -1).flatten(1, 2)


# ---------------------------------------------------------------- transformer


class Memory(NamedTuple):
    """Image features ``(B, S, d)``, which are padding ``(B, S)``, sizes of the levels, and the
    shares ``(B, levels, 2)`` (x, y) of them that the image fills."""

    values: Tensor
    padded: Tensor
    sizes: list[tuple[int, int]]
    ratios: Tensor


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f'{name}.weight'], state[f'{name}.bias'])


def layer_norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f'{name}.weight'], state[f'{name}.bias'])


def ffn(state: State, name: str, x: Tensor) -> Tensor:
    return linear(state, f'{name}.linear2', linear(state, f'{name}.linear1', x).relu())


def mlp(state: State, name: str, x: Tensor, layers: int) -> Tensor:
    for index in range(layers):
        x = linear(state, f'{name}.layers.{index}', x)
        x = x.relu() if index < layers - 1 else x
    return x


def deformable_attention(
    state: State, name: str, query: Tensor, references: Tensor, memory: Memory
) -> Tensor:
    """arXiv 2010.04159, Eq. 3: bilinear samples around references ``(B, Q, levels, 2 or 4)``."""
    batch, count, width = query.shape
    values = linear(state, f'{name}.value_proj', memory.values)
    values = torch.where(memory.padded[..., None], torch.zeros_like(values), values)
    offsets = linear(state, f'{name}.sampling_offsets', query).view(batch, count, 8, 4, 4, 2)
    weights = linear(state, f'{name}.attention_weights', query).view(batch, count, 8, 16)
    weights = weights.softmax(-1).view(batch, count, 8, 4, 4)
    output, start = 0, 0
    for level, (height, breadth) in enumerate(memory.sizes):
        centre = references[:, :, level, :2][:, :, None, None]
        if references.shape[-1] == 2:  # offsets in pixels of the level
            spread = 1 / torch.tensor([breadth, height], dtype=query.dtype)
        else:  # in eighths of the box
            spread = references[:, :, level, 2:][:, :, None, None] / 8
        points = centre + offsets[:, :, :, level] * spread
        picture = values[:, start : start + height * breadth]
        picture = picture.reshape(batch, height, breadth, 8, width // 8)
        picture = picture.permute(0, 3, 4, 1, 2).flatten(0, 1)
        grid = (2 * points - 1).transpose(1, 2).flatten(0, 1)
        sampled = F.grid_sample(picture, grid, padding_mode='zeros', align_corners=False)
        sampled = sampled.view(batch, 8, width // 8, count, 4)
        share = weights[:, :, :, level].transpose(1, 2)[:, :, None]
        output = output + (sampled * share).sum(-1)
        start += height * breadth
    return linear(state, f'{name}.output_proj', output.permute(0, 3, 1, 2).flatten(2))


def encode(state: State, levels: list[Tensor], padded: list[Tensor], temperature: float) -> Memory:
    """Deformable encoder: each pixel of each level attends around its own place."""
    width = levels[0].shape[1]
    sizes = [tuple(level.shape[-2:]) for level in levels]
    ratios = torch.stack(
        [
            torch.stack([(~m[:, 0]).sum(1) / m.shape[2], (~m[:, :, 0]).sum(1) / m.shape[1]], -1)
            for m in padded
        ],
        1,
    )
    position, places = [], []
    for level, mask in enumerate(padded):
        code = image_encoding(mask, width, temperature).to(levels[0].dtype)
        position.append(code + state['transformer.level_embed'][level])
        height, breadth = sizes[level]
        y = (torch.arange(height) + 0.5)[None, :, None] / (ratios[:, level, 1] * height)[
            :, None, None
        ]
        x = (torch.arange(breadth) + 0.5)[None, None] / (ratios[:, level, 0] * breadth)[
            :, None, None
        ]
        grid = torch.stack(torch.broadcast_tensors(x, y), -1)
        places.append(grid.flatten(1, 2))
    position = torch.cat(position, 1)
    references = torch.cat(places, 1)[:, :, None] * ratios[:, None]
    x = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], 1)
    mask = torch.cat([m.flatten(1) for m in padded], 1)
    for index in range(_depth(state, 'transformer.encoder')):
        name = f'transformer.encoder.layers.{index}'
        memory = Memory(x, mask, sizes, ratios)
        seen = deformable_attention(state, f'{name}.self_attn', x + position, references, memory)
        x = layer_norm(state, f'{name}.norm1', x + seen)
        x = layer_norm(state, f'{name}.norm2', x + ffn(state, name, x))
    return Memory(x, mask, sizes, ratios)


def self_attention(state: State, name: str, x: Tensor, position: Tensor) -> Tensor:
    """Softmax attention with 8 heads; position is part of queries and keys, not of values."""
    width = x.shape[-1]
    parts = [
        F.linear(part, weight, bias).unflatten(-1, (8, width // 8)).transpose(1, 2)
        for part, weight, bias in zip(
            (x + position, x + position, x),
            state[f'{name}.in_proj_weight'].split(width),
            state[f'{name}.in_proj_bias'].split(width),
        )
    ]
    query, key, value = parts
    scores = query @ key.transpose(-1, -2) / math.sqrt(width // 8)
    mixed = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
    return linear(state, f'{name}.out_proj', mixed)


def logit(share: Tensor, eps: float) -> Tensor:
    share = share.clamp(0, 1)
    return torch.log(share.clamp(min=eps) / (1 - share).clamp(min=eps))


def decode_layer(
    state: State, name: str, x: Tensor, position: Tensor, references: Tensor, memory: Memory
) -> Tensor:
    x = x + self_attention(state, f'{name}.self_attn', x, position)
    x = layer_norm(state, f'{name}.norm2', x)
    x = x + deformable_attention(state, f'{name}.cross_attn', x + position, references, memory)
    x = layer_norm(state, f'{name}.norm1', x)
    return layer_norm(state, f'{name}.norm3', x + ffn(state, name, x))


def decode(state: State, project: Project, memory: Memory) -> tuple[Tensor, Tensor]:
    """All layers' logits ``(layers, B, N, C)`` and boxes ``(layers, B, N, 4)`` cxcywh."""
    batch, _, width = memory.values.shape
    queries = state[project.content].expand(batch, -1, -1)
    if project.anchors is None:
        learned, x = queries.split(width, -1)
        boxes = linear(state, 'transformer.reference_points', learned).sigmoid()
    else:
        x, boxes = queries, state[project.anchors].sigmoid().expand(batch, -1, -1)
    logits, all_boxes = [], []
    for index in range(_depth(state, 'transformer.decoder')):
        ratios = memory.ratios.repeat(1, 1, boxes.shape[-1] // 2)
        references = boxes[:, :, None] * ratios[:, None]
        if project.anchors is None:
            position = learned
        else:
            anchors = references[:, :, 0, list(project.order)] * (2 * math.pi)
            code = sines(anchors, width // 2, 10000).flatten(-2)
            position = mlp(state, 'transformer.decoder.ref_point_head', code, 2)
            if index > 0:
                position = position * mlp(state, 'transformer.decoder.query_scale', x, 2)
        name = f'transformer.decoder.layers.{index}'
        x = decode_layer(state, name, x, position, references, memory)
        change = mlp(state, f'bbox_embed.{index}', x, 3)
        start = logit(boxes, project.eps)
        start = F.pad(start, (0, 4 - start.shape[-1]))  # a point says nothing of the size
        boxes = (change + start).sigmoid()
        logits.append(linear(state, f'class_embed.{index}', x))
        all_boxes.append(boxes)
    return torch.stack(logits), torch.stack(all_boxes)


def _depth(state: State, prefix: str) -> int:
    return sum(name.startswith(prefix) and name.endswith('.linear1.bias') for name in state)


def detect(
    kind: str, state: State, images: Tensor, img_shapes: list[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """A published detector.

    Args:
        kind: key of :data:`PROJECTS`.
        state: in the project's layout.
        images: ``(B, 3, H, W)``, padded at the right and below.
        img_shapes: (height, width) of each image before padding.

    Returns:
        Logits ``(layers, B, N, C)`` and boxes ``(layers, B, N, 4)`` cxcywh.
    """
    project = PROJECTS[kind]
    levels = resnet50(state, project.backbone, images)
    levels = project_levels(state, project.projections, levels)
    padded = torch.ones(len(images), *images.shape[-2:])
    for mask, (height, width) in zip(padded, img_shapes):
        mask[:height, :width] = 0
    masks = [F.interpolate(padded[None], size=level.shape[-2:])[0].bool() for level in levels]
    return decode(state, project, encode(state, levels, masks, project.temperature))
