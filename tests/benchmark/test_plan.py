"""What a suite needs, and what makes it need it anew; nothing is run."""

from pathlib import Path

import pytest
import torch

from lamotr_mm.benchmark import plan
from lamotr_mm.benchmark.command import in_order
from lamotr_mm.benchmark.plan import Options, Planner
from lamotr_mm.benchmark.suite import Row, Suite

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SYNTHETIC = str(CONFIGS / 'lamotr_synthetic.py')
PEERS = CONFIGS / 'peers'
# no backbone to start from
FRESH = {'model.backbone.init_cfg': None}


@pytest.fixture
def weights(tmp_path):
    torch.save({}, tmp_path / 'weights.pth')
    return str(tmp_path / 'weights.pth')


@pytest.fixture
def entries(tmp_path):
    def entries(*rows, options=None, **suite):
        suite = dict(data='synthetic', budget=6) | suite
        options = Options(tmp_path / 'bench', **(options or {}))
        return Planner(Suite('t', list(rows), **suite), options).entries()

    return entries


def keys(planned):
    return [job.folder.name.rpartition('_')[2] for job in in_order(planned)]


def row(name='a', config=SYNTHETIC, overrides=None, **kwargs):
    return Row(name, config, FRESH | (overrides or {}), **kwargs)


def test_jobs_of_a_training(entries, tmp_path):
    (entry,) = entries(row(), seeds=2)
    jobs = in_order([entry])
    assert [job.label for job in jobs] == [
        'a, seed 0: train', 'a, seed 0: test', 'a, seed 1: train', 'a, seed 1: test',
    ]  # fmt: skip
    train, test = jobs[:2]
    assert test.needs == [train] and train.iterations == 6
    command = ' '.join(train.command)
    assert 'tools/train.py' in command and command.endswith('--resume auto')
    assert f'--work-dir {train.folder}' in command


def test_launchers(entries):
    (entry,) = entries(row(), options=dict(launcher='pytorch', gpus=3, amp=True))
    command = entry.runs[0].train.command
    assert command[0].endswith('dist_train.sh') and command[2] == '3' and '--amp' in command
    (entry,) = entries(row(), options=dict(launcher='slurm', gpus=3, partition='p'))
    assert entry.runs[0].train.command[1:3] == ['train', 'p']


def test_the_same_is_known_again_and_everything_else_is_not(entries, monkeypatch):
    first = keys(entries(row()))
    assert keys(entries(row('renamed'))) == first
    changed = [
        entries(row(overrides={'model.tracklet_update.weight': 0.5})),
        entries(row(), budget=7),
        entries(row(), options=dict(amp=True)),
        entries(row(), options=dict(cfg_options={'optim_wrapper.optimizer.lr': 1e-5})),
    ]
    for planned in changed:
        assert not set(keys(planned)) & set(first)
    # other frames to score: trained once
    fewer = keys(entries(row(), data_options={'test_dataloader.dataset.num_videos': 2}))
    assert fewer[0] == first[0] and fewer[1] != first[1]
    monkeypatch.setattr(plan, 'code_version', lambda rooms: 'another')
    assert not set(keys(entries(row()))) & set(first)


def test_other_content_of_the_weights_is_another_test(entries, weights):
    first = keys(entries(row(weights=weights)))
    assert len(first) == 1
    torch.save({'a': 1}, weights)
    assert keys(entries(row(weights=weights))) != first


def test_two_rows_that_need_the_same_run_share_it(entries):
    planned = entries(row('a'), row('b'), row('c', overrides={'model.tracklet_update.weight': 0.5}))
    assert len(in_order(planned)) == 4


def test_rows_are_trained_alike(entries):
    longer = row('b', overrides={'train_cfg.max_epochs': 5})
    with pytest.raises(ValueError, match=r'a trains for .*2, .*b for .*5.*: --budget ITERS gives'):
        entries(row(), longer, budget=None)
    assert all(not entry.reason for entry in entries(row(), longer, budget=9))
    with pytest.raises(ValueError, match=r'set train_dataloader\.batch_size alike'):
        entries(row(), row('b', overrides={'train_dataloader.batch_size': 2}))


