"""Transforms of video clips."""

from .clip_sampler import ClipSampler
from .load_frame import LoadFrame

__all__ = ['ClipSampler', 'LoadFrame']
