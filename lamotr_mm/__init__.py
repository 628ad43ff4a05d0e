"""LA-MOTR: multi-object tracking with learned association, on OpenMMLab.

Importing the package checks its dependencies (`lamotr_mm.compat`) and makes the types registered
here available to every OpenMMLab config that writes them with the prefix `lamotr_mm.`. The main
classes are attributes of the package, imported at first use: `from lamotr_mm import LAMOTR`.
"""

import importlib

from . import compat
from .version import __version__

compat.check_dependencies()

# makes `lamotr_mm.X` resolvable from the registries of mmengine and mmdet; needs the check above
from . import registry  # noqa: E402

_EXPORTS = {
    'LAMOTR': 'lamotr_mm.models',
    'SOTDHead': 'lamotr_mm.models',
    'SGLA': 'lamotr_mm.models',
    'TrackletUpdate': 'lamotr_mm.models',
    'DecoupledTrackingLoss': 'lamotr_mm.models',
    'MOTVideoDataset': 'lamotr_mm.datasets',
    'SyntheticVideoDataset': 'lamotr_mm.datasets',
    'ClipSampler': 'lamotr_mm.datasets.transforms',
    'TrackingMetric': 'lamotr_mm.evaluation',
    'AssociationMetricHook': 'lamotr_mm.engine.hooks',
    'DetectionsOf': 'lamotr_mm.peers',
    'LAMOTRInferencer': 'lamotr_mm.apis',
}

__all__ = ['__version__', 'registry', *_EXPORTS]


def __getattr__(name: str) -> object:
    """Import an exported class at first use, so that importing the package stays light."""
    if name not in _EXPORTS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
