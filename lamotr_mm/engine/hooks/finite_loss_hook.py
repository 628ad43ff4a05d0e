"""A loss that is not finite ends the run at once, before it spoils a checkpoint."""

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from lamotr_mm.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops training at the first NaN or infinite loss and names it.

    mmdet's ``CheckInvalidLossHook`` looks at the total every 50 iterations; by then every weight is
    NaN.
    """

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check every logged loss of the iteration.

        Raises:
            FloatingPointError: naming the losses, the iteration and what to try.
        """
        broken = [
            name
            for name, value in (outputs or {}).items()
            if 'loss' in name and not math.isfinite(value.item())
        ]
        if broken:
            raise FloatingPointError(
                f'iteration {runner.iter + 1} (epoch {runner.epoch + 1}): {", ".join(broken)} is '
                'not finite. The last checkpoint is sound: lower optim_wrapper.optimizer.lr, check '
                'optim_wrapper.clip_grad, or train without --amp, and go on with --resume'
            )
