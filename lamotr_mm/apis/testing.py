"""Test a checkpoint on a data set: what `lamotr test` and `tools/test.py` do."""

import os

import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.runner import Runner

from lamotr_mm.engine.launch import (
    end_launch,
    load_config,
    prepare_launch,
    set_checkpoint,
    set_work_dir,
)
from lamotr_mm.evaluation.submission import check_sequences, has_ground_truth, read_lengths
from lamotr_mm.models.precision import check_precision


def testing_config(
    config: str,
    checkpoint: str,
    work_dir: str | None = None,
    out: str | None = None,
    submission: str | None = None,
    show_dir: str | None = None,
    show: bool = False,
    precision: str | None = None,
    cfg_options: dict | None = None,
    launcher: str = 'none',
    local_rank: int | None = None,
) -> Config:
    """What a Runner tracks, scores and draws; the arguments are those of mmdet's tool.

    Args:
        config: config file.
        checkpoint: weights.
        work_dir: logs. Default: the config's, else ``work_dirs/<config name>``.
        out: folder for the tracks, one MOTChallenge txt per video.
        submission: zip for the test server; the split without ground truth is tracked.
        show_dir: folder for frames with drawn tracks.
        show: show drawn frames in a window.
        precision: 'fp32', 'bf16' or 'fp16'. Default: the config's, else 'fp32'.
        cfg_options: dotted key -> value, changes the config.
        launcher, local_rank: of :func:`~lamotr_mm.engine.launch.prepare_launch`.

    Raises:
        ValueError: an argument is wrong.
    """
    cfg = load_config(config, cfg_options)
    set_checkpoint(cfg, checkpoint, resume=False)
    set_work_dir(cfg, config, work_dir)
    if show or show_dir:
        set_drawing(cfg, show, show_dir)
    if submission:
        set_submission(cfg, submission)
    if out:
        set_out(cfg, out)
    if precision:
        check_precision(precision, torch.device(get_device()))
        cfg.model.precision = precision
    check_ground_truth(cfg)
    prepare_launch(cfg, launcher, local_rank)
    return cfg


def test(cfg: Config) -> None:
    """Test what :func:`testing_config` returned."""
    runner = Runner.from_cfg(cfg)
    runner.test()
    end_launch()


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


def tracking_metrics(cfg: Config) -> list[ConfigDict]:
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
