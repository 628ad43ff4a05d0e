"""What happened to the tracks of a video, and what an identity switch comes from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .records import FrameRecord


class Event(NamedTuple):
    """Something that happened to a track.

    Attributes:
        frame: number of the frame.
        kind: 'born', 'lost', 'found', 'ended' or 'switch'.
        id: the track; of a switch, the one that takes over.
        text: what a person reads.
        cause_frame: where to look for the reason: the frame itself, but for a switch.
        cause_id: whom to look at there.
    """

    frame: int
    kind: str
    id: int
    text: str
    cause_frame: int
    cause_id: int


def life_events(frames: Iterable[FrameRecord]) -> list[Event]:
    """Births, losses, recoveries and ends, in order."""
    events = []
    for frame in frames:
        for track in frame.tracks:
            found = track.missed > 0 and track.state in ('matched', 'kept')
            if track.state == 'born':
                kinds = {'born': 'starts'}
            elif found:
                kinds = {'found': f'is found again ({track.missed} missed)'}
            elif track.state == 'lost' and track.missed == 0:
                kinds = {'lost': 'is lost'}
            elif track.state == 'ended':
                kinds = {'ended': 'ends'}
            else:
                continue
            for kind, text in kinds.items():
                text = f'id {track.id} {text}'
                events.append(Event(frame.number, kind, track.id, text, frame.number, track.id))
    return events


def switch_events(
    switches: Iterable[tuple[int, int, int, int, int]], frames: Sequence[FrameRecord]
) -> list[Event]:
    """Identity switches with their causes.

    The cause of a switch is in the first frame after the target's last match in which the target is
    there and the old id does not have it: it is lost, or has gone to another target. What
    the new id did until the switch follows: where it started, was found again, or which target it
    had before.

    Args:
        switches: (frame, target, last frame of the old id, old id, new id), as
            ``lamotr_mm.evaluation.switches.Switch``.
        frames: records of the frames, in order, with `truth`.
    """
    by_number = {frame.number: frame for frame in frames}
    return [_switch_event(*switch, by_number) for switch in switches]


def _switch_event(
    number: int,
    target: int,
    last: int,
    old: int,
    new: int,
    frames: Mapping[int, FrameRecord],
) -> Event:
    between = [frame for n, frame in frames.items() if last < n <= number]
    cause = next(
        frame for frame in between if target in frame.matches() and frame.matches()[target] != old
    )
    # it may be lost while the target is out of sight
    lost = [frame for frame in between if frame.number < cause.number and _is_lost(frame, old)]
    cause = lost[0] if lost else cause
    text = (
        f'target {target}: id {old} → id {new}. {_what_old_did(cause, target, old)} '
        f'{_what_new_did(between, frames[last], new)}'
    )
    return Event(number, 'switch', new, text, cause.number, old)


def _is_lost(frame: FrameRecord, track_id: int) -> bool:
    track = frame.track(track_id)
    return track is None or track.state in ('lost', 'ended')


def _what_old_did(frame: FrameRecord, target: int, old: int) -> str:
    track = frame.track(old)
    where = f'in frame {frame.number}'
    if track is None:
        return f'Id {old} is not there {where}.'
    if _is_lost(frame, old):
        return f'Id {old} is lost {where}: {track.why}'
    others = [t for t, track_id in frame.matches().items() if track_id == old]
    if others:
        return f'Id {old} goes to target {others[0]} {where}: {track.why}'
    if not track.out:
        return f'Id {old} is not given out {where}, its score or area is too small: {track.why}'
    return f'The box of id {old} is off the target {where} (IoU below 0.5): {track.why}'


def _what_new_did(between: Sequence[FrameRecord], last: FrameRecord, new: int) -> str:
    for frame in between:
        track = frame.track(new)
        if track is None:
            continue
        if track.state == 'born':
            return f'Id {new} starts in frame {frame.number}: {track.why}'
        if track.missed and track.state in ('matched', 'kept'):
            return f'In frame {frame.number}, id {new} is there again: {track.why}'
    others = [t for t, track_id in last.matches().items() if track_id == new]
    if others:
        return f'Id {new} had target {others[0]} before.'
    return f'Id {new} was there before, without a target.'
