"""Why each track and each object of a frame fared as it did, in words.

Nothing is decided here: the rules are those of :class:`~.lifecycle.Lifecycle`, and what they led to
is given. Objects are called by the number of their query (``o17``), tracks by their id.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .boxes import pair_iou
from .lifecycle import FrameScores, FrameTracks, Lifecycle
from .table import NO_TRACK, TrackTable


class TrackReason(NamedTuple):
    """What became of a track in a frame.

    Attributes:
        track_id: its id.
        slot: its tracklet slot; a newborn has entered no frame yet, but has a slot, too.
        state: 'matched' with an object, 'kept' by its own score, 'lost', 'ended' or 'born'.
        object_index: the object it was matched with or born from; -1: none.
        missed: frames in a row for which it was lost before this one.
        why: sentences.
    """

    track_id: int
    slot: int
    state: str
    object_index: int
    missed: int
    why: str


class ObjectReason(NamedTuple):
    """What became of an object in a frame.

    Attributes:
        query: its number.
        fate: 'matched', 'born' (started a track), 'unused', or 'weak' (below ``det_thr``).
        track_id: the track that it was matched with or started; `NO_TRACK`: none.
        why: sentences; of a matched or born one, those of its track.
    """

    query: int
    fate: str
    track_id: int
    why: str


@dataclass(frozen=True)
class FrameReasons:
    """Of the tracks by id, newborns included, and of the objects by query: those that passed
    ``det_thr``, and weak ones whose ``S`` with a live tracklet reaches the gate.
    """

    tracks: list[TrackReason]
    objects: list[ObjectReason]

    @classmethod
    def of(
        cls, lifecycle: Lifecycle, before: TrackTable, frame: FrameScores, tracks: FrameTracks
    ) -> 'FrameReasons':
        """Explain a frame.

        Args:
            lifecycle: that decided.
            before: a copy of the video's table from before the frame, with as many slots.
            frame: what the network said.
            tracks: what was decided.
        """
        return _Explainer(lifecycle, before, frame, tracks).explain()


class _Explainer:
    """The sentences of one frame."""

    def __init__(
        self, lifecycle: Lifecycle, before: TrackTable, frame: FrameScores, tracks: FrameTracks
    ) -> None:
        self.rules, self.before, self.frame, self.tracks = lifecycle, before, frame, tracks
        self.live = before.live
        self.ids = before.ids.copy()
        self.ids[tracks.slots] = tracks.ids
        self.taker = {int(o): int(slot) for slot, o in enumerate(tracks.object_index) if o >= 0}
        same = frame.object_labels[:, None] == before.labels
        # S of pairs that may be matched, -1 elsewhere
        self.scores = np.where(same | lifecycle.class_agnostic, frame.association, -1.0)

    def explain(self) -> FrameReasons:
        tracks = [self._track(int(slot)) for slot in self.live]
        tracks += [self._newborn(int(slot)) for slot in np.flatnonzero(self.tracks.born)]
        whys = {track.object_index: track for track in tracks if track.object_index >= 0}
        reaching = (self.scores[:, self.live] >= self.rules.gate).any(1)
        shown = np.union1d(self.tracks.objects, np.flatnonzero(reaching))
        objects = [self._object(int(index), whys.get(int(index))) for index in shown]
        return FrameReasons(sorted(tracks), objects)

    # ------------------------------------------------------------------ tracks

    def _track(self, slot: int) -> TrackReason:
        index, missed = int(self.tracks.object_index[slot]), int(self.before.misses[slot])
        # of a track that ends, a newborn may have the slot at once
        matched = index >= 0 and not self.tracks.born[slot]
        if matched:
            state, why = 'matched', self._matched(slot, index)
        elif self.tracks.present[slot]:
            own = self.frame.tracklet_scores[slot]
            state = 'kept'
            why = (
                f'No object: {self._no_object(slot)}. It lives on by its own score {own:.2f} '
                f'(keep_thr {self.rules.keep_thr:.2f}).'
            )
        else:
            state, why = self._missing(slot, missed + 1)
        if missed and state in ('matched', 'kept'):
            why = f'Found again after {_frames(missed)}. {why}'
        return TrackReason(
            int(self.before.ids[slot]), slot, state, index if matched else -1, missed, why
        )

    def _matched(self, slot: int, index: int) -> str:
        scores = self.scores[:, slot]
        why = f'o{index} has S {scores[index]:.2f} with it (gate {self.rules.gate:.2f}).'
        others = np.setdiff1d(self.tracks.objects, index)
        if len(others) == 0:
            return f'{why} There is no other object.'
        best = int(others[scores[others].argmax()])
        if scores[best] < 0:
            return f'{why} The other objects are of another class.'
        if scores[best] > scores[index]:
            return f'{why} Its best, o{best} (S {scores[best]:.2f}), {self._went(best, slot)}.'
        return f'{why} The next best object is o{best}, S {scores[best]:.2f}.'

    def _missing(self, slot: int, misses: int) -> tuple[str, str]:
        """State and sentences of a track that is not in the frame."""
        own, rules = self.frame.tracklet_scores[slot], self.rules
        why = f'No object: {self._no_object(slot)}. '
        if own < rules.keep_thr:
            why += f'Its own score {own:.2f} is below keep_thr {rules.keep_thr:.2f}.'
        else:
            rival, iou = self._rival(
                self.frame.tracklet_boxes_xyxy[slot], self.before.labels[slot], own
            )
            why += (
                f'Its own score {own:.2f} would do, but its box lies on that of id {rival} '
                f'(IoU {iou:.2f} > keep_iou {rules.keep_iou:.2f}).'
            )
        if misses > rules.miss_tolerance:
            return 'ended', f'{why} Lost for more than {_frames(rules.miss_tolerance)}: it ends.'
        return 'lost', f'{why} Lost for {_frames(misses)}, of {rules.miss_tolerance} at most.'

    def _no_object(self, slot: int) -> str:
        """Why no object was assigned to a tracklet."""
        scores, objects, rules = self.scores[:, slot], self.tracks.objects, self.rules
        best, why = -1, f'none has a score of det_thr {rules.det_thr:.2f}'
        if len(objects):
            best = int(objects[scores[objects].argmax()])
            found = scores[best]
            if found < 0:
                why = 'none is of its class'
            elif found < rules.gate:
                why = f'its best, o{best}, has S {found:.2f}, below the gate {rules.gate:.2f}'
            else:
                why = f'its best, o{best} (S {found:.2f}), {self._went(best, slot)}'
        strongest = int(scores.argmax())
        floor = max(rules.gate, scores[best] if best >= 0 else 0)
        if scores[strongest] >= floor and strongest not in objects:
            seen = self.frame.object_scores[strongest]
            why += (
                f'; o{strongest} (S {scores[strongest]:.2f}) has a score of {seen:.2f} only, '
                f'det_thr is {rules.det_thr:.2f}'
            )
        return why

    def _went(self, index: int, slot: int) -> str:
        """Whom an object went to, and why not to the tracklet in this slot."""
        taker = self.taker.get(index)
        if taker is None or self.tracks.born[taker]:
            return 'was left over'  # two pairs below it have a larger sum
        went = f'went to id {self.ids[taker]} (S {self.scores[index, taker]:.2f})'
        if self.scores[index, taker] >= self.scores[index, slot]:
            return went
        if self.before.misses[slot] > 0 and self.before.misses[taker] == 0:
            return f'{went}, which was not lost and so came first'
        return f'{went}: so the sum of S is largest'

    def _rival(self, box: np.ndarray, label: int, least: float) -> tuple[int, float]:
        """Id and IoU of the track of the frame that lies on a box most.

        Args:
            least: of kept tracks, only those with a score above it came first.
        """
        scores = self.frame.tracklet_scores
        first = (self.tracks.object_index >= 0) | (scores >= least)
        slots = np.flatnonzero(self.tracks.present & first)
        slots = slots[(self.before.labels[slots] == label) | self.rules.class_agnostic]
        boxes, ids = self.frame.tracklet_boxes_xyxy[slots], self.ids[slots]
        ious = pair_iou(box[None], boxes)[0] if len(slots) else np.zeros(0)
        best = int(ious.argmax()) if len(ious) else -1
        return (int(ids[best]), float(ious[best])) if best >= 0 else (NO_TRACK, 0.0)

    # ------------------------------------------------------------------ births, objects

    def _newborn(self, slot: int) -> TrackReason:
        index = int(self.tracks.object_index[slot])
        why = (
            f'Started from o{index}, score {self.frame.object_scores[index]:.2f} (new_thr '
            f'{self.rules.new_thr:.2f}). Nobody took it: {self._nobody(index)}.'
        )
        return TrackReason(int(self.ids[slot]), slot, 'born', index, 0, why)

    def _nobody(self, index: int) -> str:
        """Why no tracklet took an object."""
        scores = self.scores[index, self.live]
        if len(scores) == 0 or scores.max() < 0:
            return 'there was no tracklet'
        best = int(self.live[scores.argmax()])
        why = f'its best S is {scores.max():.2f}, with id {self.before.ids[best]}'
        if scores.max() < self.rules.gate:
            return f'{why}, below the gate {self.rules.gate:.2f}'
        other = int(self.tracks.object_index[best])
        return f'{why}, which took o{other} (S {self.scores[other, best]:.2f})'

    def _object(self, index: int, track: TrackReason | None) -> ObjectReason:
        score, rules = self.frame.object_scores[index], self.rules
        if track is not None:
            fate = 'born' if track.state == 'born' else 'matched'
            return ObjectReason(index, fate, track.track_id, track.why)
        if score < rules.det_thr:
            why = f'Its score {score:.2f} is below det_thr {rules.det_thr:.2f}: it does not count.'
            return ObjectReason(index, 'weak', NO_TRACK, why)
        why = f'Nobody took it: {self._nobody(index)}. '
        if score < rules.new_thr:
            why += f'Its score {score:.2f} is below new_thr {rules.new_thr:.2f}: no track starts.'
        else:
            why += self._guarded(index)
        return ObjectReason(index, 'unused', NO_TRACK, why)

    def _guarded(self, index: int) -> str:
        """Whom an object that may start a track lies on."""
        box, label = self.frame.object_boxes_xyxy[index], self.frame.object_labels[index]
        rival, iou = self._rival(box, label, -np.inf)
        for slot in np.flatnonzero(self.tracks.born):
            other = int(self.tracks.object_index[slot])
            overlap = float(pair_iou(box[None], self.frame.object_boxes_xyxy[[other]])[0, 0])
            same = self.frame.object_labels[other] == label or self.rules.class_agnostic
            if same and overlap > iou:
                rival, iou = int(self.ids[slot]), overlap
        return (
            f'No track starts, since it lies on id {rival} (IoU {iou:.2f} > birth_iou '
            f'{self.rules.birth_iou:.2f}).'
        )


def _frames(count: int) -> str:
    return f'{count} frame' if count == 1 else f'{count} frames'
