"""What the Runner sees: data sets, clip sampling, augmentation, samplers, synthetic video.

What belongs here is built from a config and read while training or testing; whatever makes the
files that it reads is in `preparation`. May import: io.
"""

from .concat_video_dataset import ConcatVideoDataset
from .mot_video_dataset import MOTVideoDataset
from .samplers import VideoFrameSampler
from .synthetic import LoadSyntheticFrame, SyntheticVideoDataset
from .transforms import ClipSampler, CopyPasteTracks, LoadFrame, RepeatedRandomShift

__all__ = [
    'ClipSampler',
    'ConcatVideoDataset',
    'CopyPasteTracks',
    'LoadFrame',
    'LoadSyntheticFrame',
    'MOTVideoDataset',
    'RepeatedRandomShift',
    'SyntheticVideoDataset',
    'VideoFrameSampler',
]
