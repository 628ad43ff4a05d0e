"""Monitors, reproducibility, speed and drawing while a runner works."""

from .association_metric_hook import AssociationMetricHook
from .checkpoint_fit_hook import CheckpointFitHook
from .checkpoint_hook import CheckpointHook
from .converted_weights_hook import ConvertedWeightsHook
from .early_stopping_hook import EarlyStoppingHook
from .finite_loss_hook import FiniteLossHook
from .frozen_norm_hook import FrozenNormHook
from .seed_hook import SeedHook
from .track_visualization_hook import TrackVisualizationHook

__all__ = [
    'AssociationMetricHook',
    'CheckpointFitHook',
    'CheckpointHook',
    'ConvertedWeightsHook',
    'EarlyStoppingHook',
    'FiniteLossHook',
    'FrozenNormHook',
    'SeedHook',
    'TrackVisualizationHook',
]
