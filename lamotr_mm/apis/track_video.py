"""Track a whole video and write what is wanted of it: drawn video, MOTChallenge rows, a picture."""

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from mmdet.structures import DetDataSample

from lamotr_mm.io.frames import FrameSource
from lamotr_mm.io.overlap import read_ahead
from lamotr_mm.models import LAMOTR

from .few_tracks import few_tracks_hint
from .inferencer import build_pipeline, prepare_frames, track_prepared
from .write_tracks import FrameBoxes, TrackedImage, TrackSummary, write_tracks

OnFrame = Callable[[int, np.ndarray, DetDataSample], bool | None]


def track_video(
    model: LAMOTR,
    frames: FrameSource,
    out: str | Path | None = None,
    mot_out: str | Path | None = None,
    sheet: str | Path | None = None,
    progress: bool = True,
    on_frame: OnFrame | None = None,
) -> TrackSummary:
    """Track a video in one pass with bounded memory. A file appears whole or not at all.

    Frames are read and prepared in one thread, drawn and written in another, a few at most in each,
    while the network works on the one between them. Of a live source no frame is prepared ahead: it
    would be older than the newest.

    Args:
        model: of :func:`lamotr_mm.apis.inferencer.init_model`.
        frames: of :func:`lamotr_mm.io.frames.open_frames`.
        out: mp4 with drawn tracks.
        mot_out: MOTChallenge rows ``frame,id,x,y,w,h,score,-1,-1,-1`` with the input's own frame
            numbers, box in px.
        sheet: PNG with a few frames of the drawn video.
        progress: show frames done and frames per second on stderr.
        on_frame: is called with (number, image, sample) of each frame; returns True to stop.

    Raises:
        ValueError: an output would replace the input or has the wrong suffix; see also
            :func:`~lamotr_mm.apis.inferencer.track_frames`.
        FrameReadError: a frame can't be read.
        OSError: a file can't be written.
    """
    tracked = _track(model, frames)
    hint = partial(few_tracks_hint, model.cfg)
    return write_tracks(tracked, frames, out, mot_out, sheet, progress, on_frame, hint)


def _track(model: LAMOTR, frames: FrameSource) -> Generator[TrackedImage, None, None]:
    prepared = prepare_frames(model, frames, build_pipeline(model.cfg))
    with closing(prepared if frames.live else read_ahead(prepared)) as ahead:
        for number, image, sample in track_prepared(model, ahead, frames.live):
            yield TrackedImage(number, image, boxes_of(sample), sample)


def boxes_of(sample: DetDataSample) -> FrameBoxes:
    """What is drawn and written of a frame's sample."""
    found = sample.pred_track_instances
    parts = found.instances_id, found.bboxes, found.scores
    return FrameBoxes(*(part.numpy() for part in parts))
