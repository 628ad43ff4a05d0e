"""LA-MOTR: multi-object tracking with learned association, on OpenMMLab.

Types registered here are available to every OpenMMLab config that writes them with the prefix
`lamotr_mm.`. The main classes are attributes of the package, imported at first use:
`from lamotr_mm import LAMOTR`.

`lamotr_mm.registry` checks the dependencies (`lamotr_mm.compat`), and all that needs OpenMMLab
imports it. What tracks an exported model (`lamotr_mm.deploy.runtime`) does not, and works without
PyTorch and OpenMMLab.
"""

import importlib
import sys

from .version import __version__

# An OpenMMLab program, such as one whose config has `custom_imports`, learns now what is missing;
# mmengine, which imports the registry at the first look-up of a `lamotr_mm.X`, would hide it.
if sys.modules.get('mmengine') is not None:
    importlib.import_module('lamotr_mm.registry')

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
    if name != 'registry' and name not in _EXPORTS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    registry = importlib.import_module('lamotr_mm.registry')  # checks the dependencies
    if name == 'registry':
        return registry
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
