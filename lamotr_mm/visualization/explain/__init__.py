"""A page that explains each association of a video: records of its frames, events, and the HTML."""

from .events import Event, Step, life_events, switch_events
from .page import ExplanationPage
from .records import FrameRecord, NetworkView, TrackRecord, TruthRecord

__all__ = [
    'Event',
    'ExplanationPage',
    'FrameRecord',
    'NetworkView',
    'Step',
    'TrackRecord',
    'TruthRecord',
    'life_events',
    'switch_events',
]
