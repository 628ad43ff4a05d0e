"""Monitors association, which tracking scores show late and mixed with detection."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from lamotr_mm.evaluation.association import AssociationCounter, association_scores
from lamotr_mm.registry import HOOKS
from lamotr_mm.visualization.curves import find_scalars, plot_curves

TRAIN_COUNTS = ('asso_tp', 'asso_fp', 'asso_fn', 'tck_carried', 'tck_total')


@HOOKS.register_module()
class AssociationMetricHook(Hook):
    """Logs precision, recall and F1 of the association scores S at the gate, and draws curves.

    While training, the counts that the model returns (``asso_tp``, ``asso_fp``, ``asso_fn``,
    ``tck_carried``, ``tck_total``) are summed over `interval` iterations and all ranks, and logged
    as ``asso_precision``, ``asso_recall``, ``asso_f1`` and ``asso_carried`` (share of tracklets
    carried on); the counts themselves are taken out of the log. While validating and testing, the
    same is measured on the tracked frames (see `AssociationCounter`), with
    ``overlapping_live_pairs``, the mean number of live tracks that settle on one target, and added
    to the metrics. ``<work_dir>/curves.png`` shows losses and scores after every epoch and at the
    end.

    Args:
        interval (int): Iterations between training logs; that of LoggerHook, or a divisor. Defaults
            to 50.
        gate (float): A pair counts as associated where S >= gate. Defaults to 0.5.
        iou_thr (float): Least IoU of a box with its ground truth when validating. Defaults to 0.5.

    Raises:
        ValueError: `interval` below 1.
    """

    # before RuntimeInfoHook, which sends what the model returns, and the metrics, to the log
    priority = 'HIGHEST'

    def __init__(self, interval: int = 50, gate: float = 0.5, iou_thr: float = 0.5) -> None:
        if interval < 1:
            raise ValueError(f'AssociationMetricHook: interval={interval} should be 1 or more')
        self.interval = interval
        self.counter = AssociationCounter(gate, iou_thr)
        self.train_counts = dict.fromkeys(TRAIN_COUNTS, 0.0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Sum the counts; every `interval` iterations, log the scores of all ranks."""
        for name in TRAIN_COUNTS:
            self.train_counts[name] += float(outputs.pop(name, 0))
        if self.every_n_train_iters(runner, self.interval):
            for name, value in association_scores(_over_ranks(self.train_counts)).items():
                runner.message_hub.update_scalar(f'train/{name}', value)
            self.train_counts = dict.fromkeys(TRAIN_COUNTS, 0.0)

    def before_val_epoch(self, runner: Runner) -> None:
        """Start from nothing."""
        self.counter.reset()

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count the frames of one batch."""
        for sample in outputs:
            for frame in sample:
                self.counter.add(frame)

    def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
        """Add the scores of all ranks to `metrics`."""
        metrics.update(association_scores(_over_ranks(self.counter.counts)))

    before_test_epoch = before_val_epoch
    after_test_iter = after_val_iter
    after_test_epoch = after_val_epoch

    def before_train_epoch(self, runner: Runner) -> None:
        """Draw the epochs so far."""
        _draw(runner)

    def after_val(self, runner: Runner) -> None:
        """Draw in iteration-based training, which has one epoch."""
        _draw(runner)

    def after_train(self, runner: Runner) -> None:
        """Draw the whole run."""
        _draw(runner)


def _over_ranks(counts: Mapping[str, float]) -> dict[str, float]:
    total = torch.tensor([float(value) for value in counts.values()])
    all_reduce(total)
    return dict(zip(counts, total.tolist()))


def _draw(runner: Runner) -> None:
    files = find_scalars(runner.work_dir) if is_main_process() else []
    if files:  # there are none without LocalVisBackend
        plot_curves(files, Path(runner.work_dir) / 'curves.png')
