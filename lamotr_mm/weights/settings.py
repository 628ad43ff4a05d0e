"""What a config must say for weights to compute what they did where they come from.

Shapes show some of it; the rest (temperatures, heads, groups, ...) would be wrong in silence.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from mmdet.models.mot import BaseMOTModel
from torch import Tensor, nn

from .rules import match


class Setting(NamedTuple):
    """One key of a config.

    Attributes:
        key: below ``model``.
        value: that the weights need; a function gets it from the renamed weights, ``None`` where
            they lack the tensor.
        read: the value of a built model.
    """

    key: str
    value: Any
    read: Callable[[BaseMOTModel], Any]


def _length(name: str) -> Callable[[Mapping[str, Tensor]], int | None]:
    return lambda weights: len(weights[name]) if name in weights else None


def _count(pattern: str) -> Callable[[Mapping[str, Tensor]], int | None]:
    return lambda weights: sum(match(pattern, name) is not None for name in weights) or None


def _type(module: nn.Module) -> str:
    return f'{type(module).__module__.split(".")[0]}.{type(module).__name__}'


# the same in all projects
SHARED = (
    Setting(
        'data_preprocessor.mean',
        [123.675, 116.28, 103.53],
        lambda m: m.data_preprocessor.mean.flatten().tolist(),
    ),
    Setting(
        'data_preprocessor.std',
        [58.395, 57.12, 57.375],
        lambda m: m.data_preprocessor.std.flatten().tolist(),
    ),
    Setting(
        'data_preprocessor.bgr_to_rgb', True, lambda m: m.data_preprocessor._channel_conversion
    ),
    Setting('backbone.type', 'mmdet.ResNet', lambda m: _type(m.backbone)),
    Setting('backbone.depth', 50, lambda m: m.backbone.depth),
    Setting('backbone.style', 'pytorch', lambda m: m.backbone.style),
    Setting('neck.norm_cfg.num_groups', 32, lambda m: m.neck.convs[0].gn.num_groups),
    Setting(
        'encoder.positional_encoding.normalize',
        True,
        lambda m: m.encoder.positional_encoding.normalize,
    ),
    Setting(
        'encoder.positional_encoding.offset', -0.5, lambda m: m.encoder.positional_encoding.offset
    ),
    Setting(
        'encoder.encoder.num_layers',
        _count('encoder.encoder.layers.*.norms.0.weight'),
        lambda m: m.encoder.encoder.num_layers,
    ),
    Setting(
        'encoder.encoder.layer_cfg.self_attn_cfg.num_heads',
        8,
        lambda m: m.encoder.encoder.layers[0].self_attn.num_heads,
    ),
    Setting(
        'encoder.encoder.layer_cfg.ffn_cfg.feedforward_channels',
        _length('encoder.encoder.layers.0.ffn.layers.0.0.weight'),
        lambda m: m.encoder.encoder.layers[0].ffn.feedforward_channels,
    ),
    Setting(
        'sotd_head.num_queries',
        _length('sotd_head.query_embedding.weight'),
        lambda m: m.sotd_head.num_queries,
    ),
    Setting(
        'sotd_head.decoder.num_layers',
        _count('sotd_head.decoder.layers.*.norms.0.weight'),
        lambda m: m.sotd_head.decoder.num_layers,
    ),
    Setting(
        'sotd_head.decoder.layer_cfg.self_attn_cfg.num_heads', 8, lambda m: m.sotd_head.num_heads
    ),
    Setting(
        'sotd_head.decoder.layer_cfg.cross_attn_cfg.num_heads',
        8,
        lambda m: m.sotd_head.decoder.layers[0].cross_attn.num_heads,
    ),
    Setting(
        'sotd_head.decoder.layer_cfg.ffn_cfg.feedforward_channels',
        _length('sotd_head.decoder.layers.0.ffn.layers.0.0.weight'),
        lambda m: m.sotd_head.decoder.layers[0].ffn.feedforward_channels,
    ),
)


def settings_of(
    head: str, anchor_eps: float, image_temperature: float = 10000
) -> tuple[Setting, ...]:
    """Settings of a detector with ResNet-50.

    Args:
        head: registered name of the head; with ``SOTDHead``, queries are anchor boxes.
        anchor_eps: of the logits of boxes.
        image_temperature: of the positional encoding of the image; that of the anchors is 10000 in
            all projects.
    """
    settings = [
        Setting('sotd_head.type', f'lamotr_mm.{head}', lambda m: _type(m.sotd_head)),
        *SHARED,
        Setting(
            'encoder.positional_encoding.temperature',
            image_temperature,
            lambda m: m.encoder.positional_encoding.temperature,
        ),
        Setting(
            'sotd_head.decoder.anchor_eps',
            anchor_eps,
            lambda m: m.sotd_head.decoder.anchor_eps,
        ),
    ]
    if head == 'SOTDHead':
        settings.append(
            Setting(
                'sotd_head.decoder.temperature', 10000, lambda m: m.sotd_head.decoder.temperature
            )
        )
    return tuple(settings)


def check_settings(
    settings: Iterable[Setting], weights: Mapping[str, Tensor], model: BaseMOTModel
) -> None:
    """Whether a model is set as its weights need it.

    Args:
        settings: of the layout that the weights come from.
        weights: name in the model -> tensor.
        model: built of the config.

    Raises:
        ValueError: lists every key to set, as ``--cfg-options`` takes them, and what it is now.
    """
    options, now = [], []
    for setting in settings:
        wanted = setting.value(weights) if callable(setting.value) else setting.value
        found = _read(setting, model)
        if wanted is not None and not _same(wanted, found):
            text = str(wanted).replace(' ', '')  # a list must be one word on the command line
            options.append(f'model.{setting.key}={text}')
            now.append(str(found))
    if options:
        raise ValueError(
            f'the weights need --cfg-options {" ".join(options)} (now {", ".join(now)}), here and '
            'in training, or a config that says so'
        )


def _read(setting: Setting, model: BaseMOTModel) -> Any:
    try:
        return setting.read(model)
    except AttributeError:  # another kind of part
        return None


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, list):
        return (
            isinstance(found, list) and len(found) == len(wanted) and all(map(_same, wanted, found))
        )
    if isinstance(wanted, float) and isinstance(found, int | float):
        return math.isclose(wanted, found, rel_tol=1e-6)  # buffers are float32
    return wanted == found
