"""Hooks that look at a training run or end it, for the configs of these tests."""

import os
import signal
from itertools import count
from pathlib import Path

import torch
from mmengine.dist import all_gather, all_gather_object, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class RankProbe(Hook):
    """Raises unless all ranks hold the same parameters after each iteration.

    Rank 0 writes ``<out_dir>/<iteration>.pth`` with the ``state_dict`` after the iteration and, by
    rank and clip, ``targets`` (boxes) and ``tracklets`` (that entered its frames).
    """

    # after the optimiser and every other hook
    priority = 'LOWEST'

    def __init__(self, out_dir: str) -> None:
        self.out_dir = Path(out_dir)
        self.tracklets = 0

    def before_train(self, runner):
        """Count the tracklets that enter a frame."""
        model = getattr(runner.model, 'module', runner.model)
        model.tracklet_update.register_forward_pre_hook(self._count)

    def _count(self, module, inputs) -> None:
        self.tracklets = self.tracklets + inputs[0].valid.sum(1)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Compare, then write."""
        model = getattr(runner.model, 'module', runner.model)
        flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        if not all(torch.equal(flat, other) for other in all_gather(flat)):
            raise AssertionError(f'iteration {runner.iter}: the parameters differ between ranks')
        targets = [
            sum(len(frame.gt_instances) for frame in clip) for clip in data_batch['data_samples']
        ]
        record = dict(
            state_dict={key: value.clone() for key, value in model.state_dict().items()},
            targets=all_gather_object(targets),
            tracklets=all_gather_object(self.tracklets.tolist()),
        )
        self.tracklets = 0
        if is_main_process():
            self.out_dir.mkdir(parents=True, exist_ok=True)
            torch.save(record, self.out_dir / f'{runner.iter}.pth')


@HOOKS.register_module()
class KillProbe(Hook):
    """Ends the process as a power cut would: by SIGKILL, without a chance to clean up.

    Args:
        before, after: kill before or after the step of this iteration (from 0).
        while_saving: kill when half of this file (its name) is written.
        time: for the how-manieth time it is written.
    """

    def __init__(
        self, before: int = -1, after: int = -1, while_saving: str | None = None, time: int = 1
    ) -> None:
        self.before = before
        self.after = after
        if while_saving is not None:
            self._kill_while_saving(while_saving, time)

    @staticmethod
    def _kill_while_saving(name: str, time: int) -> None:
        put, times = LocalBackend.put, count(1)

        def put_half(backend, data: bytes, path) -> None:
            if Path(path).name.startswith(name) and next(times) == time:
                put(backend, data[: len(data) // 2], path)
                _kill()
            put(backend, data, path)

        LocalBackend.put = put_half

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        """Kill?"""
        if runner.iter == self.before:
            _kill()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Kill?"""
        if runner.iter == self.after:
            _kill()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
