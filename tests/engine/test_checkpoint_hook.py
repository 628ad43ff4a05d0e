"""`save_best` and early stopping in a real runner, whose validation plays back known scores."""

import itertools
import os
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.fileio import LocalBackend
from mmengine.model import BaseModel
from mmengine.runner import Runner

import lamotr_mm.engine.hooks  # noqa: F401
from lamotr_mm.evaluation.directions import ASSOCIATION, TRACKING


class OneWeight(BaseModel):
    """Counts its iterations."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return [0] if mode == 'predict' else {'loss': -self.weight}


class Playback(BaseMetric):
    """The scores of the epochs, one after another."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        # by the number of validations in this folder, so that a resumed run goes on
        count = Path('validations')
        epoch = int(count.read_text()) if count.exists() else 0
        count.write_text(str(epoch + 1))
        return self.epochs[epoch]


RUNNERS = itertools.count()


def runner_of(epochs, checkpoint, custom_hooks=(), max_epochs=None, **kwargs):
    data = dict(
        dataset=[dict(inputs=torch.zeros(1))], sampler=dict(type='DefaultSampler'), batch_size=1
    )
    settings = dict(
        model=OneWeight(),
        work_dir='run',
        train_dataloader=data,
        val_dataloader=data,
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs or len(epochs)),
        val_cfg=dict(),
        val_evaluator=[Playback(epochs)],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
        default_hooks=dict(checkpoint=dict(type='lamotr_mm.CheckpointHook', **checkpoint)),
        custom_hooks=list(custom_hooks),
        # runners of one name share what they remember of best scores
        experiment_name=f'{Path.cwd().name}_{next(RUNNERS)}',
        default_scope='mmdet',
        log_level='ERROR',
    )
    return Runner(**{**settings, **kwargs})


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def best(folder='run'):
    return sorted(file.name for file in Path(folder).glob('best*'))


ALL = [*(f'track/{name}' for name in TRACKING), 'track/laptop/FP', *ASSOCIATION]
LESS = ('IDSW', 'FP', 'FN', 'ML', 'overlapping_pairs', 'overlapping_live_pairs')


@pytest.mark.parametrize('name', ALL)
def test_the_best_epoch_of_every_metric(name):
    """Epoch 3 is best, the lowest of counts of errors and the highest of the others."""
    sign = -1 if name.rsplit('/', 1)[-1] in LESS else 1
    scores = [{name: 10 + sign * value} for value in (1, 2, 4, 3)]
    runner_of(scores, dict(interval=1, save_best=name)).train()
    assert best() == [f'best_{name.replace("/", "_")}_epoch_3.pth']
    weight = torch.load(f'run/{best()[0]}', weights_only=False)['state_dict']['weight']
    assert weight == 3  # one step each epoch


def test_several_metrics_and_a_rule_that_is_given():
    scores = [{'track/HOTA': h, 'track/FP': f, 'own': o} for h, f, o in [(1, 3, 2), (2, 4, 1)]]
    runner_of(scores, dict(save_best=['track/HOTA', 'track/FP'], interval=1)).train()
    assert best() == ['best_track_FP_epoch_1.pth', 'best_track_HOTA_epoch_2.pth']
    for file in Path().glob('*/best*'):
        file.unlink()
    Path('validations').unlink()
    keys = ['track/HOTA', 'track/FP', 'own']
    runner_of(scores, dict(save_best=keys, rule=['greater', 'less', 'less'], interval=1)).train()
    names = ['best_own_epoch_2.pth', 'best_track_FP_epoch_1.pth', 'best_track_HOTA_epoch_2.pth']
    assert best() == names


def test_a_given_rule_wins():
    scores = [{'track/HOTA': 1}, {'track/HOTA': 2}]
    runner_of(scores, dict(interval=1, save_best='track/HOTA', rule='less')).train()
    assert best() == ['best_track_HOTA_epoch_1.pth']


def test_auto_is_the_first_metric():
    scores = [{'track/HOTA': 2, 'track/FP': 1}, {'track/HOTA': 1, 'track/FP': 0}]
    runner_of(scores, dict(interval=1, save_best='auto')).train()
    assert best() == ['best_track_HOTA_epoch_1.pth']


def test_an_association_metric_that_has_no_case_yet():
    """Before anything is tracked there is no precision; that is no reason to end the run."""
    scores = [{'track/HOTA': 0}, {'track/HOTA': 1, 'asso_precision': 0.5}]
    runner_of(scores, dict(interval=1, save_best='asso_precision')).train()
    assert best() == ['best_asso_precision_epoch_2.pth']


def test_a_metric_that_validation_does_not_have():
    runner = runner_of([{'track/HOTA': 1}], dict(save_best='HOTA'))
    with pytest.raises(ValueError, match="save_best='HOTA' is no result of validation: track/HOTA"):
        runner.train()
    with pytest.raises(ValueError, match='Cannot infer the rule for key track/speed'):
        runner_of([{'track/speed': 1}], dict(save_best='track/speed'))


