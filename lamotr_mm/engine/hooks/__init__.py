"""Monitors, reproducibility and drawing while a runner works."""

from .association_metric_hook import AssociationMetricHook
from .checkpoint_fit_hook import CheckpointFitHook
from .converted_weights_hook import ConvertedWeightsHook
from .finite_loss_hook import FiniteLossHook
from .seed_hook import SeedHook
from .track_visualization_hook import TrackVisualizationHook

__all__ = [
    'AssociationMetricHook',
    'CheckpointFitHook',
    'ConvertedWeightsHook',
    'FiniteLossHook',
    'SeedHook',
    'TrackVisualizationHook',
]
