"""Monitors, reproducibility and drawing while a runner works."""

from .association_metric_hook import AssociationMetricHook
from .checkpoint_fit_hook import CheckpointFitHook
from .finite_loss_hook import FiniteLossHook
from .seed_hook import SeedHook
from .track_visualization_hook import TrackVisualizationHook

__all__ = [
    'AssociationMetricHook',
    'CheckpointFitHook',
    'FiniteLossHook',
    'SeedHook',
    'TrackVisualizationHook',
]
