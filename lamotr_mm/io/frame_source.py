"""What every source of frames is: images of one size, with numbers, one at a time."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_logger = logging.getLogger(__name__)

DEFAULT_FPS = 25.0  # of a source that doesn't say


class FrameReadError(ValueError):
    """An input that can't be read; the message names the file, the frame and the remedy, if any."""


class FrameSource:
    """Frames of one video, in order. Iterating again starts again; one frame is held at a time.

    Iterating yields ``(frame_number, image)``: the number is the input's own, from 1; the image is
    ``(H, W, 3)`` uint8 BGR, the same size for all frames.

    Attributes:
        path: the input; a text where it is an address or a camera.
        name: short name of the video, for output files.
        fps: frames per second.
        size: ``(width, height)`` in px.
        num_frames: number of frames from ``start`` to ``end``, None where the input doesn't say.
        live: frames come when they come, and numbers jump where some were dropped.
    """

    path: Path | str
    name: str
    fps: float
    size: tuple[int, int]
    num_frames: int | None
    live = False

    def __init__(self, path: Path | str, start: int | None, end: int | None) -> None:
        self.path = path
        self.start = 1 if start is None else start
        self.end = end
        if self.start < 1:
            raise ValueError(f'start={start}: frames are numbered from 1')
        if end is not None and end < self.start:
            raise ValueError(f'end={end} lies before start={self.start}')

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        number = None
        for number, image in self._read():
            if (image.shape[1], image.shape[0]) != self.size:
                raise FrameReadError(
                    f'{self._describe(number)} is {image.shape[1]}x{image.shape[0]} px, the frames '
                    f'before it are {self.size[0]}x{self.size[1]}: all must have one size'
                )
            yield number, image
        if number is None:
            raise FrameReadError(f'{self.path} has no frame at or after {self.start}')
        if self.end is not None and number < self.end:
            _logger.warning(f'{self.path} ends with frame {number}, before end={self.end}')

    def _read(self) -> Iterator[tuple[int, np.ndarray]]:
        raise NotImplementedError

    def _describe(self, number: int) -> str:
        return f'{self.path}: frame {number}'
