"""The faces for users: build a model, track frames or a whole video, measure speed and size.

What belongs here is meant to be called from a notebook, a tool or the command line, and only puts
parts of the other rooms together. `LAMOTRInferencer` is the tracker as one object; import the rest
from its module. May import: io, datasets, preparation, evaluation, visualization, tracking, models,
weights, engine, deploy.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lamotr_inferencer import LAMOTRInferencer

__all__ = ['LAMOTRInferencer']


def __getattr__(name: str) -> object:
    """Import the tracker at first use: the command line answers without the network."""
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from . import lamotr_inferencer

    return getattr(lamotr_inferencer, name)
