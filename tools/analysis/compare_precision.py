"""What half precision changes in the tracks of a video: px, scores and ids against float32.

    python tools/analysis/compare_precision.py CONFIG CHECKPOINT INPUT [--precision bf16]

Ids are compared up to renaming: one birth more or less in a run changes all its later numbers.
Both models track the input from its first frame, each with its own state, so differences add up as
they would in use. --emulate runs bfloat16 on a CPU without units for it: factors and results of
every product are rounded to bfloat16, sums are made in float32, as the units do.
"""

import argparse
import sys
from contextlib import ExitStack

import numpy as np
import torch
from mmdet.evaluation.functional import bbox_overlaps
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment
from torch.utils._python_dispatch import TorchDispatchMode

from lamotr_mm.apis.inferencer import default_device, init_model, track_frames
from lamotr_mm.io.frames import open_frames
from lamotr_mm.models.precision import cpu_has_bf16, widen

aten = torch.ops.aten
SAME_IOU = 0.5  # two boxes from which on they are taken for the same target's
PRODUCTS = (aten.mm, aten.addmm, aten.bmm, aten.baddbmm, aten.convolution)


class EmulatedBFloat16(TorchDispatchMode):
    """Products of bfloat16 tensors by float32 products, rounded."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Called by torch for every operation."""
        half = any(isinstance(arg, torch.Tensor) and arg.dtype == torch.bfloat16 for arg in args)
        if not half or function.overloadpacket not in PRODUCTS:
            return function(*args, **(kwargs or {}))
        wide = [widen(arg) if isinstance(arg, torch.Tensor) else arg for arg in args]
        return function(*wide, **(kwargs or {})).bfloat16()


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Tracks in half precision against float32')
    parser.add_argument('config', help='config file, for example configs/lamotr_pets.py')
    parser.add_argument('checkpoint', help='weights, for example demo/weights/lamotr_pets.pth')
    parser.add_argument('input', help='video file, folder of frames, or MOTChallenge sequence')
    parser.add_argument('--precision', choices=['bf16', 'fp16'], default='bf16')
    parser.add_argument('--emulate', action='store_true', help='bf16 on any CPU, in float32')
    parser.add_argument('--start', type=int, help="first frame, in the input's numbers from 1")
    parser.add_argument('--end', type=int, help='last frame')
    parser.add_argument('--device', default=default_device(), help='default: a GPU if there is one')
    return parser


def renamed(full: list[InstanceData], half: list[InstanceData]) -> list[InstanceData]:
    """``half`` with the ids of ``full``: of all one-to-one renamings the one with which most boxes
    lie on that of their id (IoU). A track that has none gets a negative id.
    """
    ids = [np.unique(np.concatenate([f.instances_id.numpy() for f in run])) for run in (full, half)]
    together = np.zeros([len(i) for i in ids])
    for one, two in zip(full, half, strict=True):
        rows, columns = (np.searchsorted(i, f.instances_id) for i, f in zip(ids, (one, two)))
        if len(rows) and len(columns):
            overlaps = bbox_overlaps(one.bboxes.numpy(), two.bboxes.numpy())
            together[np.ix_(rows, columns)] += overlaps >= SAME_IOU
    names = -1 - np.arange(len(ids[1]))
    rows, columns = linear_sum_assignment(together, maximize=True)
    met = together[rows, columns] > 0
    names[columns[met]] = ids[0][rows[met]]
    result = []
    for frame in half:
        frame = frame.clone()
        index = np.searchsorted(ids[1], frame.instances_id)
        frame.instances_id = torch.from_numpy(names[index])
        result.append(frame)
    return result


def compare(full: list[InstanceData], half: list[InstanceData]) -> dict[str, float]:
    """Two runs over the same frames; ids up to renaming (:func:`renamed`).

    Returns:
        Numbers of tracks that are output (``boxes``) and of those that only one run has
        (``alone``); over the others, which have the same id: differences of box sides in px
        (``px median``, ``px 99 %``, ``px max``) and of scores (``score max``); and ``same``, the
        share of frames in which both runs have the same ids.
    """
    moved, scores, alone, same = [np.zeros(0)], [np.zeros(0)], 0, []
    for one, two in zip(full, renamed(full, half), strict=True):
        _, left, right = np.intersect1d(one.instances_id, two.instances_id, return_indices=True)
        moved.append(np.abs(one.bboxes[left] - two.bboxes[right]).numpy().ravel())
        scores.append(np.abs(one.scores[left] - two.scores[right]).numpy())
        missing = len(one) + len(two) - 2 * len(left)
        alone += missing
        same.append(missing == 0)
    moved, scores = np.concatenate(moved), np.concatenate(scores)
    if not len(moved):
        moved = scores = np.full(1, np.nan)
    return {
        'boxes': sum(map(len, full)),
        'alone': alone,
        'px median': float(np.median(moved)),
        'px 99 %': float(np.percentile(moved, 99)),
        'px max': float(moved.max()),
        'score max': float(scores.max()),
        'same': float(np.mean(same)),
    }


def run(args: argparse.Namespace, name: str) -> list[InstanceData]:
    """Tracks of every frame in one precision."""
    emulated = args.emulate and name != 'fp32'
    model = init_model(args.config, args.checkpoint, args.device, 'fp32' if emulated else name)
    frames = open_frames(args.input, args.start, args.end)
    with ExitStack() as contexts:
        if emulated:
            contexts.enter_context(torch.autocast('cpu', torch.bfloat16))
            contexts.enter_context(EmulatedBFloat16())
        samples = [sample for _, _, sample in track_frames(model, frames)]
    return [sample.pred_track_instances for sample in samples]


def main(argv: list[str] | None = None) -> None:
    """Compare; a bad argument prints one line and exits with status 2."""
    args = make_parser().parse_args(argv)
    try:
        if args.emulate and (args.precision, args.device) != ('bf16', 'cpu'):
            raise ValueError('--emulate is for --precision bf16 --device cpu')
        if args.device == 'cpu' and not args.emulate and not cpu_has_bf16():
            raise ValueError('this CPU has no bfloat16 units: add --emulate')
        result = compare(run(args, 'fp32'), run(args, args.precision))
    except (ValueError, OSError, FloatingPointError) as error:
        print(f'compare_precision.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    print(', '.join(f'{name} {value:.6g}' for name, value in result.items()))


if __name__ == '__main__':
    main()
