"""Other trackers beside ours: mmdet's, fed with LA-MOTR's detections, and a fair choice of theirs.

What belongs here lets a tracker that is not LA-MOTR work on our detections, data and metric,
chooses its thresholds, or bounds what a tracker can reach. May import: io, evaluation, apis.
"""

from .detections import DetectionsOf, GivenDetections
from .perfect_ids import PerfectIds
from .strongsort import MotionStrongSORTTracker, NoAppearance, OnlineStrongSORT

__all__ = [
    'DetectionsOf',
    'GivenDetections',
    'MotionStrongSORTTracker',
    'NoAppearance',
    'OnlineStrongSORT',
    'PerfectIds',
]
