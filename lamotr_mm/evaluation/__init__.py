"""HOTA and its family, by TrackEval, on arrays in memory; zips for the test servers.

What belongs here scores results or writes them for somebody who does. May import: io,
preparation.
"""

from .sequences import BENCHMARKS, evaluate_sequences, format_table, table_cells
from .submission import find_problems, write_submission
from .tracking_metric import TrackingMetric

__all__ = [
    'BENCHMARKS',
    'TrackingMetric',
    'evaluate_sequences',
    'find_problems',
    'format_table',
    'table_cells',
    'write_submission',
]
