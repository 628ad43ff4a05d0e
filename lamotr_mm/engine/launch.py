"""What training and testing share: reading a config, and starting without GPUs."""

import argparse
import difflib
import inspect
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from lamotr_mm.weights.checkpoints import existing_checkpoint

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
CFG_OPTIONS_HELP = '--cfg-options takes KEY=VALUE, for example train_cfg.max_epochs=2'
# read by the Runner from the config itself, beside its named arguments
_RUNNER_KEYS = {*inspect.signature(Runner.__init__).parameters, 'sync_bn', 'find_unused_parameters'}


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add `--cfg-options`, a dict of dotted keys or None."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config, for example train_cfg.max_epochs=2',
    )


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add `--launcher` and `--local_rank`, for `prepare_launch`."""
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    # older torch launchers pass it; torchrun sets LOCAL_RANK in the environment
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def parse_args(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """`parser.parse_args`, with one clear line for an option that is not KEY=VALUE."""
    try:
        return parser.parse_args(argv)
    except ValueError:  # mmengine's DictAction splits at '=' unchecked
        parser.error(CFG_OPTIONS_HELP)


def parse_cfg_options(pairs: Sequence[str]) -> dict | None:
    """Dotted key -> value of ``KEY=VALUE`` texts; None for none.

    Raises:
        ValueError: one of them is no KEY=VALUE.
    """
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    try:
        return parser.parse_args(['--cfg-options', *pairs]).cfg_options if pairs else None
    except ValueError as error:  # mmengine's DictAction splits at '=' unchecked
        raise ValueError(CFG_OPTIONS_HELP) from error


def existing_file(path: str, what: str) -> str:
    """`path`, if it is a file.

    Raises:
        ValueError: names `what` (for example 'config') and the path that is missing.
    """
    if not Path(path).is_file():
        raise ValueError(f'{what} {path} does not exist or is not a file')
    return path


def load_config(path: str, options: dict | None = None) -> Config:
    """Read a config and merge `--cfg-options` into it.

    Args:
        path: config file.
        options: dotted key -> value. The first part of each key must be a key of the config or an
            argument of mmengine's Runner; deeper new keys are checked by the class they configure.

    Raises:
        ValueError: when the file is missing or broken, or an option does not fit, with the key.
    """
    existing_file(path, 'config')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is Python code: it may raise anything
        raise ValueError(
            f'config {path} cannot be read: {type(error).__name__}: {error}'
        ) from error
    for key, value in (options or {}).items():
        top = key.split('.')[0]
        known = {*cfg.keys(), *_RUNNER_KEYS}
        if top not in known:
            near = difflib.get_close_matches(top, known, n=1)
            hint = f' (did you mean {near[0]}?)' if near else ''
            raise ValueError(f'--cfg-options {key}: {path} has no key {top}{hint}')
        try:
            cfg.merge_from_dict({key: value})
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise ValueError(f'--cfg-options {key}={value} does not fit {path}: {error}') from error
    return cfg


def set_checkpoint(cfg: Config, path: str, resume: bool) -> None:
    """Load this checkpoint, whole and only if all of it fits the model.

    A peer, which has LA-MOTR as its detector and no weights of its own, gives it to the detector.

    Raises:
        ValueError: when the file is missing, cut off or no checkpoint.
    """
    detector: Any = cfg.model.get('detector') or {}
    if detector.get('type') == 'lamotr_mm.DetectionsOf':
        detector.checkpoint = existing_checkpoint(path)
        return
    cfg.load_from = existing_checkpoint(path)
    cfg.resume = resume
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='lamotr_mm.CheckpointFitHook')]


def check_load_from(cfg: Config) -> None:
    """Whether the file of pre-trained weights that the config names can be read.

    Raises:
        ValueError: when it is missing, cut off or no checkpoint; says where it comes from.
    """
    path = cfg.get('load_from')
    if not path or '://' in path:
        return
    try:
        existing_checkpoint(path)
    except ValueError as error:
        raise ValueError(
            f'load_from: {error}. docs/weights.md makes it of the official COCO weights; '
            '--cfg-options load_from=None starts from the ImageNet backbone instead'
        ) from error


def set_work_dir(cfg: Config, config_path: str, work_dir: str | None) -> None:
    """Choose the output folder: argument, else the config's, else work_dirs/<config name>."""
    cfg.work_dir = work_dir or cfg.get('work_dir') or f'work_dirs/{Path(config_path).stem}'


def prepare_launch(cfg: Config, launcher: str, local_rank: int | None = None) -> None:
    """Set the launcher; without a GPU, start gloo here and let DDP use the CPU.

    mmengine would call `torch.cuda.set_device` and give DDP a device id in that case. It leaves a
    process group that is already there as it is, and takes the wrapper's arguments from the config.

    Args:
        cfg: changed in place (`launcher`, and without a GPU `model_wrapper_cfg`).
        launcher: one of `LAUNCHERS`.
        local_rank: number of the process on its machine, where the launcher gives it as an argument
            rather than in the environment.

    Raises:
        ValueError: when the launcher's environment variables are missing.
    """
    cfg.launcher = launcher
    if local_rank is not None:
        os.environ.setdefault('LOCAL_RANK', str(local_rank))
    if launcher == 'none' or torch.cuda.is_available():
        return
    _export_ranks(launcher)
    if not dist.is_initialized():
        dist.init_process_group('gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )


def end_launch() -> None:
    """Close the process group, if there is one, when all of its processes have come here.

    Gloo's threads must not outlive the interpreter: the process would abort, and the launcher
    report a finished run as failed.
    """
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def _first_slurm_host(nodes: str) -> str:
    """First host name of a Slurm node list such as `gpu[03-05,9]`.

    Raises:
        ValueError: when `scontrol` is missing or fails.
    """
    command = ['scontrol', 'show', 'hostnames', nodes]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        cause = (getattr(error, 'stderr', '') or str(error)).strip()
        raise ValueError(
            f'--launcher slurm: {" ".join(command)!r} failed ({cause}); '
            'set MASTER_ADDR to the address of the first node'
        ) from error
    return done.stdout.split()[0]


def _export_ranks(launcher: str) -> None:
    """Translate the launcher's variables into torch's (torchrun sets them itself)."""
    sources = {
        'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
        'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
        'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
    }[launcher]
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ and 'SLURM_NODELIST' in os.environ:
        os.environ['MASTER_ADDR'] = _first_slurm_host(os.environ['SLURM_NODELIST'])
    missing = [name for name in (*sources, 'MASTER_ADDR') if name not in os.environ]
    if missing:
        raise ValueError(
            f'--launcher {launcher}: {", ".join(missing)} not set in the environment; '
            'start the tool with tools/dist_*.sh, tools/slurm.sh or mpirun'
        )
    for target, source in zip(('RANK', 'WORLD_SIZE', 'LOCAL_RANK'), sources, strict=True):
        os.environ[target] = os.environ[source]
    os.environ.setdefault('MASTER_PORT', '29500')
