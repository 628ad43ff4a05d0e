"""`lamotr track`: a source in, files and counts out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lamotr_mm.io.frames import FrameSource, open_frames

from .postprocess import RegionCounter, fill_gaps_of_file
from .results import Tracks
from .write_tracks import TrackSummary, write_tracks

# (number, image, tracks) -> True to stop
OnTracks = Callable[[int, np.ndarray, Tracks], bool]


def track_source(
    source: str,
    model: str,
    weights: str | None,
    out: str | None,
    mot_out: str | None,
    start: int | None,
    end: int | None,
    show: bool,
    fill_gaps: int,
    lines: list[str],
    polygons: list[str],
    device: str | None,
    precision: str | None,
    cuda_graphs: bool | None,
    backend: str,
) -> None:
    """Track, write, count and print a summary; the arguments are those of the command.

    Raises:
        ValueError, OSError: an argument is wrong, the source can't be read, a file not written.
        FloatingPointError: the network's scores are not finite.
    """
    if fill_gaps < 0 or (fill_gaps and mot_out is None):
        raise ValueError('--fill-gaps takes 1 or more frames, and needs --mot-out')
    regions = [[_numbers(text) for text in texts] for texts in (lines, polygons)]
    counter = RegionCounter(*regions) if lines or polygons else None
    frames = open_frames(source, start, end)
    if out is None and mot_out is None and not show:
        out = f'{frames.name}_tracked.mp4'
    viewer = _viewer(frames.name) if show else None

    def on_tracks(number: int, image: np.ndarray, tracks: Tracks) -> bool:
        if counter is not None:
            counter.update(tracks)
        return viewer is not None and viewer.show(image, tracks)

    options = dict(weights=weights, device=device, precision=precision, cuda_graphs=cuda_graphs)
    run = _track_exported if backend == 'onnxruntime' else _track
    print(run(model, options, frames, out, mot_out, on_tracks))
    if fill_gaps and mot_out is not None:
        print(f'{fill_gaps_of_file(Path(mot_out), fill_gaps)} boxes filled in')
    for counts in counter.counts() if counter else ():
        region = counts.pop('region')
        print(f'{region}: ' + ', '.join(f'{name} {count}' for name, count in counts.items()))


def _track(
    model: str,
    options: dict[str, Any],
    frames: FrameSource,
    out: str | None,
    mot_out: str | None,
    on_tracks: OnTracks,
) -> TrackSummary:
    from .lamotr_inferencer import LAMOTRInferencer
    from .track_video import track_video

    tracker = LAMOTRInferencer(model, **options)

    def on_frame(number: int, image: np.ndarray, sample: Any) -> bool:
        return on_tracks(number, image, Tracks.from_sample(number, sample, tracker.classes))

    return track_video(tracker.model, frames, out, mot_out, on_frame=on_frame)


def _track_exported(
    model: str,
    options: dict[str, Any],
    frames: FrameSource,
    out: str | None,
    mot_out: str | None,
    on_tracks: OnTracks,
) -> TrackSummary:
    from lamotr_mm.deploy.runtime import ExportedModel

    from .exported import track_exported

    given = [f'--{key.replace("_", "-")}' for key, value in options.items() if value is not None]
    if given:
        raise ValueError(f'{", ".join(given)}: not with --backend onnxruntime, see the export')
    tracked = track_exported(ExportedModel(model), frames)
    return write_tracks(tracked, frames, out, mot_out, on_frame=on_tracks)


def _viewer(name: str) -> Any:
    from .viewer import Viewer

    return Viewer(name)


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(',')]
    except ValueError:
        raise ValueError(f'{text!r}: give numbers with commas between them, px') from None