def test_a_row_that_cannot_run_has_a_reason_and_leaves_the_others(entries, tmp_path):
    (tmp_path / 'broken.py').write_text('x = ')
    planned = entries(
        row('unread', str(tmp_path / 'broken.py')),
        row('absent', str(tmp_path / 'gone.py')),
        Row('unfit', SYNTHETIC, {'modle.x': 1}),
        Row('unprepared', SYNTHETIC, {'model.backbone.init_cfg.checkpoint': 'gone.pth'}),
        row('good'),
        row('peer of none', str(PEERS / 'sort_people.py'), detections='absent'),
    )
    reasons = {entry.name: entry.reason for entry in planned}
    assert list(reasons) == [
        'unread', 'absent', 'unfit', 'unprepared', 'good', 'peer of none',
    ]  # fmt: skip
    assert 'SyntaxError' in reasons['unread'] and 'does not exist' in reasons['absent']
    assert 'the config has no key modle' in reasons['unfit']
    assert 'pre-trained weights gone.pth does not exist' in reasons['unprepared']
    assert "row 'absent' detects none" in reasons['peer of none']
    assert reasons['good'] == ''


def test_data_that_is_not_there(entries, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # without data/
    (entry,) = entries(row(), data='people')
    assert entry.reason.startswith('the data set is missing: no data/people/annotations/')


@pytest.fixture
def peers():
    names = ('bytetrack', 'perfect-ids-own-boxes')
    return [Row(name, str(PEERS / f'{name}_people.py')) for name in names]


def test_peers_have_the_detections_of_a_row(entries, weights, peers):
    planned = entries(*peers, row(weights=weights))
    assert [(entry.name, entry.detections, entry.oracle) for entry in planned] == [
        ("bytetrack (mmdet's thresholds)", 'a', False),
        ('bytetrack (thresholds 0.5)', 'a', False),
        ('perfect-ids-own-boxes (all)', 'a', True),
        ('a', '', False),
    ]
    jobs = in_order(planned)
    detect = [job for job in jobs if job.label == 'a: detect']
    assert len(detect) == 1, 'the network runs once for all'
    for entry in planned[:3]:
        test = entry.runs[0].test
        assert test.needs == detect
        model = test.config.model
        assert model.detector.model == detect[0].config.model
        # nothing of the model that the peer's own config names is left
        assert 'proposals' not in model.detector.model
        assert test.config.test_dataloader == detect[0].config.test_dataloader
    assert planned[1].runs[0].test.spec['settings'] == {
        'tracker.obj_score_thrs.high': 0.5,
        'tracker.init_track_thr': 0.5,
    }


def test_thresholds_are_tuned_on_training_frames_for_each_seed(entries, peers):
    planned = entries(row(), peers[0], seeds=2, tune=True)
    tuned = planned[-1]
    assert tuned.name == 'bytetrack (tuned)'
    for seed, run in enumerate(tuned.runs):
        assert run.tune.config.test_dataloader.dataset.split == 'train'
        assert f'seed {seed}' in run.tune.label
        assert run.train.folder == planned[0].runs[seed].train.folder
        assert run.test.spec['tuned'] == str(run.tune.folder / 'settings.json')
    given = {'ByteTrack': {'tracker.init_track_thr': 0.4}}
    planned = entries(row(), peers[0], options=dict(tuned=given))
    assert planned[-1].runs[0].test.spec['settings'] == {'tracker.init_track_thr': 0.4}


def test_frames_that_are_scored_choose_nothing(entries, weights, peers):
    same = {'train_dataloader.dataset.split': 'test', 'train_dataloader.dataset.num_videos': 1}
    with pytest.raises(ValueError, match=r'--tune: frame 1 of synthetic-20000-d0 is in the test s'):
        entries(row(weights=weights), peers[0], data_options=same, tune=True)
