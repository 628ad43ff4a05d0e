"""From a suite to jobs: what is trained, tested and tuned for each row and seed."""

import copy
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope

from lamotr_mm.apis.split_data import dataset_settings
from lamotr_mm.engine.launch import check_load_from, existing_file, load_config
from lamotr_mm.io.frame_meta import frame_number, sequence_name
from lamotr_mm.peers.comparison import Peer, Settings, load_peer
from lamotr_mm.preparation.checks import leaf_datasets
from lamotr_mm.registry import DATASETS

from .jobs import (
    PACKAGE,
    TESTING,
    TRAINING,
    Job,
    annotations,
    code_version,
    digest,
    key_of,
)
from .resolve import merge, on_data, to_test, to_train
from .suite import Row, Suite, data_config, is_peer


class Options(NamedTuple):
    """How the command line wants it.

    Attributes:
        folder: of the jobs.
        split: 'test' or 'val'.
        amp: mixed precision in training.
        launcher: 'none', 'pytorch' or 'slurm'.
        gpus: processes of a training under a launcher.
        partition: of Slurm.
        cfg_options: dotted key -> value, merged into every row last.
        tuned: name of a peer -> settings, of an earlier call.
    """

    folder: Path
    split: str = 'test'
    amp: bool = False
    launcher: str = 'none'
    gpus: int = 1
    partition: str = ''
    cfg_options: dict[str, Any] = {}  # noqa: RUF012  # never changed
    tuned: dict[str, Settings] = {}  # noqa: RUF012  # never changed


@dataclass
class Run:
    """One seed of an entry; seed None: weights that were given."""

    seed: int | None
    test: Job
    train: Job | None = None
    tune: Job | None = None


@dataclass
class Entry:
    """A row of the table; a peer has several, one for each set of thresholds.

    Attributes:
        name: of the row.
        runs: one for each seed.
        oracle: it knows the ground truth.
        detections: name of the row whose detections a peer gets.
        peer: name of the peer in its config; '' for none.
        reason: why it has no runs.
    """

    name: str
    runs: list[Run] = field(default_factory=list)
    oracle: bool = False
    detections: str = ''
    peer: str = ''
    reason: str = ''


