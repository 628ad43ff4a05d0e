"""The fused deformable attention of the CPU beside mmcv's fallback, in ms.

OMP_NUM_THREADS=1 python tools/analysis/attention_speed.py
"""

import time
from collections.abc import Callable

import torch
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
from rich.console import Console
from rich.table import Table

from lamotr_mm.models.layers.msda_numba import multi_scale_deformable_attn_numba

HEADS, POINTS = 8, 4
# batch, channels a head, (height, width) of the levels
CASES = (
    (3, 16, [(48, 64), (24, 32), (12, 16), (6, 8)]),
    (1, 32, [(100, 168), (50, 84), (25, 42), (13, 21)]),
)


def best_ms(function: Callable[[], torch.Tensor], backward: bool, repeat: int = 3) -> float:
    """Shortest of ``repeat`` calls, after one more; with the backward pass or without."""
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        with torch.set_grad_enabled(backward):
            output = function()
        if backward:
            output.sum().backward()
        times.append(1000 * (time.perf_counter() - start))
    return min(times[1:])


def main() -> None:
    """Measure and print."""
    table = Table('batch', 'tokens', 'channels', 'pass', 'mmcv ms', 'fused ms', 'ratio')
    for batch, channels, shapes in CASES:
        tokens = sum(height * width for height, width in shapes)
        value = torch.randn(batch, tokens, HEADS, channels, requires_grad=True)
        places = torch.rand(batch, tokens, HEADS, len(shapes), POINTS, 2, requires_grad=True)
        weights = torch.rand(batch, tokens, HEADS, len(shapes), POINTS, requires_grad=True)
        sizes = torch.tensor(shapes)
        for backward in (False, True):
            plain = best_ms(
                lambda: multi_scale_deformable_attn_pytorch(value, sizes, places, weights),  # noqa: B023
                backward,
            )
            fused = best_ms(
                lambda: multi_scale_deformable_attn_numba(value, shapes, places, weights),  # noqa: B023
                backward,
            )
            kind = 'forward + backward' if backward else 'forward'
            cells = (batch, tokens, channels, kind, *(f'{t:.0f}' for t in (plain, fused)))
            table.add_row(*map(str, cells), f'{plain / fused:.1f}')
    Console().print(table)


if __name__ == '__main__':
    main()
