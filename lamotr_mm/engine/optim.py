"""Mixed precision on a CPU, for which mmengine's `AmpOptimWrapper` is not made; groups of
parameters.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.model.wrappers import is_model_wrapper
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from lamotr_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS


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


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class FewGroupsConstructor(DefaultOptimWrapperConstructor):
    """mmengine's own, with one group for all parameters of the same settings.

    With ``paramwise_cfg`` mmengine makes a group of every parameter, so that a fused optimiser is
    called once for each. The updates are the same. The state of an optimiser that was saved with
    other groups cannot be resumed.
    """

    def add_params(self, params: list[dict], module: nn.Module, *args: Any, **kwargs: Any) -> None:
        """Groups of ``module``, children first, are added to ``params``, which is changed in
        place; mmengine calls it for each module.
        """
        super().add_params(params, module, *args, **kwargs)
        groups: dict[frozenset, dict] = {}
        for group in params:
            settings = frozenset((key, value) for key, value in group.items() if key != 'params')
            if settings in groups:
                groups[settings]['params'] += group['params']
            else:
                groups[settings] = group
        params[:] = groups.values()
