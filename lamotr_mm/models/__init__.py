"""The network and its losses: one frame in `lamotr.py`, its parts beside it.

What belongs here implements an equation or section of the paper on tensors, or a layer under it.
May import: tracking.
"""

from .ablation_losses import ContrastiveTrackingLoss, SingleDecoderLoss
from .association import CombinedAssociation, FeatureAssociation, IoUAssociation, NoAssociation
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
    'CombinedAssociation',
    'ContrastiveTrackingLoss',
    'DecoupledTrackingLoss',
    'DeformableSOTDHead',
    'DenseProposals',
    'FeatureAssociation',
    'FoldedMobileNetV2',
    'IoUAssociation',
    'NoAssociation',
    'SOTDHead',
    'SingleDecoderLoss',
    'TemporalAggregation',
    'TemporalInteraction',
    'TrackletUpdate',
]
