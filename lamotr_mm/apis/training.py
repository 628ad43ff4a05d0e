"""Train a model: what `lamotr train` and `tools/train.py` do."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from lamotr_mm.engine.launch import (
    check_load_from,
    end_launch,
    load_config,
    prepare_launch,
    set_checkpoint,
    set_work_dir,
)
from lamotr_mm.models.precision import cpu_has_bf16


def training_config(
    config: str,
    work_dir: str | None = None,
    resume: str | None = None,
    amp: bool = False,
    auto_scale_lr: bool = False,
    cfg_options: dict | None = None,
    launcher: str = 'none',
    local_rank: int | None = None,
) -> Config:
    """What a Runner trains; the arguments are those of mmdet's tool.

    Args:
        config: config file.
        work_dir: logs and checkpoints. Default: the config's, else ``work_dirs/<config name>``.
        resume: checkpoint to go on from; 'auto': the last one in the work dir, if there is one.
        amp: mixed precision.
        auto_scale_lr: scale the learning rate by the batch size.
        cfg_options: dotted key -> value, changes the config.
        launcher, local_rank: of :func:`~lamotr_mm.engine.launch.prepare_launch`.

    Raises:
        ValueError: an argument is wrong.
    """
    cfg = load_config(config, cfg_options)
    set_work_dir(cfg, config, work_dir)
    if amp:
        set_amp(cfg)
    if auto_scale_lr:
        set_auto_scale_lr(cfg)
    if resume:
        set_resume(cfg, resume)
    check_load_from(cfg)
    prepare_launch(cfg, launcher, local_rank)
    return cfg


def train(cfg: Config) -> None:
    """Train what :func:`training_config` returned."""
    runner = Runner.from_cfg(cfg)
    runner.train()
    end_launch()


def set_amp(cfg: Config) -> None:
    """Switch the optimiser wrapper to mixed precision: float16 on a GPU, bfloat16 on a CPU.

    Raises:
        ValueError: when the config has an optimiser wrapper of another type.
    """
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp replaces optim_wrapper.type OptimWrapper; the config has {kind}')
    if torch.cuda.is_available():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        return
    for key in ('loss_scale', 'dtype'):
        cfg.optim_wrapper.pop(key, None)
    if cpu_has_bf16():
        cfg.optim_wrapper.type = 'lamotr_mm.BFloat16OptimWrapper'
    else:
        cfg.optim_wrapper.type = 'OptimWrapper'
        print('--amp: this CPU has no bfloat16 units, training in float32')


def set_resume(cfg: Config, resume: str) -> None:
    """Resume from a file, or for 'auto' from the work dir's last checkpoint if there is one.

    A first start with 'auto' keeps the config's `load_from` (pre-trained weights).

    Raises:
        ValueError: when the checkpoint is missing, cut off or no checkpoint.
    """
    if resume == 'auto':
        pointer = Path(cfg.work_dir) / 'last_checkpoint'
        if not pointer.is_file():
            print(f'--resume auto: no checkpoint in {cfg.work_dir} yet, training from the start')
            return
        resume = pointer.read_text().strip()
        if not resume:
            raise ValueError(
                f'{pointer} is empty, its writing was interrupted: name the checkpoint, as in '
                f'--resume {pointer.with_name("epoch_1.pth")}'
            )
        # the pointer has an absolute path: the work dir may have been moved or copied
        beside = pointer.with_name(Path(resume).name)
        resume = str(beside) if beside.is_file() else resume
    set_checkpoint(cfg, resume, resume=True)


def set_auto_scale_lr(cfg: Config) -> None:
    """Switch on mmengine's linear learning rate scaling.

    Raises:
        ValueError: when the config does not say for which batch size its learning rate is made.
    """
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise ValueError('--auto-scale-lr: the config has no auto_scale_lr.base_batch_size')
    cfg.auto_scale_lr.enable = True
