"""The life of tracks: what one frame hands to the next, ids, births, losses and ends.

What belongs here decides on arrays and holds the state of a video; it has no parameters and knows
no network. May import: nothing of ours.
"""

from .lifecycle import Lifecycle
from .two_stage import TwoStageLifecycle

__all__ = ['Lifecycle', 'TwoStageLifecycle']
