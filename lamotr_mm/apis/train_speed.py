"""What a training step costs: clips a second and memory, by batch, checkpointing and precision."""

import logging
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from resource import RUSAGE_SELF, getrusage
from statistics import median
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from lamotr_mm.engine.hooks.frozen_norm_hook import merge_frozen_norms
from lamotr_mm.models.precision import cpu_has_bf16
from lamotr_mm.registry import MODELS

from .benchmark import timed, waiter


class TrainSetting(NamedTuple):
    """How a step is done.

    Attributes:
        batch: clips in a batch.
        with_cp: gradient checkpointing of encoder and decoder.
        amp: mixed precision, as ``tools/train.py --amp``.
    """

    batch: int
    with_cp: bool
    amp: bool


class TrainCost(NamedTuple):
    """What steps cost.

    Attributes:
        clips_per_second: batch size through the median time of a step: preprocessing, forward and
            backward pass, optimiser. Loading is apart, it overlaps in workers.
        load_ms: of a clip, by one process.
        peak_mib: most memory that was in use, MiB: of the process on a CPU (with ``base_mib``),
            of the allocator on a GPU.
        base_mib: before the first step, with model and batches.
    """

    clips_per_second: float
    load_ms: float
    peak_mib: float
    base_mib: float


def measure_training(
    config: Config,
    setting: TrainSetting,
    device: str = 'cpu',
    steps: int = 5,
    threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> TrainCost:
    """Train ``steps`` batches of the config's data, after one more, in this process.

    Weights are random but for the optimiser's steps, so every target counts as found: the
    thresholds of ``clip_tracklets`` are 0, and tracklets are as many as in a trained model.

    Raises:
        ValueError: for ``amp`` on a CPU without bfloat16 units.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    import_modules_from_strings(**config.get('custom_imports', dict(imports=None)))
    init_default_scope(config.get('default_scope', 'mmdet'))
    batches, load_ms = _load(config, setting.batch, steps, clock)
    model: Any = _build(config, setting, device)
    optim_wrapper = build_optim_wrapper(model, _optim_wrapper(config, setting, device))
    wait = waiter(torch.device(device))
    base = _peak_mib(device)
    seconds: list[float] = []
    for batch in [batches[0], *batches]:
        with timed(seconds, wait, clock):
            model.train_step(batch, optim_wrapper)
    rate = setting.batch / median(seconds[1:])
    # Linux counts pages per CPU and adds them up roughly: its peak may fall a little between calls
    return TrainCost(rate, load_ms, max(base, _peak_mib(device)), base)


def measure_apart(config: Config, setting: TrainSetting, *args: Any) -> TrainCost:
    """:func:`measure_training` in a process of its own, so that its peak of memory is its own."""
    context = multiprocessing.get_context('spawn')
    # mmengine warns of each frozen parameter
    quiet = (logging.WARNING,)
    with ProcessPoolExecutor(1, context, initializer=logging.disable, initargs=quiet) as pool:
        return pool.submit(measure_training, config, setting, *args).result()


def _load(
    config: Config, batch: int, steps: int, clock: Callable[[], float]
) -> tuple[list[dict], float]:
    loader = config.train_dataloader | dict(
        batch_size=batch, num_workers=0, persistent_workers=False
    )
    clips = iter(Runner.build_dataloader(loader, seed=0))
    start = clock()
    batches = [next(clips) for _ in range(steps)]
    return batches, 1000 * (clock() - start) / (steps * batch)


def _build(config: Config, setting: TrainSetting, device: str) -> torch.nn.Module:
    model = MODELS.build(config.model).to(device)
    model.encoder.encoder.with_cp = setting.with_cp
    model.sotd_head.decoder.with_cp = setting.with_cp
    model.clip_tracklets.score_thr = model.clip_tracklets.iou_thr = 0.0
    if any(hook['type'] == 'lamotr_mm.FrozenNormHook' for hook in config.get('custom_hooks', [])):
        merge_frozen_norms(model.backbone)
    return model.train()


def _optim_wrapper(config: Config, setting: TrainSetting, device: str) -> dict:
    wrapper = dict(config.optim_wrapper)
    if setting.amp:
        on_gpu = device != 'cpu'
        if not on_gpu and not cpu_has_bf16():
            raise ValueError('this CPU has no bfloat16 units: mixed precision cannot be measured')
        wrapper['type'] = 'AmpOptimWrapper' if on_gpu else 'lamotr_mm.BFloat16OptimWrapper'
    return wrapper


def _peak_mib(device: str) -> float:
    if device != 'cpu':
        return torch.cuda.max_memory_allocated(device) / 2**20
    return getrusage(RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux
