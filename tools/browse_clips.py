"""Draw the clips that a config trains on: `python tools/browse_clips.py CONFIG [options]`.

They are the first ones of an epoch, with the very augmentation that one process gets in training.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.io.frame_meta import frame_number, sequence_name
from lamotr_mm.preparation.checks import SPLITS, leaf_datasets
from lamotr_mm.registry import DATA_SAMPLERS, DATASETS
from lamotr_mm.visualization.contact_sheet import write_png
from lamotr_mm.visualization.draw_clips import draw_clip


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Draw the clips that a config trains on')
    parser.add_argument('config', help='config file, for example configs/lamotr_dancetrack.py')
    parser.add_argument('--num', type=int, default=6, help='clips (default 6)')
    parser.add_argument('--out-dir', type=Path, help='default: work_dirs/<config name>/clips')
    parser.add_argument('--epoch', type=int, default=0, help='from 0 (default 0)')
    parser.add_argument('--seed', type=int, help="default: the config's")
    parser.add_argument(
        '--split', choices=SPLITS, default='train', help='val and test: frames (default train)'
    )
    add_cfg_options(parser)
    return parser


def open_loader(config: Config, split: str, seed: int | None, epoch: int) -> tuple:
    """The data set and the sampler of a split, at an epoch.

    Raises:
        ValueError: The config has no such split, or its data are broken.
    """
    loader = config.get(f'{split}_dataloader')
    if not loader:
        raise ValueError(f'{config.filename} has no {split}_dataloader')
    if seed is not None:
        for part in (loader.sampler, *leaf_datasets(loader.dataset)):
            part.seed = seed
    dataset = DATASETS.build(loader.dataset)
    sampler = DATA_SAMPLERS.build(loader.sampler, default_args=dict(dataset=dataset))
    dataset.set_epoch(epoch)
    sampler.set_epoch(epoch)
    return dataset, sampler


def browse(args: argparse.Namespace) -> Path:
    """Writes the pictures; returns their folder."""
    for name, least in (('num', 1), ('epoch', 0), ('seed', 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ValueError(f'--{name} {value}: at least {least}')
    config = load_config(args.config, args.cfg_options)
    init_default_scope(config.get('default_scope', 'mmdet'))
    dataset, sampler = open_loader(config, args.split, args.seed, args.epoch)
    # test frames come in order: spread over all videos
    step = max(1, len(sampler) // args.num) if dataset.test_mode else 1
    indices = list(itertools.islice(sampler, 0, step * args.num, step))
    out_dir = args.out_dir or Path('work_dirs', Path(args.config).stem, 'clips')
    for place, index in enumerate(track(indices, 'clips')):
        item = dataset[index]
        sample = item['data_samples']
        picture = draw_clip(
            item['inputs'], sample, dataset.metainfo['classes'], original_boxes=dataset.test_mode
        )
        meta = sample[0].metainfo
        name = f'{place:02d}_{sequence_name(meta)}_{frame_number(meta):06d}.png'
        write_png(out_dir / name.replace('/', '_'), np.ascontiguousarray(picture))
    return out_dir


def main(argv: list[str] | None = None) -> None:
    """Draw; a wrong call or broken data print one line and exit with status 2."""
    parser = make_parser()
    args = parse_args(parser, argv)
    try:
        print(browse(args))
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
