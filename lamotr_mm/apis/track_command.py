"""`lamotr track`: a source in, files and counts out."""

from pathlib import Path

import numpy as np
from mmdet.structures import DetDataSample

from lamotr_mm.io.frames import open_frames

from .lamotr_inferencer import LAMOTRInferencer, Viewer
from .postprocess import RegionCounter, fill_gaps_of_file
from .results import Tracks
from .track_video import track_video


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
    tracker = LAMOTRInferencer(model, weights, device, precision=precision, cuda_graphs=cuda_graphs)
    viewer = Viewer(frames.name) if show else None

    def on_frame(number: int, image: np.ndarray, sample: DetDataSample) -> bool:
        tracks = Tracks.from_sample(number, sample, tracker.classes)
        if counter is not None:
            counter.update(tracks)
        return viewer is not None and viewer.show(image, tracks)

    summary = track_video(tracker.model, frames, out, mot_out, on_frame=on_frame)
    print(summary)
    if fill_gaps and mot_out is not None:
        print(f'{fill_gaps_of_file(Path(mot_out), fill_gaps)} boxes filled in')
    for counts in counter.counts() if counter else ():
        region = counts.pop('region')
        print(f'{region}: ' + ', '.join(f'{name} {count}' for name, count in counts.items()))


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(',')]
    except ValueError:
        raise ValueError(f'{text!r}: give numbers with commas between them, px') from None
