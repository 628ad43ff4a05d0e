"""Track a whole video and write what is wanted of it: drawn video, MOTChallenge rows, a picture."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from mmengine.structures import InstanceData

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.frames import FrameSource
from lamotr_mm.io.mot_rows import format_row
from lamotr_mm.io.video_writer import VideoWriter
from lamotr_mm.models import LAMOTR
from lamotr_mm.visualization.contact_sheet import EvenSample, contact_sheet, write_png
from lamotr_mm.visualization.draw_tracks import TrackPainter

from .few_tracks import few_tracks_hint
from .inferencer import track_frames


class TrackSummary(NamedTuple):
    """What was tracked.

    Attributes:
        frames: number of frames.
        tracks: number of ids that were output.
        seconds: wall time, reading and writing included.
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


def track_video(
    model: LAMOTR,
    frames: FrameSource,
    out: str | Path | None = None,
    mot_out: str | Path | None = None,
    sheet: str | Path | None = None,
    progress: bool = True,
) -> TrackSummary:
    """Track a video in one pass with bounded memory. A file appears whole or not at all.

    Args:
        model: of :func:`lamotr_mm.apis.inferencer.init_model`.
        frames: of :func:`lamotr_mm.io.frames.open_frames`.
        out: mp4 with drawn tracks.
        mot_out: MOTChallenge rows ``frame,id,x,y,w,h,score,-1,-1,-1`` with the input's own frame
            numbers, box in px.
        sheet: PNG with a few frames of the drawn video.
        progress: show frames done and frames per second on stderr.

    Raises:
        ValueError: an output would replace the input or has the wrong suffix; see also
            :func:`~lamotr_mm.apis.inferencer.track_frames`.
        FrameReadError: a frame can't be read.
        OSError: a file can't be written.
    """
    files = [Path(file) for file in (out, mot_out, sheet) if file is not None]
    _check_outputs(files, frames.path)
    meter = Progress(frames.num_frames, sys.stderr if progress else None)
    painter, sample_of_run = TrackPainter(), EvenSample()
    ids, boxes = set(), 0
    with ExitStack() as on_exit:
        video = rows = None
        if out is not None:
            video = on_exit.enter_context(VideoWriter(out, frames.fps))
        if mot_out is not None:
            part = on_exit.enter_context(replace_on_success(mot_out))
            rows = on_exit.enter_context(part.open('w'))
        for number, image, sample in track_frames(model, frames):
            tracks = sample.pred_track_instances
            ids.update(tracks.instances_id.tolist())
            boxes += len(tracks)
            if rows is not None:
                rows.writelines(mot_lines(number, tracks))
            if video is not None or sheet is not None:
                # ids only: scores would hide what is behind the labels of a crowd
                drawn = painter(image, tracks.bboxes.numpy(), tracks.instances_id.numpy())
                if video is not None:
                    video.write(drawn)
                if sheet is not None:
                    sample_of_run.add(number, drawn)
            meter.update()
        if sheet is not None:
            write_png(sheet, contact_sheet(sample_of_run.frames()))
    meter.finish()
    hint = few_tracks_hint(model.cfg, meter.count, boxes)
    return TrackSummary(meter.count, len(ids), meter.seconds, files, hint)


def mot_lines(number: int, tracks: InstanceData) -> list[str]:
    """A frame's tracks as lines of a MOTChallenge result file, by id.

    Args:
        number: frame number, from 1.
        tracks: ``pred_track_instances``: ``bboxes`` ``(n, 4)`` xyxy px, ``scores``,
            ``instances_id``.
    """
    boxes = tracks.bboxes.numpy().astype(np.float64)
    ids, scores = tracks.instances_id.tolist(), tracks.scores.tolist()
    lines = []
    for index in np.argsort(ids, kind='stable'):
        x1, y1, x2, y2 = boxes[index]
        lines.append(format_row(number, ids[index], (x1, y1, x2 - x1, y2 - y1), scores[index]))
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


def _check_outputs(files: list[Path], source: Path) -> None:
    resolved = [file.resolve() for file in files]
    for file, where in zip(files, resolved):
        if where == source.resolve():
            raise ValueError(f'{file} is the input: name another file for the output')
        if resolved.count(where) > 1:
            raise ValueError(f'{file} is named for two outputs')
