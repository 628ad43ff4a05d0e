"""The network and its losses."""

from .criterion import DecoupledTrackingLoss
from .lamotr import LAMOTR
from .sgla import SGLA
from .sotd_head import SOTDHead
from .tracklet_update import TrackletUpdate

__all__ = ['LAMOTR', 'SGLA', 'DecoupledTrackingLoss', 'SOTDHead', 'TrackletUpdate']
