"""Registries of lamotr_mm.

Each one is a *sibling* of mmdet's registry of the same kind (both are children of mmengine's), so
that ``lamotr_mm.X`` is found from mmdet's scope and ``mmdet.X`` from ours. ``locations`` names the
modules that are imported, and thereby registered, at the first look-up. Importing this module
checks the dependencies first (:mod:`lamotr_mm.compat`).
"""
# ruff: noqa: E402

from . import compat

compat.check_dependencies()

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry


def _sibling(parent: Registry, *locations: str) -> Registry:
    modules = [f'lamotr_mm.{location}' for location in locations]
    return Registry(parent.name, parent=parent, scope='lamotr_mm', locations=modules)


# networks, losses and layers; lifecycles; other trackers
MODELS = _sibling(MMENGINE_MODELS, 'models', 'tracking.registration', 'peers')
# real and synthetic video
DATASETS = _sibling(MMENGINE_DATASETS, 'datasets')
# the order in which start frames are visited
DATA_SAMPLERS = _sibling(MMENGINE_DATA_SAMPLERS, 'datasets')
# clip sampling and clip-consistent augmentation
TRANSFORMS = _sibling(MMENGINE_TRANSFORMS, 'datasets.transforms')
# HOTA and its family
METRICS = _sibling(MMENGINE_METRICS, 'evaluation')
# monitors and reproducibility
HOOKS = _sibling(MMENGINE_HOOKS, 'engine.hooks')
# mixed precision on a CPU
OPTIM_WRAPPERS = _sibling(MMENGINE_OPTIM_WRAPPERS, 'engine.optim')
# how parameters are grouped
OPTIM_WRAPPER_CONSTRUCTORS = _sibling(MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS, 'engine.optim')
