"""An exported model beside PyTorch: CPU time of a frame and scores on a sequence.

    python tools/deploy/measure.py CONFIG CHECKPOINT SEQUENCE --start 451 --end 600 \
        --exported FOLDER [FOLDER ...]

A frame's time is that of all that tracks it, from the image to the tracks, without reading it: CPU
time of this process, which other work on the machine changes little; median over the frames. One
thread each: set OMP_NUM_THREADS=1.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from lamotr_mm.apis import LAMOTRInferencer
from lamotr_mm.apis.results import Tracks
from lamotr_mm.deploy.runtime import ExportedModel
from lamotr_mm.evaluation import evaluate_sequences
from lamotr_mm.io.frames import FrameSource, open_frames
from lamotr_mm.io.mot_rows import read_rows

METRICS = ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1', 'IDSW')
# (number, image) of the next frame -> its tracks
Push = Callable[[int, np.ndarray], Tracks]


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Exported models beside PyTorch')
    parser.add_argument('config', help='config file, for example configs/lamotr_people.py')
    parser.add_argument('checkpoint', help='weights')
    parser.add_argument('sequence', type=Path, help='folder of a MOTChallenge sequence, with gt/')
    parser.add_argument('--start', type=int, default=1, help='first frame')
    parser.add_argument('--end', type=int, help='last frame')
    parser.add_argument('--exported', type=Path, nargs='+', default=(), help='folders of export.py')
    parser.add_argument(
        '--precision', nargs='+', default=('fp32', 'bf16'), help='of PyTorch (default fp32 bf16)'
    )
    return parser


def in_torch(args: argparse.Namespace, precision: str) -> Push:
    """A session of the model itself."""
    tracker = LAMOTRInferencer(args.config, args.checkpoint, 'cpu', precision=precision)
    session = tracker.session()
    return lambda number, image: session.push(image, number)


def in_onnxruntime(folder: Path) -> Push:
    """A session of an exported model."""
    model = ExportedModel(folder)
    session = model.new_session()

    def push(number: int, image: np.ndarray) -> Tracks:
        features = model.encode(model.prepare(image))
        tracked = model.track_frame(session, features, image.shape[:2])
        return Tracks.from_tracked(number, tracked, model.shown(tracked))

    return push


@contextmanager
def cpu_ms(times: list[float]) -> Iterator[None]:
    """Append the CPU time of the block."""
    before = time.process_time()
    yield
    times.append(1e3 * (time.process_time() - before))


def measure(push: Push, frames: FrameSource, truth: np.ndarray) -> dict[str, float]:
    """Track and score.

    Args:
        push: of a new session.
        frames: of the sequence.
        truth: its MOTChallenge rows ``(N, 8)``.

    Returns:
        ``ms`` of CPU time and `METRICS`.
    """
    times: list[float] = []
    rows, numbers = [np.empty((0, 8))], []
    for number, image in frames:
        with cpu_ms(times):
            tracks = push(number, image)
        rows.append(tracks.rows())
        numbers.append(number)
    tracked = {'sequence': np.concatenate(rows)}
    scores = evaluate_sequences({'sequence': truth}, tracked, frames={'sequence': numbers})
    return {'ms': float(np.median(times)), **{name: scores['combined'][name] for name in METRICS}}


def main(argv: list[str] | None = None) -> None:
    """Measure; a bad argument prints one line and exits with status 2."""
    args = make_parser().parse_args(argv)
    torch.set_num_threads(1)
    table = Table('runtime', 'CPU ms a frame', *METRICS)
    try:
        truth = read_rows(args.sequence / 'gt' / 'gt.txt')
        runs = {f'PyTorch {name}': (in_torch, args, name) for name in args.precision}
        runs |= {f'onnxruntime {folder.name}': (in_onnxruntime, folder) for folder in args.exported}
        for name, (make, *arguments) in runs.items():
            frames = open_frames(args.sequence, args.start, args.end)
            found = measure(make(*arguments), frames, truth)
            table.add_row(name, *(f'{value:.1f}' for value in found.values()))
    except (ValueError, OSError, FloatingPointError) as error:
        print(f'measure.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == '__main__':
    main()
