"""Test a checkpoint: `python tools/test.py CONFIG CHECKPOINT [options]`."""

import argparse
import os

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from lamotr_mm.engine.launch import (
    add_cfg_options,
    add_launcher,
    end_launch,
    load_config,
    parse_args,
    prepare_launch,
    set_checkpoint,
    set_work_dir,
)
from lamotr_mm.evaluation.submission import check_sequences, has_ground_truth, read_lengths
from lamotr_mm.models.precision import PRECISIONS, check_precision


def make_parser() -> argparse.ArgumentParser:
    """Command line; the same as that of mmdet's tool."""
    parser = argparse.ArgumentParser(description='Test a model: track, score, draw')
    parser.add_argument('config', help='config file, for example configs/lamotr_pets.py')
    parser.add_argument('checkpoint', help='weights, for example demo/weights/lamotr_pets.pth')
    parser.add_argument('--work-dir', help='logs; default work_dirs/<config name>')
    parser.add_argument('--out', help='folder for the tracks, one MOTChallenge txt per video')
    parser.add_argument(
        '--submission',
        metavar='FILE.zip',
        help='track the test split without ground truth, for the test server (docs/submissions.md)',
    )
    parser.add_argument('--show-dir', help='folder for frames with drawn tracks')
    parser.add_argument('--show', action='store_true', help='show drawn frames in a window')
    parser.add_argument('--precision', choices=PRECISIONS, help="default: the config's, else fp32")
    add_cfg_options(parser)
    add_launcher(parser)
    return parser


def set_drawing(cfg: Config, show: bool, show_dir: str | None) -> None:
    """Let the visualisation hook draw every frame.

    Raises:
        ValueError: when the config has no `default_hooks.visualization`.
    """
    if 'visualization' not in cfg.get('default_hooks', {}):
        raise ValueError('--show and --show-dir need default_hooks.visualization in the config')
    hook = cfg.default_hooks.visualization
    hook.update(draw=True, show=show, frame_interval=1)
    if show_dir:
        hook.test_out_dir = os.path.abspath(show_dir)


def set_submission(cfg: Config, file: str) -> None:
    """Test on the split that the config's key `submission` names, and write the server's zip.

    Raises:
        ValueError: when the config has no such key, the split lacks sequences, or `file` is no name
            of a zip.
    """
    submission = cfg.get('submission') or {}
    if not {'benchmark', 'ann_file'} <= submission.keys():
        raise ValueError(
            '--submission needs submission=dict(benchmark=..., ann_file=...) in the config, which '
            'names the test split without ground truth'
        )
    if os.path.splitext(file)[1] != '.zip' or os.path.isdir(file):
        raise ValueError(f'--submission {file}: name a file, FILE.zip')
    benchmark = submission['benchmark']
    cfg.test_dataloader.dataset.ann_file = submission['ann_file']
    ann_file = tested_ann_file(cfg)
    check_sequences(benchmark, read_lengths(ann_file), ann_file)
    cfg.test_evaluator = dict(
        type='lamotr_mm.TrackingMetric',
        benchmark=benchmark,
        format_only=True,
        submission=os.path.abspath(file),
    )


def check_ground_truth(cfg: Config) -> None:
    """Whether the test split has ground truth, where it is read from a json and will be scored.

    Raises:
        ValueError: when it has none.
    """
    if all(metric.get('format_only') for metric in tracking_metrics(cfg)):
        return
    ann_file = tested_ann_file(cfg)
    # a json that is missing is for the data set to report
    if os.path.isfile(ann_file) and not has_ground_truth(ann_file, image_root(cfg)):
        raise ValueError(
            f'{ann_file} has no ground truth to score the tracks with: --submission FILE.zip '
            'writes what the test server takes'
        )


def tested_ann_file(cfg: Config) -> str:
    """Path of the json that is tested on; '' for data without one."""
    dataset = cfg.test_dataloader.dataset
    ann_file = dataset.get('ann_file', '')
    return ann_file and os.path.join(dataset.get('data_root') or '', ann_file)


def image_root(cfg: Config) -> str:
    """Folder that the frames of the data that is tested on are relative to."""
    dataset = cfg.test_dataloader.dataset
    prefix = dataset.get('data_prefix') or {}
    return os.path.join(dataset.get('data_root') or '', prefix.get('img_path') or '')


def tracking_metrics(cfg: Config) -> list[dict]:
    """Configs of the `TrackingMetric` that the config tests with."""
    evaluators = cfg.get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    return [e for e in evaluators if e.get('type') == 'lamotr_mm.TrackingMetric']


def set_out(cfg: Config, folder: str) -> None:
    """Let the config's `TrackingMetric` write its tracks.

    Raises:
        ValueError: when the config does not test with exactly one `TrackingMetric`.
    """
    metrics = tracking_metrics(cfg)
    if len(metrics) != 1:
        raise ValueError(
            f'--out needs one lamotr_mm.TrackingMetric in test_evaluator, found {len(metrics)}'
        )
    metrics[0].outfile_prefix = os.path.abspath(folder)


def main(argv: list[str] | None = None) -> None:
    """Test; a wrong argument prints one line and exits with status 2."""
    parser = make_parser()
    args = parse_args(parser, argv)
    try:
        cfg = load_config(args.config, args.cfg_options)
        set_checkpoint(cfg, args.checkpoint, resume=False)
        set_work_dir(cfg, args.config, args.work_dir)
        if args.show or args.show_dir:
            set_drawing(cfg, args.show, args.show_dir)
        if args.submission:
            set_submission(cfg, args.submission)
        if args.out:
            set_out(cfg, args.out)
        if args.precision:
            check_precision(args.precision, torch.device(get_device()))
            cfg.model.precision = args.precision
        check_ground_truth(cfg)
        prepare_launch(cfg, args.launcher, args.local_rank)
    except ValueError as error:
        parser.error(str(error))
    runner = Runner.from_cfg(cfg)
    runner.test()
    end_launch()


if __name__ == '__main__':
    main()
