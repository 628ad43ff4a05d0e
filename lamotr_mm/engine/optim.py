"""Mixed precision on a CPU, for which mmengine's `AmpOptimWrapper` is not made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.model.wrappers import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn

from lamotr_mm.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Forward passes under autocast to bfloat16, on the model's device.

    bfloat16 has the range of float32, so the loss needs no scale; weights, gradients and the
    optimiser's state stay in float32. `tools/train.py --amp` chooses it where the CPU has units for
    bfloat16; named in a config it is used in any case.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Of one forward pass, as mmengine enters it."""
        inner: Any = model.module if is_model_wrapper(model) else model
        device = next(inner.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
