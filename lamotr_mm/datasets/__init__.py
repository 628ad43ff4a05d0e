"""Real and synthetic video, clip sampling and augmentation."""

from .mot_video_dataset import MOTVideoDataset
from .samplers import VideoFrameSampler
from .synthetic import LoadSyntheticFrame, SyntheticVideoDataset
from .transforms import ClipSampler, LoadFrame

__all__ = [
    'ClipSampler',
    'LoadFrame',
    'LoadSyntheticFrame',
    'MOTVideoDataset',
    'SyntheticVideoDataset',
    'VideoFrameSampler',
]
