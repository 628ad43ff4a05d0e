"""LA-MOTR against a peer: the time of a frame, in turn in one process.

    OMP_NUM_THREADS=1 python tools/analysis/speed_against.py --memotr PATH_TO_ITS_CHECKOUT

The peer is the official MeMOTR (https://github.com/MCG-NJU/MeMOTR, the nearest public relative),
built from a checkout of yours with its DanceTrack settings. On a CPU its compiled op is replaced by
the PyTorch version that it ships. Its requirements must be installed: torchvision, PyYAML. Without
--memotr the peer is our own model in plain parts: mmcv's deformable attention, nothing folded,
float32.

All have random weights, get an image without padding and hold the same number of tracklets;
loading, resizing and writing are outside. A round times each model once; the first one warms up and
is not counted. Where the machine has other work, --cpu-time with one thread leaves out the time
that the process waits for a core.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from mmcv.ops import MultiScaleDeformableAttention
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import library

from lamotr_mm.apis.benchmark import frame_timer, timed, waiter
from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.folding import fold
from lamotr_mm.models.layers.deformable_attention import DeformableAttention
from lamotr_mm.models.precision import cpu_has_bf16

Timer = Callable[[], float]
OP = 'MultiScaleDeformableAttention'  # MeMOTR's compiled module
MODULES = (
    'models',
    'models.backbone',
    'models.ops.functions.ms_deform_attn_func',
    'models.ops.modules.ms_deform_attn',
    'models.runtime_tracker',
    'structures.track_instances',
    'utils.nested_tensor',
    'utils.utils',
)
# what a frame reads of its tracks, besides whole numbers
TRACK_FIELDS = (
    'ref_pts',
    'query_embed',
    'boxes',
    'logits',
    'output_embed',
    'scores',
    'last_output',
    'long_memory',
)


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Time of a frame against a peer, pair by pair')
    parser.add_argument('--memotr', type=Path, help='checkout of MeMOTR; default: plain parts')
    parser.add_argument('--config', default='configs/lamotr_dancetrack.py', help='of our model')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--img-size', type=int, nargs=2, default=[800, 1344], metavar=('H', 'W'))
    parser.add_argument('--tracklets', type=int, default=20, help='live tracklets')
    parser.add_argument('--threads', type=int, default=1, help='that torch uses on the CPU')
    parser.add_argument('--pairs', type=int, default=5, help='rounds counted, after one more')
    parser.add_argument('--cpu-time', action='store_true', help='of the process, not by the clock')
    return parser


# ------------------------------------------------------------------ peers


def plain_parts(model: LAMOTR) -> LAMOTR:
    """Put mmcv's deformable attention in the place of ours, with the same weights; in place."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, DeformableAttention):
                plain = MultiScaleDeformableAttention(
                    embed_dims=child.embed_dims,
                    num_heads=child.num_heads,
                    num_levels=child.num_levels,
                    num_points=child.num_points,
                    dropout=0.0,
                    batch_first=child.batch_first,
                )
                plain.load_state_dict(child.state_dict())
                setattr(module, name, plain.to(next(child.parameters()).device).eval())
    return model


def memotr_timer(
    checkout: Path,
    img_size: tuple[int, int],
    tracklets: int,
    clock: Timer,
    device: torch.device,
) -> Timer:
    """One frame of MeMOTR, as in the loop of its ``submit_engine.py``.

    Raises:
        ValueError: if the folder is no checkout of MeMOTR, or does not import.
    """
    with _importable(checkout, device):
        try:
            modules = {name: importlib.import_module(name) for name in MODULES}
        except ImportError as error:
            raise ValueError(
                f'--memotr {checkout} cannot be imported ({error}): install what its README lists'
            ) from error
    if device.type == 'cpu':
        function = modules['models.ops.functions.ms_deform_attn_func']
        attention: Any = modules['models.ops.modules.ms_deform_attn']
        attention.MSDeformAttnFunction = SimpleNamespace(
            apply=lambda value, shapes, starts, places, weights, step: (
                function.ms_deform_attn_core_pytorch(value, shapes, places, weights)
            )
        )
    backbone: Any = modules['models.backbone']
    resnet = backbone.resnet50
    backbone.resnet50 = lambda weights, **kwargs: resnet(weights=None, **kwargs)  # no download
    config = modules['utils.utils'].yaml_to_dict(checkout / 'configs/train_dancetrack.yaml')
    config |= dict(DEVICE=device.type, AVAILABLE_GPUS=None)
    model = modules['models'].build_model(config).eval()
    image = torch.randn(3, *img_size, device=device)
    frame = modules['utils.nested_tensor'].tensor_list_to_nested_tensor([image])

    def one_frame() -> float:
        tracker = modules['models.runtime_tracker'].RuntimeTracker(
            det_score_thresh=config['DET_SCORE_THRESH'],
            track_score_thresh=config['TRACK_SCORE_THRESH'],
            miss_tolerance=config['MISS_TOLERANCE'],
            use_dab=config['USE_DAB'],
        )
        tracks = modules['structures.track_instances'].TrackInstances(
            hidden_dim=model.hidden_dim, num_classes=model.num_classes, use_dab=config['USE_DAB']
        )
        _fill(tracks, tracklets)
        live, seconds = [tracks.to(device)], []
        with torch.no_grad(), timed(seconds, waiter(device), clock):
            output = model(frame=frame, tracks=live)
            updated = tracker.update(model_outputs=output, tracks=live)
            model.postprocess_single_frame(*updated, None)
        return seconds[0]

    return one_frame


