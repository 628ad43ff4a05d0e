"""From a row to the configs that are trained and tested: shared data, budget and seed in them."""

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from lamotr_mm.preparation.checks import leaf_datasets

DATA_KEYS = (
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'val_evaluator',
    'test_evaluator',
)
# of a data set: how its frames are prepared and which random numbers that takes, not which they are
PREPARATION = ('pipeline', 'seed', 'test_mode', 'filter_cfg')
CHECKPOINTS = 20  # a killed training loses a twentieth of its budget at most
NOT_HASHED = ('work_dir', 'experiment_name')


def on_data(config: Config, data: Config) -> Config:
    """A copy of a config that trains and tests on the data of another.

    A config that has the same videos already keeps its own loaders and pipelines, such as longer
    clips; the frames that are tested and the evaluator are those of `data` in any case.

    Raises:
        ValueError: `data` has nothing to test on.
    """
    config = copy.deepcopy(config)
    if not data.get('test_dataloader') or not data.get('test_evaluator'):
        raise ValueError(f'{data.filename} has no test_dataloader or no test_evaluator')
    if _videos(config) != _videos(data):
        for key in DATA_KEYS:
            config[key] = copy.deepcopy(data.get(key))
    return config


def _videos(config: Config) -> list:
    """What is trained and tested on."""
    found = []
    for split in ('train', 'test'):
        loader = config.get(f'{split}_dataloader') or {}
        for leaf in leaf_datasets(loader.get('dataset') or {}):
            found.append({k: v for k, v in leaf.items() if k not in PREPARATION})
    return found


def merge(config: Config, options: Mapping[str, Any], where: str) -> None:
    """Merge dotted keys into a config.

    Raises:
        ValueError: one does not fit; names it.
    """
    for key, value in options.items():
        if key.split('.')[0] not in config:
            raise ValueError(f'{where}: the config has no key {key.split(".")[0]} ({key})')
        try:
            config.merge_from_dict({key: value})
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise ValueError(f'{where}: {key}={value} does not fit: {error}') from error


def to_test(config: Config, split: str) -> Config:
    """A copy that only tests, on ``val`` or ``test``."""
    config = copy.deepcopy(config)
    if split == 'val':
        config.test_dataloader = config.val_dataloader
        config.test_evaluator = config.val_evaluator
    config.test_cfg = config.get('test_cfg') or dict(type='TestLoop')
    _drop(config, 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler')
    _drop(config, 'val_dataloader', 'val_cfg', 'val_evaluator')
    config.load_from = None
    config.pop('peer', None)  # says how to compare, not what is tested
    return config


def to_train(config: Config, seed: int, budget: int | None) -> Config:
    """A copy that only trains, from a seed.

    Args:
        config: with the data.
        seed: of the weights, the order of clips and the augmentation.
        budget: iterations; None: as the config says.

    Raises:
        ValueError: the config cannot be trained.
    """
    config = copy.deepcopy(config)
    missing = [k for k in ('train_dataloader', 'train_cfg', 'optim_wrapper') if not config.get(k)]
    if missing:
        raise ValueError(f'it does not train: it has no {missing[0]}')
    _drop(config, 'val_dataloader', 'val_cfg', 'val_evaluator')
    _drop(config, 'test_dataloader', 'test_cfg', 'test_evaluator')
    config.randomness = {**config.get('randomness', {}), 'seed': seed}
    if 'seed' in config.train_dataloader.get('sampler', {}):
        config.train_dataloader.sampler.seed = seed
    for leaf in leaf_datasets(config.train_dataloader.dataset):
        if 'seed' in leaf:
            leaf['seed'] = seed
    config.default_hooks.checkpoint.save_best = None  # nothing is validated
    if budget is not None:
        _squeeze(config, budget)
    return config


def _squeeze(config: Config, budget: int) -> None:
    """Train for `budget` iterations, with the whole schedule of the config in them."""
    epochs = config.train_cfg.get('max_epochs')
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=budget)
    if config.train_dataloader.get('sampler', {}).get('type') == 'TrackImgSampler':
        # tells the data its epoch when an iteration-based loop comes to the next one
        config.train_dataloader.sampler.type = 'lamotr_mm.VideoFrameSampler'
    schedulers = config.get('param_scheduler') or []
    listed = schedulers if isinstance(schedulers, list) else [schedulers]
    for scheduler in listed if epochs else []:
        if scheduler.pop('convert_to_iter_based', False) or scheduler.get('by_epoch', True):
            _in_iterations(scheduler, budget / epochs)
    config.default_hooks.checkpoint.update(
        by_epoch=False, interval=max(1, budget // CHECKPOINTS), max_keep_ckpts=1
    )
    config.log_processor = {**config.get('log_processor', {}), 'by_epoch': False}


def _in_iterations(scheduler: dict, per_epoch: float) -> None:
    scheduler['by_epoch'] = False
    for key in ('begin', 'end', 'T_max', 'step_size', 'total_iters'):
        if scheduler.get(key) is not None:
            scheduler[key] = round(scheduler[key] * per_epoch)
    if 'milestones' in scheduler:
        scheduler['milestones'] = [round(each * per_epoch) for each in scheduler['milestones']]


def _drop(config: Config, *keys: str) -> None:
    for key in keys:
        config[key] = None
