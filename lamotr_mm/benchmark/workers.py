"""What runs as a process of its own: ``python -m lamotr_mm.benchmark.workers KIND FOLDER``.

The folder has the job's ``config.py`` and ``spec.json``. ``test`` leaves ``result.json`` and
``rows.npz``, ``tune`` ``settings.json``, ``speed`` ``result.json``; ``detect`` fills the kept
detections of `DetectionsOf`.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from lamotr_mm.apis.benchmark import timed, waiter
from lamotr_mm.apis.inferencer import default_device
from lamotr_mm.engine.launch import set_checkpoint
from lamotr_mm.evaluation import TrackingMetric
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.peers import DetectionsOf
from lamotr_mm.peers.comparison import Peer, keep_frames, tune
from lamotr_mm.registry import METRICS, MODELS

from .suite import is_peer

SPEED_FRAMES = 20


@METRICS.register_module()
class RecordedTracking(TrackingMetric):
    """`TrackingMetric` that leaves what it was given, and its results, for the report."""

    def score(self, truth: dict, tracks: dict, frames: dict) -> dict[str, dict]:
        """Scores by TrackEval; kept as attributes with the rows that they are of."""
        self.scores = super().score(truth, tracks, frames)
        self.rows = dict(truth=truth, tracks=tracks)
        return self.scores


def run_test(folder: Path, config: Config, spec: dict) -> None:
    """The config's test loop; its results by TrackEval, the rows they are of, parameters."""
    evaluators = config.test_evaluator
    listed = evaluators if isinstance(evaluators, list) else [evaluators]
    ours = [each for each in listed if each.type == 'lamotr_mm.TrackingMetric']
    if len(ours) != 1 or ours[0].get('format_only'):
        raise ValueError(
            f'test_evaluator has {len(ours)} lamotr_mm.TrackingMetric that may score: it needs '
            'exactly one, without format_only'
        )
    ours[0].type = 'lamotr_mm.RecordedTracking'
    runner = build_runner(config, spec, folder)
    runner.test()
    (metric,) = [m for m in runner.test_evaluator.metrics if isinstance(m, RecordedTracking)]
    arrays = {
        f'{kind}/{name}': rows for kind, of in metric.rows.items() for name, rows in of.items()
    }
    with replace_on_success(folder / 'rows.npz') as part:
        np.savez_compressed(part, **arrays)
    scores = metric.scores
    result = dict(
        combined=scores['combined'],
        sequences=scores['sequences'],
        counts=scores['counts'],
        parameters=count_parameters(runner.model, config, spec),
    )
    _write(folder / 'result.json', result)


def build_runner(config: Config, spec: dict, folder: Path) -> Runner:
    """A runner with the job's weights and thresholds."""
    apply(config, spec)
    config.work_dir = str(folder)
    return Runner.from_cfg(config)


def apply(config: Config, spec: dict) -> None:
    """Set weights and thresholds of a job.

    Raises:
        ValueError: there are no weights.
    """
    settings = dict(spec.get('settings') or {})
    if spec.get('tuned'):
        settings = json.loads(Path(spec['tuned']).read_text())['settings']
    config.merge_from_dict({f'model.{key}': value for key, value in settings.items()})
    set_checkpoint(config, weights_of(spec), resume=False)
    if is_peer(config):
        config.model.detector.cache_dir = spec['cache']


def weights_of(spec: dict) -> str:
    """The weights that were given, or the last ones of a training."""
    if spec['weights']:
        return spec['weights']
    pointer = Path(spec['trained']) / 'last_checkpoint'
    return str(pointer.with_name(Path(pointer.read_text().strip()).name))


def count_parameters(model: torch.nn.Module, config: Config, spec: dict) -> int:
    """All parameters, frozen ones too; of a peer, those of its detector."""
    if is_peer(config):
        model = MODELS.build(config.model.detector.model)
    return sum(parameter.numel() for parameter in model.parameters())


def run_detect(folder: Path, config: Config, spec: dict) -> None:
    """Keep the detections of every frame."""
    detector = DetectionsOf(config.model, weights_of(spec), spec['cache'])
    _frames(config, detector, config.model.data_preprocessor)


def run_tune(folder: Path, config: Config, spec: dict) -> None:
    """A peer's thresholds with a high HOTA on the frames of the config."""
    apply(config, spec)
    options = {k: v for k, v in config.model.detector.items() if k != 'type'}
    frames, dataset_meta = _frames(config, DetectionsOf(**options), config.model.data_preprocessor)
    evaluator = Evaluator(config.test_evaluator)
    evaluator.dataset_meta = dataset_meta
    peer = Peer('', config.model.to_dict(), spec['thresholds'], spec['grid'])
    settings, hota = tune(peer, frames, evaluator)
    _write(folder / 'settings.json', dict(settings=settings, hota=hota))


def _frames(config: Config, detector: DetectionsOf, preprocessor: dict) -> tuple[list, dict]:
    loader = Runner.build_dataloader(config.test_dataloader)
    built = MODELS.build(preprocessor).to(default_device())
    return keep_frames(detector, built, loader, 'frames'), loader.dataset.metainfo


def run_speed(folder: Path, _: Config | None, spec: dict) -> None:
    """Milliseconds a frame of several trackers, one after the other."""
    result = {}
    for name, test in spec['tests'].items():
        try:
            config = Config.fromfile(Path(test) / 'config.py')
            init_default_scope(config.get('default_scope', 'mmdet'))
            of_test = json.loads((Path(test) / 'spec.json').read_text())
            result[name] = measure(config, of_test | dict(cache=None), folder)
        except (ValueError, RuntimeError, KeyError) as error:  # leaves a cell empty, no more
            print(f'{name}: {error}')
    _write(folder / 'result.json', result)


@torch.no_grad()
def measure(config: Config, spec: dict, folder: Path) -> float:
    """Median time in ms from prepared image to tracks, over the first frames that are tested.

    A peer's includes that of its detector. Reading and resizing images are outside. On a CPU it is
    the time of its one thread, which other work on the machine hardly changes.
    """
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    config.custom_hooks = []  # some expect that loading a checkpoint is a part of a run
    runner = build_runner(config, spec, folder)
    runner.load_or_resume()
    model = runner.model.eval()
    wait = waiter(next(model.parameters(), torch.zeros(1)).device)
    loader = Runner.build_dataloader(config.test_dataloader)
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    seconds: list[float] = []
    for batch, _ in zip(loader, range(SPEED_FRAMES + 1)):
        with timed(seconds, wait, clock):
            model.test_step(batch)
    return 1000 * median(seconds[1:] or seconds)


def _write(file: Path, content: Any) -> None:
    with replace_on_success(file) as part:
        part.write_text(json.dumps(content, indent=1))


KINDS: dict[str, Callable] = dict(test=run_test, detect=run_detect, tune=run_tune, speed=run_speed)


def main(kind: str, folder: str) -> None:
    """Run one job."""
    started = time.perf_counter()
    config = None
    if (Path(folder) / 'config.py').is_file():
        config = Config.fromfile(Path(folder) / 'config.py')
        init_default_scope(config.get('default_scope', 'mmdet'))
    KINDS[kind](Path(folder), config, json.loads((Path(folder) / 'spec.json').read_text()))
    print(f'{kind}: {time.perf_counter() - started:.0f} s')


if __name__ == '__main__':
    main(*sys.argv[1:])
