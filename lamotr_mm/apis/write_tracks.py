"""Write the tracks of a video, whoever tracks it: drawn video, MOTChallenge rows, a picture."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.frames import FrameSource
from lamotr_mm.io.mot_rows import format_row
from lamotr_mm.io.overlap import WriteBehind
from lamotr_mm.io.video_writer import VideoWriter
from lamotr_mm.visualization.contact_sheet import EvenSample, contact_sheet, write_png
from lamotr_mm.visualization.draw_tracks import TrackPainter


class FrameBoxes(NamedTuple):
    """The tracks of a frame.

    Attributes:
        ids: ``(n,)`` int64, from 1.
        boxes_xyxy: ``(n, 4)`` float32, px of the image.
        scores: ``(n,)`` float32, probabilities.
    """

    ids: np.ndarray
    boxes_xyxy: np.ndarray
    scores: np.ndarray


class TrackedImage(NamedTuple):
    """A frame that is tracked.

    Attributes:
        number: of the frame, in the input's own numbers.
        image: ``(H, W, 3)`` uint8 BGR.
        boxes: what is drawn and written.
        details: what ``on_frame`` of :func:`write_tracks` gets.
    """

    number: int
    image: np.ndarray
    boxes: FrameBoxes
    details: Any


class TrackSummary(NamedTuple):
    """What was tracked.

    Attributes:
        frames: number of frames.
        tracks: number of ids that were output.
        seconds: wall time from before the first frame is read until the last file is written.
        files: files that were written.
        hint: what to look at where (almost) nothing was tracked.
    """

    frames: int
    tracks: int
    seconds: float
    files: list[Path]
    hint: str | None = None

    def __str__(self) -> str:
        rate = self.frames / max(self.seconds, 1e-9)
        files = ''.join(f'\n  {file}' for file in self.files)
        hint = f'\n{self.hint}' if self.hint else ''
        return f'{self.frames} frames, {self.tracks} tracks, {rate:.1f} frames/s{files}{hint}'


def write_tracks(
    tracked: Generator[TrackedImage, None, None],
    frames: FrameSource,
    out: str | Path | None = None,
    mot_out: str | Path | None = None,
    sheet: str | Path | None = None,
    progress: bool = True,
    on_frame: Callable[[int, np.ndarray, Any], bool | None] | None = None,
    hint: Callable[[int, int], str | None] = lambda frames, boxes: None,
) -> TrackSummary:
    """Take the frames from ``tracked`` and write them, while the next one is tracked, in a thread
    of its own. A file appears whole or not at all.

    Args:
        tracked: closed at the end.
        frames: whose frames these are.
        out, mot_out, sheet, progress: see :func:`~lamotr_mm.apis.track_video.track_video`.
        on_frame: is called with (number, image, details) of each frame; returns True to stop.
        hint: (frames, boxes) -> what to look at, see :class:`TrackSummary`.

    Raises:
        ValueError: an output would replace the input or has the wrong suffix.
        OSError: a file can't be written.
        Exception: what ``tracked`` raises.
    """
    files = [Path(file) for file in (out, mot_out, sheet) if file is not None]
    _check_outputs(files, frames.path)
    meter = Progress(frames.num_frames, sys.stderr if progress else None)
    ids, boxes = set(), 0
    with closing(tracked), _Outputs(frames.fps, out, mot_out, sheet) as outputs:
        with WriteBehind(outputs.write) as behind:
            for number, image, found, details in tracked:
                ids.update(found.ids.tolist())
                boxes += len(found.ids)
                behind.put(number, image, found)
                meter.update()
                if on_frame is not None and on_frame(number, image, details):
                    break
        outputs.write_sheet()
    meter.finish()
    summary = hint(meter.count, boxes)
    return TrackSummary(meter.count, len(ids), meter.seconds, files, summary)


class _Outputs:
    """The files of :func:`track_video`. A context manager: they appear when it succeeds."""

    def __init__(
        self,
        fps: float,
        out: str | Path | None,
        mot_out: str | Path | None,
        sheet: str | Path | None,
    ) -> None:
        self._video = None if out is None else VideoWriter(out, fps)
        self._mot_out = mot_out
        self._rows: TextIO | None = None
        self._sheet, self._sample_of_run = sheet, EvenSample()
        self._painter = TrackPainter()

    def __enter__(self) -> '_Outputs':
        with ExitStack() as on_exit:
            if self._video is not None:
                on_exit.enter_context(self._video)
            if self._mot_out is not None:
                part = on_exit.enter_context(replace_on_success(self._mot_out))
                self._rows = on_exit.enter_context(part.open('w'))
            self._on_exit = on_exit.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._on_exit.__exit__(*error)

    def write(self, number: int, image: np.ndarray, tracks: FrameBoxes) -> None:
        """The next frame and its tracks."""
        if self._rows is not None:
            self._rows.writelines(mot_lines(number, tracks))
        if self._video is None and self._sheet is None:
            return
        # ids only: scores would hide what is behind the labels of a crowd
        drawn = self._painter(image, tracks.boxes_xyxy, tracks.ids)
        if self._video is not None:
            self._video.write(drawn)
        if self._sheet is not None:
            self._sample_of_run.add(number, drawn)

    def write_sheet(self) -> None:
        """After the last frame."""
        if self._sheet is not None:
            write_png(self._sheet, contact_sheet(self._sample_of_run.frames()))


def mot_lines(number: int, tracks: FrameBoxes) -> list[str]:
    """A frame's tracks as lines of a MOTChallenge result file, by id.

    Args:
        number: frame number, from 1.
        tracks: of the frame.
    """
    boxes, ids = tracks.boxes_xyxy.astype(np.float64), tracks.ids.tolist()
    lines = []
    for index in np.argsort(ids, kind='stable'):
        x1, y1, x2, y2 = boxes[index]
        score = float(tracks.scores[index])
        lines.append(format_row(number, ids[index], (x1, y1, x2 - x1, y2 - y1), score))
    return lines


class Progress:
    """Frames done and frames per second: one line that is rewritten in a terminal, a line every ten
    seconds elsewhere.

    Args:
        total: number of frames, None where it isn't known.
        stream: where to write; None writes nothing.
    """

    def __init__(self, total: int | None, stream: TextIO | None) -> None:
        self.total = total
        self.stream = stream
        self.count = 0
        self._terminal = stream is not None and stream.isatty()
        self._start = time.perf_counter()
        self._shown = self._start

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._start

    def update(self) -> None:
        """One frame more."""
        self.count += 1
        now = time.perf_counter()
        if now - self._shown >= (0.2 if self._terminal else 10):
            self._shown = now
            self._show()

    def finish(self) -> None:
        """Show the last state."""
        self._show()
        if self._terminal:
            print(file=self.stream)

    def _show(self) -> None:
        if self.stream is None:
            return
        of = f'/{self.total}' if self.total is not None else ''
        text = f'{self.count}{of} frames, {self.count / max(self.seconds, 1e-9):.1f} frames/s'
        if self._terminal:
            print(f'\r{text}\x1b[K', end='', file=self.stream, flush=True)
        else:
            print(text, file=self.stream, flush=True)


def _check_outputs(files: list[Path], source: Path | str) -> None:
    resolved = [file.resolve() for file in files]
    for file, where in zip(files, resolved):
        if where == Path(source).resolve():
            raise ValueError(f'{file} is the input: name another file for the output')
        if resolved.count(where) > 1:
            raise ValueError(f'{file} is named for two outputs')
