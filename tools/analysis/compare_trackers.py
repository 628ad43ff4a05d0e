"""LA-MOTR's association beside that of other trackers, on the *same* detections.

    python tools/analysis/compare_trackers.py configs/lamotr_pets.py demo/weights/lamotr_pets.pth
    python tools/analysis/compare_trackers.py CONFIG CHECKPOINT --split test
    python tools/analysis/compare_trackers.py CONFIG CHECKPOINT --tune annotations/dev.json

The detections are LA-MOTR's object queries (boxes and scores of ``O_obj``). The peers are those of
configs/peers/; each runs with its own thresholds and, with --tune, with those that do best on
frames of the training split. docs/peers.md says what the rows mean.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

from lamotr_mm.apis.inferencer import default_device
from lamotr_mm.apis.split_data import dataset_settings
from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.evaluation import table_cells
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.peers import DetectionsOf
from lamotr_mm.peers.comparison import (
    KeptFrame,
    Peer,
    Settings,
    keep_frames,
    load_peer,
    numbers_of,
    on_own_boxes,
    score,
    tracks_of,
    tune,
)
from lamotr_mm.registry import MODELS

COLUMNS = ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1', 'IDSW', 'FP', 'FN')
FOLDER = Path(__file__).resolve().parents[2] / 'configs' / 'peers'
NAMES = ('bytetrack', 'ocsort', 'sort', 'sort-kalman', 'strongsort', 'perfect-ids')
ORACLE = 'perfect ids'
OWN_BOXES = "perfect ids on LA-MOTR's boxes"
# row of the table -> metric -> value
Results = dict[str, dict[str, float]]


def peers() -> list[Peer]:
    """Those of configs/peers/, of which only the trackers are taken, not the data."""
    return [load_peer(FOLDER / f'{name}_people.py') for name in NAMES]


class Comparison:
    """Trackers on the detections of one LA-MOTR.

    Args:
        config: of LA-MOTR; its dataloaders and evaluators are used.
        checkpoint: file with the weights.
        cache: folder to keep detections in, for another call.

    Raises:
        ValueError: the checkpoint or its model is not LA-MOTR's.
    """

    def __init__(self, config: Config, checkpoint: str, cache: str | None = None) -> None:
        init_default_scope(config.get('default_scope', 'mmdet'))
        self.config = config
        self.detector = DetectionsOf(config.model, checkpoint, cache)
        self.preprocessor = MODELS.build(config.model.data_preprocessor).to(default_device())

    def part(self, name: str) -> dict:
        """A dataloader or evaluator of the config.

        Raises:
            ValueError: there is none.
        """
        found = self.config.get(name)
        if not found:
            split = name.partition('_')[0]
            raise ValueError(
                f'{self.config.filename} has no {split}_dataloader or no {split}_evaluator: name '
                'the other --split, or set both'
            )
        return found

    def evaluator(self, split: str) -> Evaluator:
        """The split's.

        Raises:
            ValueError: there is none, or it does not score.
        """
        evaluator = Evaluator(self.part(f'{split}_evaluator'))
        if any(getattr(metric, 'format_only', False) for metric in evaluator.metrics):
            raise ValueError(
                f'{split}_evaluator has format_only=True: comparing needs ground truth'
            )
        return evaluator

    def frames(self, loader: dict, evaluator: Evaluator, label: str) -> list[KeptFrame]:
        """Frames with detections, which the evaluator is made ready for."""
        built = Runner.build_dataloader(loader)
        evaluator.dataset_meta = built.dataset.metainfo
        return keep_frames(self.detector, self.preprocessor, built, label)

    def tune(
        self, rivals: list[Peer], split: str, scored: list[KeptFrame], ann_file: str | None
    ) -> Iterator[tuple[str, Settings, float]]:
        """Choose each peer's thresholds on frames of the training split.

        Args:
            rivals: peers.
            split: the one that is scored.
            scored: its frames.
            ann_file: of the frames to choose on; None: all that the config trains with.

        Yields:
            Name, settings and HOTA there.

        Raises:
            ValueError: a frame to choose on is scored, too.
        """
        dataset = dataset_settings(self.config, 'train')
        if ann_file is not None:
            dataset['ann_file'] = ann_file
        evaluator = self.evaluator(split)
        loader = {**self.part(f'{split}_dataloader'), 'dataset': dataset}
        frames = self.frames(loader, evaluator, 'detecting (frames to tune on)')
        for sequence, number in sorted(numbers_of(frames) & numbers_of(scored))[:1]:
            raise ValueError(
                f'--tune: frame {number} of {sequence} is in the {split} split, which is scored: '
                'name an annotation file of other frames'
            )
        for rival in rivals:
            with Console().status(f'tuning {rival.name}'):
                yield rival.name, *tune(rival, frames, evaluator)


def compare(
    config: Config,
    checkpoint: str,
    split: str = 'val',
    tune_on: str | bool = False,
    tuned: dict[str, Settings] | None = None,
    cache: str | None = None,
) -> tuple[Results, dict[str, Settings]]:
    """Track a split once and give its detections to each tracker.

    Args:
        config: of LA-MOTR; ``<split>_dataloader`` and ``<split>_evaluator`` are used.
        checkpoint: file with the weights.
        split: 'val' or 'test'.
        tune_on: annotation file to choose the peers' thresholds on, True: of all training frames.
        tuned: name of a peer -> settings, of an earlier call.
        cache: folder to keep detections in.

    Returns:
        The rows, with metrics as the evaluator names them, and the tuned settings.

    Raises:
        ValueError: the config has no such data, or does not score them; see `init_model`.
    """
    MMLogger.get_instance('compare_trackers', log_level='WARNING')  # the metric logs each table
    comparison = Comparison(config, checkpoint, cache)
    evaluator = comparison.evaluator(split)
    frames = comparison.frames(comparison.part(f'{split}_dataloader'), evaluator, 'detecting')
    rivals = peers()
    tuned = dict(tuned or {})
    if tune_on:
        ann_file = tune_on if isinstance(tune_on, str) else None
        for name, settings, hota in comparison.tune(rivals, split, frames, ann_file):
            tuned[name] = settings
            print(f'{name}: {as_options(settings)}  # HOTA {hota:.1f} on the frames to tune on')
    results = {'LA-MOTR': score(frames, [frame.tracks for frame in frames], evaluator)}
    for rival in rivals:
        rows = dict(rival.thresholds)
        if rival.name in tuned:
            rows['tuned'] = tuned[rival.name]
        for row, settings in rows.items():
            tracks = tracks_of(rival.build(settings), frames)
            results[f'{rival.name} ({row})'] = score(frames, tracks, evaluator)
        if rival.name == ORACLE:
            own = on_own_boxes(frames)
            tracks = tracks_of(rival.build({'tracker.score_thr': 0.0}), own)
            results[OWN_BOXES] = score(own, tracks, evaluator)
    return results, tuned


def as_options(settings: Settings) -> str:
    """What gives a config of configs/peers/ these settings."""
    pairs = ' '.join(f'model.{key}={value}' for key, value in settings.items())
    return f'--cfg-options {pairs}' if pairs else 'as in its config'


def tables(results: Results, title: str) -> Iterator[Table]:
    """One of all sequences and, where there are several, one of each."""
    first = next(iter(results.values()))
    sequences = [name.removesuffix('/HOTA') for name in first if name.endswith('/HOTA')]
    sequences.remove('track')
    for prefix in ['track', *(sequences if len(sequences) > 1 else [])]:
        name = prefix.partition('/')[2]
        table = Table('tracker', *COLUMNS, title=f'{title}{name and f", {name}"}')
        for row, metrics in results.items():
            scores = {key: metrics[f'{prefix}/{key}'] for key in COLUMNS}
            table.add_row(row, *table_cells(scores, COLUMNS, decimals=1))
        yield table


def read_tuned(file: str) -> dict[str, Settings]:
    """Settings by peer that --tuned wrote.

    Raises:
        ValueError: the file is missing or of another form.
    """
    try:
        settings = json.loads(Path(file).read_text())['settings']
        known = {peer.name: peer.grid for peer in peers()}
        unknown = [name for name in settings if not settings[name].keys() <= known[name].keys()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'--tuned {file} cannot be read ({error!r}): --tune writes it') from error
    if unknown:
        raise ValueError(f'--tuned {file}: configs/peers/ tunes {unknown[0]} by other keys')
    return settings


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="LA-MOTR's association beside that of other trackers, on the same detections"
    )
    parser.add_argument('config', help='of LA-MOTR, for example configs/lamotr_people.py')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--split', choices=('val', 'test'), default='val', help='default val')
    parser.add_argument(
        '--tune',
        nargs='?',
        const=True,
        default=False,
        metavar='ANN_FILE',
        help="choose the peers' thresholds on these frames; default: those of the training split",
    )
    parser.add_argument(
        '--tuned',
        metavar='FILE.json',
        help='tuned thresholds: written with --tune, else read and used',
    )
    parser.add_argument('--cache', metavar='DIR', help='keep detections here for the next call')
    add_cfg_options(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Compare; a bad config, checkpoint or option prints one line and exits with status 2."""
    args = parse_args(make_parser(), argv)
    try:
        config = load_config(args.config, args.cfg_options)
        tuned = read_tuned(args.tuned) if args.tuned and not args.tune else None
        results, tuned = compare(config, args.checkpoint, args.split, args.tune, tuned, args.cache)
        if args.tuned and args.tune:
            origin = dict(config=args.config, checkpoint=args.checkpoint, frames=args.tune)
            with replace_on_success(args.tuned) as part:
                part.write_text(json.dumps(dict(origin, settings=tuned), indent=1))
    except (ValueError, OSError, FloatingPointError) as error:
        print(f'compare_trackers.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    title = f'{Path(args.config).name}, {args.split} split, same detections'
    # names of rows stay whole where the output is piped, for which rich assumes 80 columns
    console = Console(width=max(Console().width, 120))
    for table in tables(results, title):
        console.print(table)


if __name__ == '__main__':
    main()