def test_no_validation_no_best():
    none = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)
    runner = runner_of([{}], dict(save_best='track/HOTA'), **none)
    with pytest.raises(ValueError, match='needs validation, but the config has none: set val_cfg'):
        runner.train()
    assert not list(Path('run').glob('*.pth'))


def test_the_plain_name_means_this_hook_in_the_scope_of_our_configs():
    hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='track/IDSW', interval=1))
    runner_of([{'track/IDSW': 1}, {'track/IDSW': 2}], {}, default_hooks=hooks).train()
    assert best() == ['best_track_IDSW_epoch_1.pth']


# ---------------------------------------------------------------- the last checkpoint


def watch(monkeypatch, every_moment):
    """Call a function before and after each change of a file: a run may be killed at any."""

    def around(owner, name):
        original = getattr(owner, name)

        def changed(*args, **kwargs):
            every_moment()
            result = original(*args, **kwargs)
            every_moment()
            return result

        monkeypatch.setattr(owner, name, changed)

    for name in ('put', 'remove'):
        around(LocalBackend, name)
    around(os, 'replace')


@pytest.mark.parametrize('max_keep_ckpts', [1, 2, -1])
def test_the_last_checkpoint_is_whole_at_every_moment(monkeypatch, max_keep_ckpts):
    """And so are, once there is a best one, some best one and nothing but whole files."""
    seen = set()

    def every_moment():
        pointer = Path('run/last_checkpoint')
        if pointer.exists():
            assert zipfile.is_zipfile(pointer.read_text())
            seen.add(Path(pointer.read_text()).name)
        for file in Path('run').glob('*.pth'):
            assert zipfile.is_zipfile(file)
        if 'epoch_2.pth' in seen:
            assert best()

    watch(monkeypatch, every_moment)
    scores = [{'track/HOTA': value} for value in (1, 2, 1, 3)]
    settings = dict(interval=1, save_best='track/HOTA', max_keep_ckpts=max_keep_ckpts)
    runner_of(scores, settings).train()
    assert seen == {f'epoch_{epoch}.pth' for epoch in (1, 2, 3, 4)}
    assert best() == ['best_track_HOTA_epoch_4.pth']
    kept = range(1, 5) if max_keep_ckpts < 0 else range(5 - max_keep_ckpts, 5)
    assert sorted(f.name for f in Path('run').glob('e*')) == [f'epoch_{e}.pth' for e in kept]
    assert not list(Path('run').glob('*.partial'))


def test_a_full_disk_leaves_the_old_files(monkeypatch):
    scores = [{'track/HOTA': value} for value in (1, 2)]
    put = LocalBackend.put

    def full(self, obj, filepath):
        if 'best' in str(filepath) and 'epoch_2' in str(filepath):
            put(self, obj[:100], filepath)
            raise OSError('no space left')
        put(self, obj, filepath)

    monkeypatch.setattr(LocalBackend, 'put', full)
    settings = dict(interval=1, save_best='track/HOTA', max_keep_ckpts=1)
    with pytest.raises(OSError, match='no space'):
        runner_of(scores, settings).train()
    assert best() == ['best_track_HOTA_epoch_1.pth']
    assert zipfile.is_zipfile(Path('run/last_checkpoint').read_text())
    assert not list(Path('run').glob('*.partial'))


def test_a_resumed_copy_leaves_the_original_alone():
    """The best checkpoint that is replaced is the copy's."""
    scores = [{'track/HOTA': value} for value in (1, 2)]
    settings = dict(interval=1, save_best='track/HOTA')
    runner_of(scores, settings, max_epochs=1).train()
    os.system('cp -r run copy')
    resumed = dict(work_dir='copy', load_from='copy/epoch_1.pth', resume=True)
    runner_of(scores, settings, **resumed).train()
    assert best('run') == ['best_track_HOTA_epoch_1.pth']
    assert best('copy') == ['best_track_HOTA_epoch_2.pth']


# ---------------------------------------------------------------- early stopping


@pytest.mark.parametrize('kind', ['EarlyStoppingHook', 'lamotr_mm.EarlyStoppingHook'])
@pytest.mark.parametrize('name', ['track/HOTA', 'track/IDSW', 'track/laptop/FN', 'asso_f1'])
def test_training_ends_when_a_metric_gets_no_better(kind, name):
    sign = -1 if name.rsplit('/', 1)[-1] in LESS else 1
    scores = [{name: 10 + sign * value} for value in (1, 2, 4, 3, 3, 9, 9)]
    hook = dict(type=kind, monitor=name, patience=2)
    runner = runner_of(scores, dict(interval=-1, save_last=False), [hook])
    runner.train()
    assert runner.epoch == 5


def test_early_stopping_by_other_metrics_is_mmengines():
    scores = [{'coco/bbox_mAP': 1}]
    hook = dict(type='EarlyStoppingHook', monitor='coco/bbox_mAP')
    runner_of(scores, {}, [hook])
    with pytest.raises(ValueError, match='rule must be specified'):
        runner_of(scores, {}, [hook | dict(monitor='speed')])
