"""Half precision by autocast: which dtype a device can take, and what stays in float32.

Matrix products and convolutions run in half precision, everything else in float32: the residual
streams of encoder, decoder and SGLA, boxes, anchors and reference points, what is read of the
association matrix, matching and losses. In bfloat16, with 8 bits of mantissa, a box would be off by
several px.
"""

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

PRECISIONS = dict(fp32=None, bf16=torch.bfloat16, fp16=torch.float16)
# any value: bfloat16 on a CPU without units for it as well, hundreds of times slower
FORCE_BF16 = 'LAMOTR_FORCE_BF16'
_UNITS = {'avx512_bf16', 'amx_bf16', 'bf16'}  # x86, x86, Arm


def widen(tensor: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; every other dtype as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def float32_island(function: Callable) -> Callable:
    """Decorator: under autocast, run without it on widened tensor arguments."""

    @wraps(function)
    def call(*args: Any) -> Any:
        device = next(arg.device.type for arg in args if isinstance(arg, Tensor))
        if not torch.is_autocast_enabled(device):
            return function(*args)
        with torch.autocast(device, enabled=False):
            return function(*(widen(arg) if isinstance(arg, Tensor) else arg for arg in args))

    return call


@cache
def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 (as Linux says), or the user wants it all the same."""
    if os.environ.get(FORCE_BF16):
        return True
    try:
        return not _UNITS.isdisjoint(Path('/proc/cpuinfo').read_text().split())
    except OSError:
        return False


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Context of inference in 'fp32', 'bf16' or 'fp16'.

    On a CPU without bfloat16 units 'bf16' runs in float32, after one line that says so.

    Raises:
        ValueError: for another precision, and for 'fp16' on a CPU.
    """
    check_precision(precision, device)
    dtype = PRECISIONS[precision]
    if dtype is None:
        return nullcontext()
    if device.type == 'cpu' and not cpu_has_bf16():
        _say_no_units()
        return nullcontext()
    return torch.autocast(device.type, dtype)


def check_precision(precision: str, device: torch.device) -> None:
    """Whether the device can take the precision.

    Raises:
        ValueError: for an unknown precision, and for 'fp16' on a CPU.
    """
    if precision not in PRECISIONS:
        raise ValueError(f'precision={precision!r} must be one of {", ".join(PRECISIONS)}')
    if precision == 'fp16' and device.type == 'cpu':
        raise ValueError("precision='fp16' needs a GPU: use 'bf16' or 'fp32' on a CPU")


@cache
def _say_no_units() -> None:
    text = 'this CPU has no bfloat16 units: tracking runs in float32'
    print_log(text, 'current', logging.WARNING)
