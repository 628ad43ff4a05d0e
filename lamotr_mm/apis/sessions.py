"""Track frames as they come: a session for each video or camera, on one model."""

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import Compose

from lamotr_mm.models import LAMOTR

from .inferencer import PreparedFrame, prepare_frames
from .results import Tracks


class TrackerSession:
    """One video that is tracked frame by frame. The model is shared, the tracks are its own.

    Make it by :meth:`LAMOTRInferencer.session`. What it remembers is bounded by the number of
    tracks, however long the video.

    Args:
        model: in eval mode.
        pipeline: of :func:`~lamotr_mm.apis.inferencer.build_pipeline`.
        classes: names of the labels.
    """

    def __init__(self, model: LAMOTR, pipeline: Compose, classes: tuple[str, ...] = ()) -> None:
        self.model = model
        self.pipeline = pipeline
        self.classes = classes
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame starts a video, with frame and id 1."""
        self._state = self.model.new_session()
        self._last: int | None = None

    def push(self, frame: np.ndarray, number: int | None = None) -> Tracks:
        """Track the next frame.

        Args:
            frame: ``(H, W, 3)`` uint8 BGR. Frames of one video may differ in size.
            number: of the frame in its source. Where it jumps, frames were dropped: lost tracks
                are lost for so many frames more, and where the jump is longer than a track is
                remembered (``lifecycle.miss_tolerance``) all tracks end. Default: no jump.

        Raises:
            ValueError: the frame is no such array, or its number is not behind the last one.
            FloatingPointError: the network's scores are not finite.
        """
        return push_all([self], [frame], [number])[0]

    def _number(self, number: int | None) -> int:
        """The number that a frame gets."""
        if number is None:
            return 1 if self._last is None else self._last + 1
        if self._last is not None and number <= self._last:
            raise ValueError(f'frame {number} comes after frame {self._last}: reset() starts anew')
        return number

    def _skip_to(self, number: int) -> None:
        if self._last is not None:
            self._state.skip(number - self._last - 1, self.model.lifecycle.miss_tolerance)
        self._last = number


@torch.no_grad()
def push_all(
    sessions: Sequence[TrackerSession],
    frames: Sequence[np.ndarray],
    numbers: Sequence[int | None] | None = None,
) -> list[Tracks]:
    """Track the next frame of several sessions of one model, their images encoded together.

    Frames of one size after resizing are a batch, of at most ``model.encode_ahead``. Each session
    gets what it would get alone, up to the rounding of batched products. A session without a new
    frame is left out of the call.

    Args:
        sessions: each once, all of one model.
        frames: one of each session, see :meth:`TrackerSession.push`.
        numbers: of the frames. Default: no jumps.

    Returns:
        Tracks of each session.

    Raises:
        ValueError: lengths differ, a session is there twice or has another model, or a frame is
            refused, in which case no session has changed.
        FloatingPointError: the network's scores are not finite.
    """
    numbers = [None] * len(frames) if numbers is None else numbers
    _check(sessions, frames, numbers)
    prepared = [
        next(prepare_frames(session.model, [(session._number(number), frame)], session.pipeline))
        for session, frame, number in zip(sessions, frames, numbers)
    ]
    batches: dict[tuple[int, ...], list[int]] = {}
    for place, frame in enumerate(prepared):
        batches.setdefault(tuple(frame.data['inputs'].shape), []).append(place)
    found: dict[int, Tracks] = {}
    for places in batches.values():
        most = sessions[0].model.encode_ahead
        for batch in (places[k : k + most] for k in range(0, len(places), most)):
            tracks = _push_batch([sessions[k] for k in batch], [prepared[k] for k in batch])
            found |= zip(batch, tracks)
    return [found[place] for place in range(len(prepared))]


def _check(sessions: Sequence, frames: Sequence, numbers: Sequence) -> None:
    if not len(sessions) == len(frames) == len(numbers):
        raise ValueError(
            f'{len(sessions)} sessions, {len(frames)} frames, {len(numbers)} numbers: give one '
            'frame of each session'
        )
    if len({id(session) for session in sessions}) < len(sessions):
        raise ValueError('a session is there twice: push its frames one after the other')
    if len({id(session.model) for session in sessions}) > 1:
        raise ValueError('the sessions are of several models: push those of one model together')


def _push_batch(sessions: list[TrackerSession], prepared: list[PreparedFrame]) -> list[Tracks]:
    """Frames of one input size."""
    model = sessions[0].model
    samples = [frame.data['data_samples'][0][0] for frame in prepared]
    for frame in prepared:
        frame.wait()
    images = torch.cat([frame.data['inputs'][:, 0] for frame in prepared])
    features = model.encode_frames(images, [sample.img_shape[:2] for sample in samples])
    tracks = []
    for session, frame, sample, seen in zip(
        sessions, prepared, samples, features.by_frame(len(samples))
    ):
        session._skip_to(frame.number)
        tracked = model.track_frame(session._state, seen, sample.ori_shape)
        model.report(sample, tracked)
        tracks.append(Tracks.from_sample(frame.number, sample, session.classes))
    return tracks
