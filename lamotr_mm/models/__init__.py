"""The network and its losses: one frame in `lamotr.py`, its parts beside it.

What belongs here implements an equation or section of the paper on tensors, or a layer under it.
May import: tracking.
"""

from .criterion import DecoupledTrackingLoss
from .folded_mobilenetv2 import FoldedMobileNetV2
from .lamotr import LAMOTR
from .proposals import DenseProposals
from .sgla import SGLA
from .sotd_head import DeformableSOTDHead, SOTDHead
from .temporal_update import TemporalAggregation, TemporalInteraction
from .tracklet_update import TrackletUpdate

__all__ = [
    'LAMOTR',
    'SGLA',
    'DecoupledTrackingLoss',
    'DeformableSOTDHead',
    'DenseProposals',
    'FoldedMobileNetV2',
    'SOTDHead',
    'TemporalAggregation',
    'TemporalInteraction',
    'TrackletUpdate',
]
