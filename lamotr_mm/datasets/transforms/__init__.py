"""Transforms of video clips."""

from .clip_sampler import ClipSampler
from .copy_paste_tracks import CopyPasteTracks
from .load_frame import LoadFrame
from .repeated_random_shift import RepeatedRandomShift

__all__ = ['ClipSampler', 'CopyPasteTracks', 'LoadFrame', 'RepeatedRandomShift']
