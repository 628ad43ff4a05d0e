"""Real and synthetic video, clip sampling and augmentation."""

from .concat_video_dataset import ConcatVideoDataset
from .mot_video_dataset import MOTVideoDataset
from .samplers import VideoFrameSampler
from .synthetic import LoadSyntheticFrame, SyntheticVideoDataset
from .transforms import ClipSampler, LoadFrame, RepeatedRandomShift

__all__ = [
    'ClipSampler',
    'ConcatVideoDataset',
    'LoadFrame',
    'LoadSyntheticFrame',
    'MOTVideoDataset',
    'RepeatedRandomShift',
    'SyntheticVideoDataset',
    'VideoFrameSampler',
]
