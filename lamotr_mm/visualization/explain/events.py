"""What happened to the tracks of a video, and what an identity switch comes from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .records import FrameRecord, TrackRecord


class Step(NamedTuple):
    """A track in a frame, and what it does there; why is in the frame's record."""

    frame: int
    id: int
    text: str


class Event(NamedTuple):
    """Something that happened to a track.

    Attributes:
        frame: number of the frame.
        kind: 'born', 'lost', 'found', 'ended' or 'switch'.
        id: the track; of a switch, the one that takes over.
        text: what a person reads.
        steps: how it came to it, the cause first.
    """

    frame: int
    kind: str
    id: int
    text: str
    steps: list[Step]

    def as_json(self) -> dict[str, Any]:
        """Of lists, dicts, numbers and text."""
        return self._asdict() | {'steps': [step._asdict() for step in self.steps]}


def life_events(frames: Iterable[FrameRecord]) -> list[Event]:
    """Births, losses, recoveries and ends, in order."""
    events = []
    for frame in frames:
        for track in frame.tracks:
            kind = _kind(track)
            if kind is None:
                continue
            text = f'id {track.id} {_WORDS[kind].format(missed=track.missed)}'
            step = Step(frame.number, track.id, text)
            events.append(Event(frame.number, kind, track.id, text, [step]))
    return events


_WORDS = {
    'born': 'starts',
    'lost': 'is lost',
    'found': 'is found again ({missed} missed)',
    'ended': 'ends',
}


def _kind(track: TrackRecord) -> str | None:
    """What happens to a track in a frame; None: it goes on as before."""
    if track.state in ('born', 'ended'):
        return track.state
    if track.state == 'lost':
        return None if track.missed else 'lost'
    return 'found' if track.missed else None


def switch_events(
    switches: Iterable[tuple[int, int, int, int, int]], frames: Sequence[FrameRecord]
) -> list[Event]:
    """Identity switches with their causes.

    The cause of a switch is in the first frame after the target's last match in which the old id is
    lost, or the target is there and it does not have it: it has gone to another target, or off
    all of them. The second step is what the new id did until it had the target: where it started,
    was found again, or which target it had before. The last one is the switch itself.

    Args:
        switches: (frame, target, last frame of the old id, old id, new id), as
            ``lamotr_mm.evaluation.switches.Switch``.
        frames: records of the frames, in order, with `truth`.
    """
    by_number = {frame.number: frame for frame in frames}
    return [_switch_event(*switch, by_number) for switch in switches]


def _switch_event(
    number: int, target: int, last: int, old: int, new: int, frames: Mapping[int, FrameRecord]
) -> Event:
    between = [frame for n, frame in frames.items() if last < n <= number]
    cause = next(
        frame
        for frame in between
        if _is_lost(frame, old) or frame.matches().get(target, old) != old
    )
    steps = [
        Step(cause.number, old, _what_old_did(cause, old)),
        _what_new_did(between, frames[last], new),
    ]
    if steps[1].frame != number:
        steps.append(Step(number, new, f'id {new} has target {target}'))
    return Event(number, 'switch', new, f'target {target}: id {old} → id {new}', steps)


def _is_lost(frame: FrameRecord, track_id: int) -> bool:
    track = frame.track(track_id)
    return track is None or track.state in ('lost', 'ended')


def _what_old_did(frame: FrameRecord, old: int) -> str:
    track = frame.track(old)
    if track is None:
        return f'id {old} is not there'
    if track.state in ('lost', 'ended'):
        return f'id {old} is lost'
    others = _targets_of(frame, old)
    if others:
        return f'id {old} goes to target {others[0]}'
    if not track.out:
        return f'id {old} is not given out, its score or area is too small'
    return f'the box of id {old} is off the target (IoU below 0.5)'


def _what_new_did(between: Sequence[FrameRecord], last: FrameRecord, new: int) -> Step:
    """Args: between: the frames after ``last``, that of the target's last match."""
    for frame in between:
        track = frame.track(new)
        kind = None if track is None else _kind(track)
        if track is not None and kind in ('born', 'found'):
            text = f'id {new} {_WORDS[kind].format(missed=track.missed)}'
            return Step(frame.number, new, text)
    others = _targets_of(last, new)
    had = f'had target {others[0]} before' if others else 'was there before, without a target'
    return Step(between[-1].number, new, f'id {new} takes it; it {had}')


def _targets_of(frame: FrameRecord, track_id: int) -> list[int]:
    return [target for target, owner in frame.matches().items() if owner == track_id]
