"""Train a model: `python tools/train.py CONFIG [options]`."""

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from lamotr_mm.engine.launch import (
    add_cfg_options,
    add_launcher,
    check_load_from,
    end_launch,
    load_config,
    parse_args,
    prepare_launch,
    set_checkpoint,
    set_work_dir,
)
from lamotr_mm.models.precision import cpu_has_bf16


def make_parser() -> argparse.ArgumentParser:
    """Command line; the same as that of mmdet's tool."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file, for example configs/lamotr_pets.py')
    parser.add_argument('--work-dir', help='logs and checkpoints; default work_dirs/<config name>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from this checkpoint; without a value, from the last one in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by batch size / the config's auto_scale_lr.base_batch_size",
    )
    add_cfg_options(parser)
    add_launcher(parser)
    return parser


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


def main(argv: list[str] | None = None) -> None:
    """Train; a wrong argument prints one line and exits with status 2."""
    parser = make_parser()
    args = parse_args(parser, argv)
    try:
        cfg = load_config(args.config, args.cfg_options)
        set_work_dir(cfg, args.config, args.work_dir)
        if args.amp:
            set_amp(cfg)
        if args.auto_scale_lr:
            set_auto_scale_lr(cfg)
        if args.resume:
            set_resume(cfg, args.resume)
        check_load_from(cfg)
        prepare_launch(cfg, args.launcher, args.local_rank)
    except ValueError as error:
        parser.error(str(error))
    runner = Runner.from_cfg(cfg)
    runner.train()
    end_launch()


if __name__ == '__main__':
    main()
