"""Scores the tracks of a checkpoint at many thresholds, without encoding the images anew.

    python tools/analysis/replay_lifecycle.py CONFIG CHECKPOINT --frames 121-300 \
        --grid lifecycle.gate=0.3,0.5 lifecycle.keep_thr=0.5,0.7

Keys are those of the config's `model` that no image feature depends on. The frames are those of
the training split: thresholds that are chosen on validation frames make its score worthless.
"""

import argparse
import hashlib
import tempfile
import time
from itertools import product
from pathlib import Path

from mmdet.datasets import BaseVideoDataset
from mmengine.config import Config, DictAction
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from rich.progress import track
from terminaltables import AsciiTable

from lamotr_mm.apis.inferencer import default_device, init_model
from lamotr_mm.apis.replay import apply_settings, encode_once, score, settings_of
from lamotr_mm.apis.split_data import dataset_settings
from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.io.frame_meta import frame_number, sequence_name
from lamotr_mm.registry import DATASETS

COLUMNS = ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDSW')


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Scores at many thresholds of the lifecycle')
    parser.add_argument('config', help='config file, for example configs/lamotr_pets.py')
    parser.add_argument('checkpoint', help='weights, for example demo/weights/lamotr_pets.pth')
    parser.add_argument(
        '--grid',
        nargs='+',
        action=DictAction,
        required=True,
        metavar='KEY=A,B',
        help='values of keys of `model`, for example lifecycle.gate=0.3,0.5',
    )
    parser.add_argument(
        '--split', choices=('train', 'val', 'test'), default='train', help='default: train'
    )
    parser.add_argument('--frames', metavar='FIRST-LAST', help='of each video; default: all')
    parser.add_argument(
        '--cache', type=Path, metavar='DIR', help='keep the image features here for the next call'
    )
    parser.add_argument('--device', default=default_device(), help='default: a GPU if there is one')
    add_cfg_options(parser)
    return parser


def grid_points(grid: dict) -> list[dict[str, float]]:
    """Every combination of the values."""
    values = [value if isinstance(value, list | tuple) else [value] for value in grid.values()]
    return [dict(zip(grid, point)) for point in product(*values)]


def parse_frames(text: str | None) -> range | None:
    """Frame numbers of 'FIRST-LAST', both included.

    Raises:
        ValueError: it is something else.
    """
    if text is None:
        return None
    first, _, last = text.partition('-')
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ValueError(f'--frames {text}: give FIRST-LAST, for example 121-300')
    return range(int(first), int(last) + 1)


def describe(dataset: BaseVideoDataset, split: str, frames: list) -> str:
    """Which frames these are."""
    numbers: dict[str, list[int]] = {}
    for frame in frames:
        meta = frame.sample[0].metainfo
        numbers.setdefault(sequence_name(meta), []).append(frame_number(meta))
    parts = [f'{name} {min(of)}-{max(of)}' for name, of in numbers.items()]
    if len(parts) > 4:
        parts[3:] = [f'{len(parts) - 3} more videos']
    source = f' ({dataset.ann_file})' if dataset.ann_file else ''
    return f'{split} split{source}: {len(frames)} frames, {", ".join(parts)}'


def format_points(points: list[tuple[dict, dict]], present: dict) -> str:
    """Table of (settings, scores), best HOTA first; the config's own settings have a star."""
    points = sorted(points, key=lambda point: -point[1]['track/HOTA'])
    lines = [[*present, *COLUMNS, '']]
    for settings, scores in points:
        values = [scores[f'track/{name}'] for name in COLUMNS]
        cells = [f'{value:.2f}' if isinstance(value, float) else str(value) for value in values]
        star = '* config' if settings == present else ''
        lines.append([*map(str, settings.values()), *cells, star])
    table = AsciiTable(lines)
    table.justify_columns = {i: 'right' for i in range(len(lines[0]) - 1)}
    return table.table


def run(cfg: Config, args: argparse.Namespace) -> None:
    """Encode once, replay each point, print the table."""
    numbers = parse_frames(args.frames)
    # the metric logs a table of each point
    MMLogger.get_instance('replay', log_level='WARNING')
    model = init_model(cfg, args.checkpoint, args.device)
    present = settings_of(model, args.grid)
    points = grid_points(args.grid)
    points = [present, *(point for point in points if point != present)]
    dataset = DATASETS.build(dataset_settings(cfg, args.split))
    evaluator = Evaluator(cfg.get('val_evaluator') or cfg.test_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    with tempfile.TemporaryDirectory(prefix='replay_') as folder:
        start = time.perf_counter()
        origin = origin_of(cfg, args)
        frames = encode_once(model, dataset, args.cache or Path(folder), numbers, origin)
        if not frames:
            raise ValueError(f'--frames {args.frames}: the {args.split} split has none of them')
        seconds = time.perf_counter() - start
        print(f'{describe(dataset, args.split, frames)}; encoded in {seconds:.1f} s')
        start = time.perf_counter()
        results = []
        for point in track(points, 'replaying'):
            apply_settings(model, point)
            results.append((point, score(model, frames, evaluator)))
    seconds = (time.perf_counter() - start) / len(points)
    print(format_points(results, present))
    print(f'{len(points)} points, {seconds:.1f} s each')


def origin_of(cfg: Config, args: argparse.Namespace) -> str:
    """What the image features depend on."""
    weights = hashlib.sha256(Path(args.checkpoint).read_bytes()).hexdigest()
    parts = ('data_preprocessor', 'backbone', 'neck', 'encoder', 'precision')
    parts = [cfg.model.get(key) for key in parts]
    videos = dataset_settings(cfg, args.split)
    return repr([weights, parts, videos, args.frames, args.device])


def main(argv: list[str] | None = None) -> None:
    """Replay; a wrong argument prints one line and exits with status 2."""
    parser = make_parser()
    args = parse_args(parser, argv)
    try:
        run(load_config(args.config, args.cfg_options), args)
    except ValueError as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
