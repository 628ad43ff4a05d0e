"""LA-MOTR's association beside mmdet's ByteTrack, on the *same* object detections (boxes and scores
of ``O_obj``).

    python tools/analysis/compare_trackers.py configs/lamotr_pets.py demo/weights/lamotr_pets.pth
    python tools/analysis/compare_trackers.py CONFIG CHECKPOINT --split test

ByteTrack runs twice: with mmdet's default thresholds, and with all of them at 0.5 as LA-MOTR's are,
since a DETR's scores are lower than YOLOX's.
"""

import argparse
import copy
import sys

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmengine.utils import ProgressBar
from rich.console import Console
from rich.table import Table

from lamotr_mm.apis.inferencer import default_device, init_model
from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.evaluation import table_cells

BYTETRACK = dict(type='mmdet.ByteTracker', motion=dict(type='mmdet.KalmanFilter'))
TRACKERS = {
    "ByteTrack (mmdet's thresholds)": BYTETRACK,
    'ByteTrack (thresholds 0.5)': dict(
        BYTETRACK, obj_score_thrs=dict(high=0.5, low=0.1), init_track_thr=0.5
    ),
}
COLUMNS = ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1', 'IDSW', 'FP', 'FN')


def compare(config: Config, checkpoint: str, split: str = 'val') -> dict[str, dict[str, float]]:
    """Track the validation or test data once and give their detections to each tracker.

    Args:
        config: its ``<split>_dataloader`` and ``<split>_evaluator`` are used.
        checkpoint: file with the weights.
        split: 'val' or 'test'.

    Returns:
        tracker name -> metric name -> value, as the evaluator reports them.

    Raises:
        ValueError: the config has no such data, or does not score them; see also `init_model`.
    """
    data, evaluator_cfg = (config.get(f'{split}_{part}') for part in ('dataloader', 'evaluator'))
    if not data or not evaluator_cfg:
        raise ValueError(
            f'{config.filename} has no {split}_dataloader or no {split}_evaluator: name the other '
            '--split, or set both'
        )
    trackers = {name: MODELS.build(tracker) for name, tracker in TRACKERS.items()}
    evaluators = {name: Evaluator(evaluator_cfg) for name in ('LA-MOTR', *trackers)}
    if any(getattr(metric, 'format_only', False) for metric in evaluators['LA-MOTR'].metrics):
        raise ValueError(f'{split}_evaluator has format_only=True: comparing needs ground truth')
    model = init_model(config, checkpoint, default_device())
    loader = Runner.build_dataloader(data)
    for evaluator in evaluators.values():
        evaluator.dataset_meta = loader.dataset.metainfo
    bar = ProgressBar(len(loader))
    for batch in loader:
        samples = model.test_step(batch)
        evaluators['LA-MOTR'].process(data_samples=samples, data_batch=batch)
        for name, tracker in trackers.items():
            rivals = copy.deepcopy(samples)
            for frame in rivals[0]:
                frame.pred_track_instances = tracker.track(frame)
            evaluators[name].process(data_samples=rivals, data_batch=batch)
        bar.update()
    print()
    size = len(loader.dataset)
    return {name: evaluator.evaluate(size) for name, evaluator in evaluators.items()}


def main(argv: list[str] | None = None) -> None:
    """Compare; a bad config, checkpoint or option prints one line and exits with status 2."""
    parser = argparse.ArgumentParser(
        description="LA-MOTR's association beside mmdet's ByteTrack, on the same detections"
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--split', choices=('val', 'test'), default='val', help='default val')
    add_cfg_options(parser)
    args = parse_args(parser, argv)
    try:
        config = load_config(args.config, args.cfg_options)
        results = compare(config, args.checkpoint, args.split)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f'compare_trackers.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    table = Table('tracker', *COLUMNS, title=f'{args.config}, {args.split} split, same detections')
    for name, metrics in results.items():
        scores = {key.removeprefix('track/'): value for key, value in metrics.items()}
        table.add_row(name, *table_cells(scores, COLUMNS, decimals=1))
    Console().print(table)


if __name__ == '__main__':
    main()
