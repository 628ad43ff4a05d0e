"""Randomness that a resumed run repeats exactly."""

from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from lamotr_mm.registry import HOOKS


@HOOKS.register_module()
class SeedHook(Hook):
    """Random numbers depend on (seed, epoch) in the data, (seed, iteration, rank) in the model.

    mmengine saves no random state with a checkpoint. With this hook a run that is killed and
    resumed repeats the uninterrupted run bit for bit (on the CPU).

    Args:
        seed: base seed; None takes the runner's.
    """

    # before every hook that may draw numbers
    priority = 'VERY_HIGH'

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the data sets the epoch, through wrappers (ConcatDataset, RepeatDataset)."""
        stack = [runner.train_dataloader.dataset]
        while stack:
            dataset = stack.pop()
            if hasattr(dataset, 'set_epoch'):
                dataset.set_epoch(runner.epoch)
            stack.extend(getattr(dataset, 'datasets', []))
            if hasattr(dataset, 'dataset'):
                stack.append(dataset.dataset)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Reseed torch, on every device."""
        seed = runner.seed if self.seed is None else self.seed
        torch.manual_seed(hash((seed, runner.iter, get_rank())) % 2**63)
