"""ByteTrack's life of a track, for associations by hand (Table 4)."""

from dataclasses import dataclass

import numpy as np

from .lifecycle import FrameScores, FrameTracks, Lifecycle, best_pairs, with_objects
from .table import TrackTable


@dataclass
class TwoStageLifecycle(Lifecycle):
    """Every detection box takes part in the association (Zhang et al., ECCV 2022, Algorithm 1).

    First objects with score >= ``det_thr`` and all tracklets, lost ones too; then objects down to
    ``low_thr``, hidden ones mostly, and what is left of the tracklets of the frame before. Each
    stage is an optimal assignment by ``S`` with a gate of its own. A matched track takes its
    object's box, an unmatched one is lost, whatever its own score, and objects of the first stage
    that nobody took start tracks.

    Both stages go by the same ``S``; ByteTrack's second by IoU always. Left out are what its code
    adds to its algorithm: IoU times score in the first stage, a second frame that confirms a birth.
    No birth at IoU > ``birth_iou`` with a track of the frame stands for the suppression of
    duplicates that ByteTrack's detector has. ``keep_thr``, ``keep_iou`` and ``report`` change
    nothing.

    Args:
        gate: smallest ``S`` of a match in the first stage.
        low_thr: lower end of the second stage's scores.
        low_gate: smallest ``S`` of a match in the second stage.
    """

    low_thr: float = 0.1
    low_gate: float = 0.5

    def step(self, table: TrackTable, frame: FrameScores) -> FrameTracks:
        """As :meth:`Lifecycle.step`, for a frame in which matched tracklets are their objects."""
        return super().step(table, with_objects(frame, self._assign(table, frame)))

    def _objects(self, frame: FrameScores) -> np.ndarray:
        return np.flatnonzero(frame.object_scores >= self.low_thr)

    def _assign(self, table: TrackTable, frame: FrameScores) -> np.ndarray:
        same_class = self._comparable(frame.object_labels[:, None], table.labels)
        objects, live = self._objects(frame), table.live
        high = frame.object_scores[objects] >= self.det_thr
        allowed = same_class & (frame.association >= self.gate)
        first = best_pairs(frame.association, allowed, objects[high], live)
        left = np.setdiff1d(live[table.misses[live] == 0], first[:, 1])
        allowed = same_class & (frame.association >= self.low_gate)
        return np.concatenate([first, best_pairs(frame.association, allowed, objects[~high], left)])

    def _keep(self, table: TrackTable, frame: FrameScores, matches: np.ndarray) -> np.ndarray:
        return np.zeros(0, dtype=np.int64)
