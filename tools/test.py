"""Test a checkpoint: `python tools/test.py CONFIG CHECKPOINT [options]`."""

import argparse
import os

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from lamotr_mm.engine.launch import (
    LAUNCHERS,
    load_config,
    parse_args,
    prepare_launch,
    set_checkpoint,
    set_work_dir,
)


def make_parser() -> argparse.ArgumentParser:
    """Command line; the same as that of mmdet's tool."""
    parser = argparse.ArgumentParser(description='Test a model: track, score, draw')
    parser.add_argument('config', help='config file, for example configs/lamotr_pets.py')
    parser.add_argument('checkpoint', help='weights, for example demo/weights/lamotr_pets.pth')
    parser.add_argument('--work-dir', help='logs; default work_dirs/<config name>')
    parser.add_argument('--out', help='folder for the tracks, one MOTChallenge txt per video')
    parser.add_argument('--show-dir', help='folder for frames with drawn tracks')
    parser.add_argument('--show', action='store_true', help='show drawn frames in a window')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config, for example test_dataloader.num_workers=0',
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    # older torch launchers pass it; torchrun sets LOCAL_RANK in the environment
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
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


def set_out(cfg: Config, folder: str) -> None:
    """Let the config's `TrackingMetric` write its tracks.

    Raises:
        ValueError: when the config does not test with exactly one `TrackingMetric`.
    """
    evaluators = cfg.get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    metrics = [e for e in evaluators if e.get('type') == 'lamotr_mm.TrackingMetric']
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
        if args.local_rank is not None:
            os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
        cfg = load_config(args.config, args.cfg_options)
        set_checkpoint(cfg, args.checkpoint, resume=False)
        set_work_dir(cfg, args.config, args.work_dir)
        if args.show or args.show_dir:
            set_drawing(cfg, args.show, args.show_dir)
        if args.out:
            set_out(cfg, args.out)
        prepare_launch(cfg, args.launcher)
    except ValueError as error:
        parser.error(str(error))
    runner = Runner.from_cfg(cfg)
    runner.test()


if __name__ == '__main__':
    main()
