"""The videos of any split, prepared as for testing."""

from mmengine.config import Config

from lamotr_mm.preparation.checks import leaf_datasets


def dataset_settings(cfg: Config, split: str) -> dict:
    """The videos of a split, prepared as for testing. Of a mixed training set, its first member.

    Args:
        cfg: with data to validate or test on, whose pipeline is taken.
        split: 'train', 'val' or 'test'.

    Raises:
        ValueError: the config has no such split.
    """
    loaders = {name: cfg.get(f'{name}_dataloader') for name in ('train', 'val', 'test')}
    if loaders[split] is None:
        raise ValueError(f'--split {split}: the config has no {split}_dataloader')
    settings = next(leaf_datasets(loaders[split].dataset))
    tested = loaders['val'] or loaders['test']
    return {**settings, 'test_mode': True, 'pipeline': tested.dataset.pipeline}
