"""Names for the lifecycles in configs; apart, since exported models run without OpenMMLab."""

from lamotr_mm.registry import MODELS

from .lifecycle import Lifecycle
from .two_stage import TwoStageLifecycle

for lifecycle in (Lifecycle, TwoStageLifecycle):
    MODELS.register_module(module=lifecycle)
