"""What to say after a video in which (almost) nothing was tracked: mostly, the weights know other
scenes.
"""

import os.path as osp

from mmengine.config import Config

from lamotr_mm.preparation.checks import leaf_datasets
from lamotr_mm.registry import DATASETS

FEW = 0.5  # boxes a frame


def few_tracks_hint(cfg: Config, frames: int, boxes: int) -> str | None:
    """One line on what the weights of a config know, where fewer than `FEW` boxes a frame came out.

    Args:
        cfg: config of the model.
        frames: number of frames that were tracked.
        boxes: number of boxes that were output in them.
    """
    if boxes >= FEW * frames:
        return None
    return (
        f'Few tracks ({boxes} boxes in {frames} frames): weights of '
        f'{osp.basename(cfg.filename or "this config")} know {training_data(cfg)}; for other '
        'scenes see "Few or no tracks" in docs/tracking.md'
    )


def training_data(cfg: Config) -> str:
    """Classes and data sets that a config trains on, for example ``bee, wasp of
    data/hive/annotations/train.json``.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if not dataset:
        return 'what they were trained on, which the config does not say'
    sources = map(_source, leaf_datasets(dataset))
    return f'{", ".join(class_names(cfg)) or "objects"} of {" and ".join(sources)}'


def class_names(cfg: Config) -> tuple[str, ...]:
    """Names of the labels 0, 1, ... that a config trains on; () where it does not say."""
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    parts = leaf_datasets(dataset) if dataset else ()
    return tuple(dict.fromkeys(name for part in parts for name in _classes(part)))


def _classes(dataset: dict) -> tuple[str, ...]:
    classes = (dataset.get('metainfo') or {}).get('classes')
    if classes is None:
        kind = dataset['type']
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        classes = getattr(kind, 'METAINFO', {}).get('classes', ())
    return (classes,) if isinstance(classes, str) else tuple(classes)


def _source(dataset: dict) -> str:
    """Path of the annotations; the name of the type where data are made."""
    if dataset.get('ann_file'):
        return osp.join(dataset.get('data_root') or '', dataset['ann_file'])
    kind = dataset['type']
    return (kind if isinstance(kind, str) else kind.__name__).split('.')[-1]
