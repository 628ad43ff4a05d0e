"""What is installed and what a model is, as lines: `lamotr info`."""

import mmcv
import mmdet
from mmengine.registry import init_default_scope
from mmengine.utils.dl_utils import collect_env

from lamotr_mm.engine.launch import load_config
from lamotr_mm.registry import MODELS
from lamotr_mm.version import __version__

from .benchmark import count_parameters
from .few_tracks import training_data
from .model_zoo import find_config


def describe_versions() -> dict[str, str]:
    """Versions, GPUs and compilers, for bug reports."""
    versions = dict(lamotr_mm=__version__, mmcv=mmcv.__version__, mmdet=mmdet.__version__)
    return {**versions, **{name: str(value) for name, value in collect_env().items()}}


def describe_model(model: str) -> dict[str, str]:
    """What a model is.

    Args:
        model: as :func:`~lamotr_mm.apis.model_zoo.find_model` takes it.

    Raises:
        ValueError: there is no such model.
    """
    config, weights = find_config(model)
    cfg = load_config(config)
    if 'model' not in cfg:
        raise ValueError(f'{config} has no model: name a config such as configs/lamotr_pets.py')
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    counts = count_parameters(MODELS.build(cfg.model))
    return {
        'config': config,
        'weights': weights or 'none are shipped',
        'knows': training_data(cfg),
        'parameters': f'{counts["total"]:,} trainable, {counts["frozen"]:,} frozen',
        'lifecycle': ', '.join(f'{k}={v}' for k, v in cfg.model.get('lifecycle', {}).items()),
    }
