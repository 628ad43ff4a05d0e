"""Checks of the videos that a config trains, validates and tests on: annotations and images."""

import os.path as osp
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from mmdet.datasets import BaseVideoDataset
from mmengine import fileio
from mmengine.config import Config

from lamotr_mm.io.images import size_of
from lamotr_mm.registry import DATASETS

from .annotation_checks import Finding, ImageEntry, Report, check_annotations

SPLITS = ('train', 'val', 'test')
SUBMISSION = 'submission'  # the test split for the server, of the config's key of that name
# keys of a data set's config that say nothing about its files
_HOW_TO_READ = ('pipeline', 'test_mode', 'filter_cfg', 'seed')


def find_sets(config: Config, splits: list[str]) -> list[tuple[list[str], dict]]:
    """The sets of videos of a config, out of wrappers around them.

    Args:
        config (Config): Has ``train_dataloader``, ``val_dataloader`` or ``test_dataloader``.
        splits (list[str]): Some of `SPLITS` and `SUBMISSION`.

    Returns:
        list[tuple[list[str], dict]]: Names of the splits that use a set, and its config; a set that
        several splits use is there once.

    Raises:
        ValueError: None of the splits has a data set.
    """
    found: list[tuple[list[str], dict]] = []
    for split in (name for name in (*SPLITS, SUBMISSION) if name in splits):
        for dataset in leaf_datasets(_dataset(config, split)):
            same = [users for users, other in found if _files(other) == _files(dataset)]
            if not same:
                found.append(([split], dataset))
            elif split not in same[0]:
                same[0].append(split)
    if not found:
        raise ValueError(f'{config.filename}: no data set for {", ".join(splits)}')
    return found


def _dataset(config: Config, split: str) -> dict:
    if split == SUBMISSION and split in config:
        return dict(config.test_dataloader.dataset, ann_file=config.submission.ann_file)
    return (config.get(f'{split}_dataloader') or {}).get('dataset') or {}


def leaf_datasets(dataset: dict) -> Iterator[dict]:
    """Configs of the data sets in a wrapper's ``datasets`` or ``dataset``; of itself if it is none.

    Args:
        dataset (dict): Config of a data set or of a wrapper; {} has none.
    """
    members = dataset.get('datasets', [dataset['dataset']] if 'dataset' in dataset else None)
    for member in members or []:
        yield from leaf_datasets(member)
    if dataset and members is None:
        yield dataset


def _files(dataset: dict) -> dict:
    return {key: value for key, value in dataset.items() if key not in _HOW_TO_READ}


def open_set(config: dict) -> BaseVideoDataset:
    """Makes a data set without reading its annotations: for its paths and classes.

    Raises:
        ValueError: It is no video data set.
    """
    dataset = DATASETS.build(dict(config, pipeline=[], lazy_init=True))
    if not isinstance(dataset, BaseVideoDataset):
        raise ValueError(f'{config["type"]} is no video data set, which is all that can be checked')
    return dataset


def check_set(
    dataset: BaseVideoDataset,
    jobs: int = 2,
    decode: bool = True,
    on_start: Callable[[int], None] = lambda total: None,
    on_image: Callable[[], None] = lambda: None,
) -> Report:
    """Checks the annotations of a set, then its images.

    Args:
        dataset (BaseVideoDataset): With a CocoVID json; needs not be initialised.
        jobs (int): Threads that read images.
        decode (bool): Whether to decode images as training does; else only the header and the end
            of each file are looked at.
        on_start (Callable): Called with the number of images.
        on_image (Callable): Called after each image.
    """
    report, images = check_annotations(
        str(dataset.ann_file), dataset.metainfo['classes'], not dataset.test_mode
    )
    folder = dataset.data_prefix.get('img_path') or ''
    on_start(len(images))

    def check(entry: ImageEntry) -> Finding | None:
        path = osp.join(folder, entry.file_name)
        defect = image_defect(path, entry.size, decode)
        return defect and Finding(*defect, path, entry.video, entry.frame)

    # threads: reading and decoding release the interpreter's lock
    pool = ThreadPoolExecutor(jobs)
    try:
        for finding in pool.map(check, images):
            if finding is not None:
                report.problems.append(finding)
            on_image()
    finally:
        pool.shutdown(cancel_futures=True)
    return report


def image_defect(path: str, size: tuple[int, int], decode: bool = True) -> tuple[str, str] | None:
    """What `LoadFrame` would refuse about an image.

    Args:
        path (str): The file.
        size (tuple[int, int]): Width and height in px that its annotations are for.
        decode (bool): Whether to decode it; else its size is taken from the header.

    Returns:
        tuple[str, str], optional: Kind and message; None if nothing is wrong.
    """
    try:
        data = fileio.get(path)
    except FileNotFoundError:
        return 'missing image', f'{path} does not exist'
    except OSError as error:
        return 'unreadable image', f'{path}: {error.strerror}'
    found = size_of(data, decode)
    if found is None:
        return 'unreadable image', f'{path} is cut off or no image: fetch or extract it again'
    if found != size:
        seen, stated = (f'{width}x{height} px' for width, height in (found, size))
        return 'image size', f'{path} has {seen}, its annotations are for {stated}'
    return None
