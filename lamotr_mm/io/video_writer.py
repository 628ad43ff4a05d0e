"""H.264 video out, one frame at a time."""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from .files import replace_on_success


class VideoWriter:
    """Writes an H.264 mp4 (yuv420p, index in front) that browsers play. A context manager.

    The file appears under its name when the block succeeds; where it raises, nothing is left.
    Frames of odd width or height are padded by repeating the last column or row, because yuv420p
    needs even sizes.

    Args:
        path: file to write, ``.mp4``.
        fps: frames per second, positive.

    Raises:
        ValueError: wrong suffix or ``fps``; on leaving the block without a frame written.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != '.mp4':
            raise ValueError(f'{path}: videos are written as H.264 .mp4, name the file so')
        if not 0 < fps < float('inf'):
            raise ValueError(f'fps={fps} is not a positive number')
        self.rate = Fraction(fps).limit_denominator(1001)
        self._stream: av.VideoStream | None = None

    def __enter__(self) -> 'VideoWriter':
        self._on_exit = ExitStack()
        temporary = self._on_exit.enter_context(replace_on_success(self.path))
        self._container = av.open(str(temporary), mode='w', options={'movflags': 'faststart'})
        self._on_exit.push(
            self._finish
        )  # runs first, so that the file is closed when it is renamed
        return self

    def __exit__(self, *error: Any) -> None:
        self._on_exit.__exit__(*error)

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                if self._stream is None:
                    raise ValueError(f'{self.path}: no frame was written')
                self._container.mux(self._stream.encode())
        finally:
            self._container.close()

    def write(self, image: np.ndarray) -> None:
        """Appends ``image``: ``(H, W, 3)`` uint8 BGR, all of one size (ValueError otherwise)."""
        if self._stream is None:
            self._shape = image.shape
            self._stream = self._container.add_stream('libx264', rate=self.rate)
            self._stream.height, self._stream.width = (side + side % 2 for side in image.shape[:2])
            self._stream.pix_fmt = 'yuv420p'
            self._stream.options = {'crf': '20', 'preset': 'veryfast'}
        if image.shape != self._shape:
            raise ValueError(f'{self.path}: frame of {image.shape} after frames of {self._shape}')
        height, width = image.shape[:2]
        padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge')
        frame = av.VideoFrame.from_ndarray(padded, format='bgr24')
        self._container.mux(self._stream.encode(frame))
