"""HOTA and its family, by TrackEval, on arrays in memory."""

from .sequences import BENCHMARKS, evaluate_sequences, format_table
from .tracking_metric import TrackingMetric

__all__ = ['BENCHMARKS', 'TrackingMetric', 'evaluate_sequences', 'format_table']