def _fill(tracks: Any, number: int) -> None:
    """Random live tracks in each field that a frame reads."""
    for name in TRACK_FIELDS:
        setattr(tracks, name, torch.rand(number, *getattr(tracks, name).shape[1:]))
    tracks.ids = torch.arange(number)
    for name in ('labels', 'disappear_time'):
        setattr(tracks, name, torch.zeros(number, dtype=torch.long))


@contextmanager
def _importable(checkout: Path, device: torch.device) -> Iterator[None]:
    """Let the checkout's top-level packages be found, and do without what a CPU cannot have.

    Raises:
        ValueError: if the folder is no checkout of MeMOTR.
    """
    if not (checkout / 'models/memotr.py').is_file():
        raise ValueError(
            f'--memotr {checkout} is no checkout of MeMOTR, models/memotr.py is missing: '
            'git clone https://github.com/MCG-NJU/MeMOTR'
        )
    if device.type == 'cpu':
        sys.modules[OP] = ModuleType(OP)
        _import_torchvision()
    sys.path.insert(0, str(checkout))
    try:
        yield
    finally:
        sys.path.remove(str(checkout))


def _import_torchvision() -> None:
    """torchvision, of which the network needs the Python part alone.

    Beside a torch without CUDA, a torchvision that is built for CUDA stops at operators that its
    library, which cannot be loaded, would have declared.
    """
    try:
        importlib.import_module('torchvision')
    except RuntimeError:
        for name in ('nms', 'qnms'):
            library.define(
                f'torchvision::{name}', '(Tensor dets, Tensor scores, float threshold) -> Tensor'
            )
    except ImportError:
        pass  # said by whoever needs it


# ------------------------------------------------------------------ in turn


def in_turn(timers: dict[str, Timer], pairs: int) -> list[dict[str, float]]:
    """Milliseconds of each model, ``pairs`` times, after a round that warms up."""
    rounds = [
        {name: 1000 * timer() for name, timer in timers.items()}
        for _ in track(range(pairs + 1), 'rounds', transient=True)
    ]
    return rounds[1:]


def make_table(rounds: list[dict[str, float]], title: str) -> Table:
    """A row a round, the ratios to the first model in it, and the medians of each column."""
    peer, *ours = rounds[0]
    rows = [[r[peer], *(v for name in ours for v in (r[name], r[name] / r[peer]))] for r in rounds]
    rows.append([median(column) for column in zip(*rows)])
    table = Table('pair', f'{peer} ms', title=title)
    for name in ours:
        table.add_column(f'{name} ms')
        table.add_column('ratio')
    for column in table.columns[1:]:
        column.justify = 'right'
    for number, (ms, *pairs) in enumerate(rows, 1):
        if number == len(rows):
            table.add_section()
        cells = (f'{v:.3f}' if index % 2 else f'{v:.1f}' for index, v in enumerate(pairs))
        table.add_row('median' if number == len(rows) else str(number), f'{ms:.1f}', *cells)
    return table


def main(argv: list[str] | None = None) -> None:
    """Measure; a bad argument prints one line and exits with status 2."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if min(*args.img_size, args.threads, args.pairs) < 1 or args.tracklets < 0:
        parser.error('--img-size, --threads and --pairs take 1 or more, --tracklets 0 or more')
    torch.set_num_threads(args.threads)
    size = tuple(args.img_size)
    frame = size, args.tracklets, time.process_time if args.cpu_time else time.perf_counter
    precisions = ['fp32', 'bf16']
    if args.device == 'cpu' and not cpu_has_bf16():
        print('this CPU has no bfloat16 units: float32 only')
        precisions.remove('bf16')
    try:
        with ExitStack() as stack:

            def ours(model: LAMOTR) -> Timer:
                return stack.enter_context(frame_timer(model, *frame))

            if args.memotr:
                device = torch.device(args.device)
                timers = {'MeMOTR': memotr_timer(args.memotr, *frame, device)}
            else:
                plain = init_model(args.config, device=args.device, precision='fp32')
                timers = {'plain parts': ours(plain_parts(plain))}
            for name in precisions:
                model = init_model(args.config, device=args.device, precision=name)
                timers[f'LA-MOTR {name}'] = ours(fold(model))
            rounds = in_turn(timers, args.pairs)
    except (ValueError, OSError) as error:
        print(f'speed_against.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    where = f'cpu, {args.threads} thread(s)' if args.device == 'cpu' else args.device
    where += ', CPU time' if args.cpu_time else ''
    title = f'A frame of {size[0]}x{size[1]} px, {args.tracklets} tracklets, {where}'
    # a file or a pipe gets whole lines
    Console(width=None if sys.stdout.isatty() else 120).print(make_table(rounds, title))


if __name__ == '__main__':
    main()