class Planner:
    """Plans the rows of a suite.

    Args:
        suite: checked.
        options: of the command line.

    Raises:
        ValueError: the data config cannot be used.
    """

    def __init__(self, suite: Suite, options: Options) -> None:
        self.suite = suite
        self.options = options
        self.data = load_config(data_config(str(suite.data)))
        init_default_scope(self.data.get('default_scope', 'mmdet'))
        # rows that detect: name -> config with the data, runs
        self.detectors: dict[str, tuple[Config, list[Run]]] = {}
        self.budgets: dict[str, dict] = {}
        # key -> job: rows that need the same run share it
        self.jobs: dict[str, Job] = {}

    def entries(self) -> list[Entry]:
        """The table's rows, in order; one that cannot be planned has a reason.

        Raises:
            ValueError: the rows would be trained under different budgets, or thresholds be tuned
                on frames that are scored.
        """
        planned: dict[str, list[Entry]] = {}
        loaded = {row.name: self._load(row) for row in self.suite.rows}
        peers = {
            n for n, config in loaded.items() if isinstance(config, Config) and is_peer(config)
        }
        # detections come from rows that may stand below
        for row in sorted(self.suite.rows, key=lambda row: row.name in peers):
            found = loaded[row.name]
            try:
                if isinstance(found, str):
                    raise ValueError(found)
                if row.name in peers:
                    planned[row.name] = self._peer(row, found)
                else:
                    planned[row.name] = [self._model(row, found)]
            except UnfairError:
                raise
            except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
                text = str(error) if isinstance(error, ValueError | OSError) else repr(error)
                planned[row.name] = [Entry(row.name, reason=text)]
        self._check_budgets()
        return [entry for row in self.suite.rows for entry in planned[row.name]]

    def _load(self, row: Row) -> Config | str:
        """The row's config, or why it cannot be read."""
        try:
            return load_config(row.config)
        except ValueError as error:
            return str(error)

    def _complete(self, row: Row, config: Config) -> Config:
        """The row's config with data and options in it."""
        config = on_data(config, self.data)
        merge(config, self.suite.data_options, 'data_options')
        merge(config, row.overrides, f'overrides of {row.name}')
        merge(config, self.options.cfg_options, '--cfg-options')
        return config

    def _model(self, row: Row, config: Config) -> Entry:
        config = self._complete(row, config)
        tested = to_test(config, self.options.split)
        _check_data(tested, 'test')
        runs = []
        if row.weights is not None:
            existing_file(row.weights, 'weights')
            runs.append(Run(None, self._test(row.name, None, tested, weights=row.weights)))
        else:
            for seed in range(self.suite.seeds):
                train = self._train(row.name, seed, config)
                runs.append(Run(seed, self._test(row.name, seed, tested, train=train), train))
        self.detectors[row.name] = (config, runs)
        return Entry(row.name, runs)

    def _train(self, name: str, seed: int, config: Config) -> Job:
        config = to_train(config, seed, self.suite.budget)
        _check_data(config, 'train')
        check_load_from(config)
        _check_pretrained(config.model)
        self.budgets[name] = dict(
            iterations_or_epochs=config.train_cfg.get('max_iters')
            or config.train_cfg.get('max_epochs'),
            batch_size=config.train_dataloader.get('batch_size'),
        )
        options = self.options
        how = [options.amp, options.gpus if options.launcher != 'none' else 0]
        key = key_of('train', config, how, code_version(TRAINING))
        job = self._job(f'{name}, seed {seed}: train', 'train', key, [], config, {})
        job.iterations = config.train_cfg.get('max_iters')
        return job

    def _training_command(self, folder: Path) -> list[str]:
        config, options = str(folder / 'config.py'), self.options
        rest = ['--resume', 'auto', *(['--amp'] if options.amp else [])]
        if options.launcher == 'pytorch':
            start = [str(tools() / 'dist_train.sh'), config, str(options.gpus)]
        elif options.launcher == 'slurm':
            start = [str(tools() / 'slurm.sh'), 'train', options.partition, folder.name, config]
            return [*start, str(folder), *rest]
        else:
            start = [sys.executable, str(tools() / 'train.py'), config]
        return [*start, '--work-dir', str(folder), *rest]

    def _test(
        self,
        name: str,
        seed: int | None,
        config: Config,
        needs: Sequence[Job] = (),
        train: Job | None = None,
        weights: str | None = None,
        settings: Settings | None = None,
        tune: Job | None = None,
    ) -> Job:
        spec = dict(
            weights=weights,
            trained=str(train.folder) if train else None,
            cache=str(self.options.folder / 'detections'),
            settings=settings or {},
            tuned=str(tune.folder / 'settings.json') if tune else None,
        )
        of = self._origin(spec), spec['settings'], tune.folder.name[-12:] if tune else ''
        key = key_of('test', config, of, code_version(TESTING))
        waits = [job for job in (*needs, train, tune) if job]
        return self._job(f'{name}{_seed(seed)}: test', 'test', key, waits, config, spec)

    def _peer(self, row: Row, config: Config) -> list[Entry]:
        source = row.detections or next(iter(self.detectors), None)
        if source not in self.detectors:
            raise ValueError(f'it has no detections: row {source!r} detects none')
        config = self._complete(row, config)
        peer = load_peer(row.config)
        of_row, runs = self.detectors[source]
        # mmengine's update() would merge the two models
        config.model.detector.model = of_row.model
        config.model.detector.checkpoint = ''
        config.model.detector.cache_dir = None
        config.model.data_preprocessor = of_row.model.data_preprocessor
        tested = to_test(config, self.options.split)
        # the loader and pipeline of the row that detects
        tested.test_dataloader = to_test(of_row, self.options.split).test_dataloader
        oracle = config.model.tracker.type == 'lamotr_mm.PerfectIds'
        entries = []
        for label, settings in self._thresholds(peer).items():
            entry = Entry(f'{row.name} ({label})', [], oracle, source, peer.name)
            for run in runs:
                tune = self._tune(row, run, tested, source) if settings is None else None
                test = self._test(
                    entry.name,
                    run.seed,
                    tested,
                    [self._detect(source, run, to_test(of_row, self.options.split))],
                    train=run.train,
                    weights=run.test.spec['weights'],
                    settings=settings,
                    tune=tune,
                )
                entry.runs.append(Run(run.seed, test, run.train, tune))
            entries.append(entry)
        return entries

    def _thresholds(self, peer: Peer) -> dict[str, Settings | None]:
        """Label -> settings; None: to be tuned."""
        found: dict[str, Settings | None] = dict(peer.thresholds)
        if self.suite.tune and peer.grid:
            found['tuned'] = None
        elif peer.name in self.options.tuned:
            found['tuned'] = self.options.tuned[peer.name]
        return found

    def _tune(self, row: Row, run: Run, tested: Config, source: str) -> Job:
        of_row = self.detectors[source][0]
        dataset = dataset_settings(of_row, 'train')
        if isinstance(self.suite.tune, str):
            dataset['ann_file'] = self.suite.tune
        check_disjoint(dataset, tested.test_dataloader.dataset, self.options.split)
        detected = to_test(of_row, self.options.split)
        detected.test_dataloader.dataset = dataset
        config = copy.deepcopy(tested)
        config.test_dataloader.dataset = dataset
        peer = load_peer(row.config)
        spec = self._weights_of(run) | dict(grid=peer.grid, thresholds=peer.thresholds)
        key = key_of('tune', config, self._origin(spec), peer[2:], code_version(TESTING))
        label = f'{row.name}{_seed(run.seed)}: tune'
        needs = [self._detect(source, run, detected, ' (frames to tune on)')]
        return self._job(label, 'tune', key, needs, config, spec)

    def _detect(self, name: str, run: Run, config: Config, what: str = '') -> Job:
        """Keeps the detections of a run, so that the network runs once for all peers."""
        spec = self._weights_of(run)
        key = key_of('detect', config, self._origin(spec), code_version(TESTING))
        needs = [run.train] if run.train else []
        label = f'{name}{_seed(run.seed)}: detect{what}'
        return self._job(label, 'detect', key, needs, config, spec)

    @staticmethod
    def _weights_of(run: Run) -> dict:
        return {key: run.test.spec[key] for key in ('weights', 'trained', 'cache')}

    @staticmethod
    def _origin(spec: dict) -> str:
        """Of which weights a result is; a training's folder ends with its key."""
        return (spec['trained'] or '').rpartition('_')[2] or digest(spec['weights'])

    def _job(
        self, label: str, kind: str, key: str, needs: list[Job], config: Config, spec: dict
    ) -> Job:
        if key not in self.jobs:
            parent = self.options.folder / 'jobs'
            # the name is for people; one of the same key may be called after another row
            same = sorted(parent.glob(f'*_{key}'))
            slug = re.sub(r'[^a-z0-9]+', '-', label.lower()).strip('-')
            folder = same[0] if same else parent / f'{slug}_{key}'
            command = [sys.executable, '-m', 'lamotr_mm.benchmark.workers', kind, str(folder)]
            if kind == 'train':
                command = self._training_command(folder)
            self.jobs[key] = Job(label, folder, command, needs, config, spec)
        return self.jobs[key]

    def _check_budgets(self) -> None:
        first = next(iter(self.budgets), None)
        for name, budget in self.budgets.items():
            if first is not None and budget != self.budgets[first]:
                raise UnfairError(
                    f'{first} trains for {self.budgets[first]}, {name} for {budget}: --budget '
                    'ITERS gives all the same iterations; set train_dataloader.batch_size alike'
                )


