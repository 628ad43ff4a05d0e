"""The hook in a real runner, with a model that plays back known counts."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from lamotr_mm.engine.hooks import AssociationMetricHook
from lamotr_mm.registry import HOOKS

BOX = [0, 0, 10, 10]


class Playback(BaseModel):
    """Iteration i returns i true pairs, 1 false, 1 missed; tracks one target, frame by frame."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'predict':
            return [tracked(int(inputs[0]))]
        self.calls += 1
        counts = dict(asso_tp=self.calls, asso_fp=1, asso_fn=1, tck_carried=3, tck_total=4)
        return {'loss_asso': self.weight**2} | {
            k: torch.tensor(float(v)) for k, v in counts.items()
        }


def tracked(number):
    """Frame `number` of a video: track 5 follows target 1, S is 0.9 in every other frame."""
    found = number > 0
    association = dict(
        scores=np.full((1, int(found)), 0.9 if number % 2 else 0.2, dtype=np.float32),
        object_bboxes=np.array([BOX], dtype=np.float32),
        tracklet_ids=np.array([5] if found else [], dtype=np.int64),
        matches=np.array([[0, 0]] if number % 2 else [], dtype=np.int64),
        overlapping_live_pairs=number,
    )
    truth = [dict(bbox=BOX, instance_id=1, bbox_label=0, ignore_flag=0)]
    frame = DetDataSample(
        metainfo=dict(frame_id=number, video_id=0, instances=truth, association=association)
    )
    frame.pred_track_instances = InstanceData(
        bboxes=torch.tensor([BOX]).float(), instances_id=torch.tensor([5])
    )
    sample = TrackDataSample()
    sample.video_data_samples = [frame]
    return sample


class NoMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {'track/HOTA': 50.0}


def loader(numbers):
    return dict(
        dataset=[dict(inputs=torch.tensor(n)) for n in numbers],
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_size=1,
    )


def train(work_dir, name, **hook):
    runner = Runner(
        model=Playback(),
        work_dir=str(work_dir),
        train_dataloader=loader(range(4)),
        val_dataloader=loader(range(5)),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        val_cfg=dict(),
        val_evaluator=[NoMetric()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=2),
            checkpoint=dict(type='CheckpointHook', save_best='asso_f1', rule='greater'),
        ),
        custom_hooks=[dict(type='lamotr_mm.AssociationMetricHook', interval=2, **hook)],
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        experiment_name=name,
        default_scope='mmdet',
        log_level='ERROR',
    )
    runner.train()
    return runner


@pytest.fixture(scope='module')
def logged(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    runner = train(work_dir, 'logged')
    (file,) = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in file.read_text().splitlines()]
    return runner, work_dir, records


def test_training_scores_are_those_of_the_interval(logged):
    """Iterations 3 and 4: tp 7, fp 2, fn 2."""
    records = [r for r in logged[2] if 'iter' in r]
    assert [r['iter'] for r in records] == [2, 4, 6, 8]
    assert records[1]['asso_precision'] == pytest.approx(7 / 9)
    assert records[1]['asso_recall'] == pytest.approx(7 / 9)
    assert records[0]['asso_f1'] == pytest.approx(2 * 3 / (2 * 3 + 4))
    assert records[3]['asso_carried'] == pytest.approx(0.75)
    assert records[3]['loss_asso'] > 0


def test_raw_counts_stay_out_of_the_log(logged):
    names = {name for record in logged[2] for name in record}
    assert not names & {'asso_tp', 'asso_fp', 'asso_fn', 'tck_carried', 'tck_total'}
    assert not [name for name in logged[0].message_hub.log_scalars if 'tck_' in name]


def test_validation_scores_reach_log_and_best_checkpoint(logged):
    """Four frames have a tracklet: two found, two missed. Pairs 0 + 1 + 2 + 3 + 4 in 5 frames."""
    runner, work_dir, records = logged
    validation = [r for r in records if 'track/HOTA' in r]
    assert len(validation) == 2
    for record in validation:
        assert record['asso_precision'] == 1
        assert record['asso_recall'] == 0.5
        assert record['asso_f1'] == pytest.approx(2 / 3)
        assert record['asso_carried'] == 0.5
        assert record['overlapping_live_pairs'] == 2
    assert list(work_dir.glob('best_asso_f1_epoch_1.pth'))
    assert runner.message_hub.get_scalar('val/asso_f1').current() == pytest.approx(2 / 3)


def test_curves_are_drawn(logged):
    assert (logged[1] / 'curves.png').stat().st_size > 10_000


def test_a_gate_above_every_score(tmp_path):
    runner = train(tmp_path, 'gate', gate=0.95)
    scalars = runner.message_hub.log_scalars
    assert scalars['val/asso_precision'].current() == scalars['val/asso_f1'].current() == 0


def test_a_model_without_counts_logs_nothing(tmp_path):
    hook = HOOKS.build(dict(type='lamotr_mm.AssociationMetricHook', interval=1))
    hub = MessageHub.get_instance('no counts')
    runner = SimpleNamespace(iter=0, message_hub=hub, work_dir=str(tmp_path))
    hook.after_train_iter(runner, 0, outputs=dict(loss=1.0))
    assert not hub.log_scalars
    sample = TrackDataSample()
    sample.video_data_samples = [DetDataSample(metainfo=dict(frame_id=0))]
    hook.after_test_iter(runner, 0, outputs=[sample])
    metrics = {}
    hook.after_test_epoch(runner, metrics)
    assert metrics == {}
    hook.after_train(runner)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match='interval=0 should be 1 or more'):
        AssociationMetricHook(interval=0)


RANK_SCRIPT = """
import json, sys
from types import SimpleNamespace
import torch
from mmengine.logging import MessageHub
from torch import distributed

torch.set_num_threads(1)
rank, store = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
from lamotr_mm.engine.hooks import AssociationMetricHook

hook = AssociationMetricHook(interval=1)
runner = SimpleNamespace(iter=0, message_hub=MessageHub.get_instance('x'))
counts = dict(asso_tp=[8, 0], asso_fp=[0, 2], asso_fn=[0, 8], tck_carried=[1, 2], tck_total=[4, 2])
hook.after_train_iter(runner, 0, outputs={k: torch.tensor(v[rank]) for k, v in counts.items()})
hook.counter.counts.update(asso_tp=rank, asso_fp=3 - rank, frames=1, pairs=rank)
metrics = {}
hook.after_val_epoch(runner, metrics)
logged = {k: v.current() for k, v in runner.message_hub.log_scalars.items()}
print(json.dumps([logged, metrics]))
distributed.barrier()
distributed.destroy_process_group()
"""


def test_counts_of_two_ranks_are_added(tmp_path):
    """A mean of the ranks' precisions would be 0.5."""
    script = tmp_path / 'rank.py'
    script.write_text(RANK_SCRIPT)
    root = Path(__file__).parents[2]
    ranks = [
        subprocess.Popen(
            [sys.executable, script, str(rank), tmp_path / 'store'],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(root)},
        )
        for rank in (0, 1)
    ]
    outcomes = [json.loads(rank.communicate(timeout=200)[0].splitlines()[-1]) for rank in ranks]
    assert outcomes[0] == outcomes[1]
    logged, metrics = outcomes[0]
    assert logged['train/asso_precision'] == pytest.approx(0.8)
    assert logged['train/asso_recall'] == pytest.approx(0.5)
    assert logged['train/asso_carried'] == pytest.approx(0.5)
    assert metrics['asso_precision'] == pytest.approx(1 / 6)
    assert metrics['overlapping_live_pairs'] == pytest.approx(0.5)
