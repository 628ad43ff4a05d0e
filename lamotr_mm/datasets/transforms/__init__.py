"""Transforms of video clips."""

from .clip_sampler import ClipSampler
from .load_frame import LoadFrame
from .repeated_random_shift import RepeatedRandomShift

__all__ = ['ClipSampler', 'LoadFrame', 'RepeatedRandomShift']