class UnfairError(ValueError):
    """A comparison that would not be fair."""


def _seed(seed: int | None) -> str:
    return '' if seed is None else f', seed {seed}'


def tools() -> Path:
    """The tools of this checkout or, of an installed package, those in ``.mim``."""
    beside = PACKAGE.parent / 'tools'
    return beside if beside.is_dir() else PACKAGE / '.mim' / 'tools'


def _check_data(config: Config, split: str) -> None:
    """Raises ValueError where annotations are missing."""
    for leaf in leaf_datasets(config[f'{split}_dataloader'].dataset):
        path = annotations(leaf)
        if path and not os.path.isfile(path):
            raise ValueError(f'the data set is missing: no {path} (docs/datasets.md)')


def _check_pretrained(node: Any) -> None:
    """Raises ValueError where weights to start from are missing."""
    if isinstance(node, dict):
        path = (node.get('init_cfg') or {}) if isinstance(node.get('init_cfg'), dict) else {}
        file = path.get('checkpoint', '')
        if file and '://' not in file:
            existing_file(file, 'pre-trained weights')
        for child in node.values():
            _check_pretrained(child)


def check_disjoint(tuned_on: dict, scored: dict, split: str) -> None:
    """Whether no frame to tune on is scored.

    Args:
        tuned_on, scored: configs of data sets.
        split: that is scored, for the message.

    Raises:
        UnfairError: a frame is in both; names it.
        FileNotFoundError: the frames to tune on are missing.
    """
    both = _frames_of(tuned_on) & _frames_of(scored)
    for sequence, number in sorted(both)[:1]:
        raise UnfairError(
            f'--tune: frame {number} of {sequence} is in the {split} split, which is scored: '
            'name an annotation file of other frames'
        )


def _frames_of(settings: dict) -> set[tuple[str, int]]:
    dataset = DATASETS.build({**settings, 'pipeline': []})
    videos = (dataset.get_data_info(video)['images'] for video in range(len(dataset)))
    return {(sequence_name(info), frame_number(info)) for images in videos for info in images}
