"""Frames of a camera or of a stream on the network: the newest one, whenever it is asked for."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from .frame_source import DEFAULT_FPS, FrameReadError, FrameSource

_logger = logging.getLogger(__name__)

# show each frame at once: no read-ahead, no frames to learn the rate from
_LOW_LATENCY = {'fflags': 'nobuffer', 'fpsprobesize': '0', 'rtsp_transport': 'tcp'}
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0  # s between attempts to connect


class LiveSource(FrameSource):
    """A camera or stream, of which a thread keeps the newest frame alone.

    Whoever is slower than the source gets fewer frames, not older ones: memory and delay stay
    bounded. Numbers count all frames that arrived, so those that were dropped are gaps. Where the
    source stalls or breaks off, the thread connects again, and the time without frames counts as
    frames at the source's rate.

    The first connection is made here and must succeed. Iterating again goes on with what is new.

    Args:
        source: number of a camera, or an address that FFmpeg opens (rtsp, http, https, udp, ...).
        start: None; what is past can't be seen.
        end: number of the last frame. Default: none.
        timeout: seconds without a frame after which a connection counts as broken.
        patience: seconds without a frame after which iterating raises.

    Raises:
        FrameReadError: the source can't be opened, or shows nothing; while iterating: nothing came
            for ``patience`` seconds, or frames change their size.
        ValueError: ``start`` is set.
    """

    live = True

    def __init__(
        self,
        source: int | str,
        start: int | None = None,
        end: int | None = None,
        timeout: float = 10.0,
        patience: float = 60.0,
    ) -> None:
        name = f'camera {source}' if isinstance(source, int) else source
        super().__init__(name, None, end)
        if start is not None:
            raise ValueError(f'start={start}: {name} is live, its first frame is the next one')
        self.source = source
        self.timeout, self.patience = timeout, patience
        host = None if isinstance(source, int) else urlsplit(source).hostname
        self.name = host or f'camera{source}'
        self.fps = DEFAULT_FPS
        self.num_frames = None
        self._newest: tuple[int, np.ndarray] | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._failure: str | None = None
        self._number = 0
        self._thread: threading.Thread | None = None
        self._start_reading()
        image = self._wait(take=False)[1]
        self.size = (image.shape[1], image.shape[0])

    def close(self) -> None:
        """Let go of the source; the thread ends with the next frame or at ``timeout``."""
        self._stop.set()
        self._thread = None

    def _read(self) -> Iterator[tuple[int, np.ndarray]]:
        if self._thread is None:
            self._start_reading()
        with closing(self):
            while True:
                number, image = self._wait(take=True)
                if self.end is not None and number > self.end:
                    return
                yield number, image
                if number == self.end:
                    return

    def _wait(self, take: bool) -> tuple[int, np.ndarray]:
        """The newest frame, as soon as there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._failure is not None)
            if self._newest is None:
                raise FrameReadError(f'{self.path}: {self._failure}')
            newest = self._newest
            if take:
                self._newest = None
            return newest

    # ------------------------------------------------------------------ the thread

    def _start_reading(self) -> None:
        self._stop, self._failure = threading.Event(), None
        self._thread = threading.Thread(
            target=self._keep_reading, args=(self._stop,), name='live-source', daemon=True
        )
        self._thread.start()

    def _keep_reading(self, stop: threading.Event) -> None:
        seen, wait = time.monotonic(), _FIRST_WAIT
        while not stop.is_set():
            reason, again = 'it ended', self._number > 0
            try:
                for image in self._frames():
                    if stop.is_set():
                        return
                    now = time.monotonic()
                    missed = round((now - seen) * self.fps) if again else 1
                    again, seen, wait = False, now, _FIRST_WAIT
                    self._put(max(missed, 1), image)
            except (av.FFmpegError, cv2.error, OSError) as error:
                reason = getattr(error, 'strerror', None) or str(error)
            silent = time.monotonic() - seen
            if not self._number or silent > self.patience:
                # a wrong address is no broken connection: the first time there is no second try
                what = f'no frame for {silent:.0f} s' if self._number else 'cannot be opened'
                self._fail(f'{what} ({reason})')
                return
            _logger.warning(f'{self.path}: connecting again, {reason}')
            stop.wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _put(self, step: int, image: np.ndarray) -> None:
        with self._changed:
            self._number += step
            self._newest = self._number, image
            self._changed.notify()

    def _fail(self, why: str) -> None:
        with self._changed:
            self._failure = why
            self._changed.notify()

    def _frames(self) -> Iterator[np.ndarray]:
        """Images of one connection until it ends; raises where it breaks."""
        if isinstance(self.source, int):
            yield from self._camera_frames(self.source)
            return
        with av.open(
            self.source, timeout=(self.timeout, self.timeout), options=_LOW_LATENCY
        ) as container:
            if not container.streams.video:
                raise OSError('it has no picture')
            stream = container.streams.video[0]
            stream.thread_type = 'SLICE'  # threads for whole frames would delay them
            self.fps = float(stream.average_rate or DEFAULT_FPS)
            for frame in container.decode(stream):
                if not frame.is_corrupt:
                    yield frame.to_ndarray(format='bgr24')

    def _camera_frames(self, number: int) -> Iterator[np.ndarray]:
        capture = cv2.VideoCapture(number)
        try:
            if not capture.isOpened():
                raise OSError('there is no such camera, or another program has it')
            self.fps = capture.get(cv2.CAP_PROP_FPS) or DEFAULT_FPS
            while (grabbed := capture.read())[0]:
                yield np.ascontiguousarray(grabbed[1])
        finally:
            capture.release()
