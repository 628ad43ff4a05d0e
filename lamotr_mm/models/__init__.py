"""The network and its losses."""

from .criterion import DecoupledTrackingLoss
from .lamotr import LAMOTR
from .sgla import SGLA
from .sotd_head import DeformableSOTDHead, SOTDHead
from .tracklet_update import TrackletUpdate

__all__ = [
    'LAMOTR',
    'SGLA',
    'DecoupledTrackingLoss',
    'DeformableSOTDHead',
    'SOTDHead',
    'TrackletUpdate',
]
