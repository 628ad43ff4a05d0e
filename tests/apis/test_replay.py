"""Replays of kept image features against runs on the images, and the tool for grids of thresholds.

The model is untrained: every object passes, so that thresholds decide much.
"""

import importlib.util
import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.apis.replay import apply_settings, encode_once, replay, settings_of
from lamotr_mm.registry import DATASETS

ROOT = Path(__file__).parents[2]
TINY = ROOT / 'tests' / 'robustness' / 'configs' / 'tiny.py'
sys.path.insert(0, str(TINY.parents[1]))  # workshop
LENGTHS = dict(a=5, b=3)
# scores of an untrained model lie around 0.01, S around 0.01
EAGER = dict(det_thr=0.0, keep_thr=0.0, new_thr=0.0, gate=0.0)
SETTINGS = {
    'lifecycle.gate': 0.5,
    'lifecycle.birth_iou': 1.0,
    'tracklet_update.weight': 0.4,
    'out_min_area': 30.0,
}


@pytest.fixture(scope='module')
def setup(tmp_path_factory):
    """Two videos to train on, one to validate on, config and weights."""
    from workshop import Workshop

    folder = tmp_path_factory.mktemp('replay')
    workshop = Workshop(folder)
    for name, length in LENGTHS.items():
        workshop.sequence(name, length=length, identities=(1, 2, 3, 4))
    workshop.sequence('c', length=2, split='val')
    assert workshop.convert() == 0
    config = Config.fromfile(TINY, import_custom_modules=False)
    config.custom_imports = dict(imports=['lamotr_mm'], allow_failed_imports=False)
    for split in ('train', 'val', 'test'):
        config[f'{split}_dataloader'].dataset.data_root = str(workshop.videos)
    config.model.lifecycle.update(EAGER)
    config.model.update(out_score_thr=0.0, out_min_area=0.0)
    config.dump(folder / 'config.py')
    torch.manual_seed(0)
    torch.save(dict(state_dict=init_model(config).state_dict()), folder / 'weights.pth')
    return folder


@pytest.fixture
def model(setup):
    return init_model(str(setup / 'config.py'), setup / 'weights.pth')


@pytest.fixture
def dataset(model):
    settings = model.cfg.train_dataloader.dataset
    pipeline = model.cfg.val_dataloader.dataset.pipeline
    return DATASETS.build(dict(settings, test_mode=True, pipeline=pipeline))


def tracks_of(samples):
    """Everything that is reported of each frame."""
    return [
        (
            {key: value.numpy() for key, value in sample[0].pred_track_instances.items()},
            sample[0].association['scores'],
        )
        for sample in samples
    ]


def run(model, dataset):
    """The real run: images through the model."""
    model.reset()
    return tracks_of(
        model.test_step(pseudo_collate([dataset[video, index]]))[0]
        for video in range(len(dataset))
        for index in range(dataset.get_len_per_video(video))
    )


def assert_equal(ours, theirs):
    """Bit for bit."""
    assert len(ours) == len(theirs)
    for (mine, mine_s), (other, other_s) in zip(ours, theirs):
        assert mine.keys() == other.keys()
        for key in mine:
            np.testing.assert_array_equal(mine[key], other[key], strict=True)
        np.testing.assert_array_equal(mine_s, other_s, strict=True)


def test_a_replay_is_the_run_bit_for_bit(model, dataset, tmp_path):
    """With the settings of the encoding, with others, and with the first ones again."""
    with torch.no_grad():
        first = run(model, dataset)
        frames = encode_once(model, dataset, tmp_path, None, 'here')
        assert len(frames) == sum(LENGTHS.values())
        assert_equal(tracks_of(replay(model, frames)), first)
        present = settings_of(model, SETTINGS)
        apply_settings(model, SETTINGS)
        other = tracks_of(replay(model, frames))
        assert_equal(other, run(model, dataset))
        apply_settings(model, present)
        assert_equal(tracks_of(replay(model, frames)), first)
    ids, others = ([sorted(frame['instances_id']) for frame, _ in run] for run in (first, other))
    assert any(ids) and ids != others, 'the settings make a difference'
    # tracklets differ, not only what is reported of the same ones
    assert any(a.shape != b.shape for (_, a), (_, b) in zip(first, other))


def test_features_are_encoded_once(model, dataset, tmp_path, monkeypatch):
    calls, encode = [], model.encode
    monkeypatch.setattr(model, 'encode', lambda *args: calls.append(1) or encode(*args))
    first = encode_once(model, dataset, tmp_path / 'a', range(2, 4), 'these weights')
    assert len(calls) == 4  # frames 2 and 3 of both videos
    again = encode_once(model, dataset, tmp_path / 'a', range(2, 4), 'these weights')
    assert len(calls) == 4
    with torch.no_grad():
        assert_equal(tracks_of(replay(model, again)), tracks_of(replay(model, first)))
    encode_once(model, dataset, tmp_path / 'a', range(2, 4), 'others')
    assert len(calls) == 8


def test_only_what_no_feature_depends_on_can_be_set(model):
    with pytest.raises(
        ValueError, match=r'sgla\.num_heads cannot be replayed, only lifecycle\.det'
    ):
        settings_of(model, ['sgla.num_heads'])
    # of ablations, which this model is not
    with pytest.raises(ValueError, match='Lifecycle has no low_gate'):
        settings_of(model, ['lifecycle.low_gate'])


# ---------------------------------------------------------------- the tool


@pytest.fixture
def tool(setup, capsys):
    """``tool(*arguments)`` -> (exit status, stdout, stderr)."""
    path = ROOT / 'tools' / 'analysis' / 'replay_lifecycle.py'
    spec = importlib.util.spec_from_file_location('replay_lifecycle', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*arguments):
        try:
            module.main([str(setup / 'config.py'), str(setup / 'weights.pth'), *arguments])
            status = 0
        except SystemExit as error:
            status = error.code
        return status, *capsys.readouterr()

    yield call
    MMLogger.get_instance('mmengine')  # the current one again


def rows_of(table):
    """Cells of each row."""
    lines = [line for line in table.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_the_table_of_a_grid(tool):
    grid = ('lifecycle.birth_iou=0.6,1', 'out_score_thr=0,0.9', 'lifecycle.miss_tolerance=30')
    status, out, err = tool('--grid', *grid)
    assert status == 0, err
    assert 'train split' in out and 'train.json): 8 frames, a 1-5, b 1-3' in out
    head, *rows = rows_of(out)
    assert head[:3] == ['lifecycle.birth_iou', 'out_score_thr', 'lifecycle.miss_tolerance']
    assert head[3:8] == ['HOTA', 'DetA', 'AssA', 'MOTA', 'IDSW']
    # the config's own settings are one of the four
    values = [(float(row[0]), float(row[1])) for row in rows]
    assert sorted(values) == [(0.6, 0), (0.6, 0.9), (1, 0), (1, 0.9)]
    assert [value for value, row in zip(values, rows) if row[-1] == '* config'] == [(0.6, 0)]
    scores = [float(row[3]) for row in rows]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]
    assert re.search(r'4 points, [\d.]+ s each', out)


def test_the_scores_are_those_of_the_test_tool(tool, setup, tmp_path, monkeypatch):
    """Of validation frames, which one has to ask for."""
    from workshop import load_tool

    status, out, err = tool('--split', 'val', '--grid', 'lifecycle.gate=0.5')
    assert status == 0, err
    assert 'val split' in out and 'c 1-2' in out
    monkeypatch.chdir(tmp_path)
    options = ('--cfg-options', 'model.lifecycle.gate=0.5')
    names = (str(setup / 'config.py'), str(setup / 'weights.pth'))
    load_tool('test').main([*names, '--work-dir', 'run', '--out', 'tracks', *options])
    (scores,) = [json.loads(file.read_text()) for file in Path('run').glob('*/*.json')]
    (row,) = [row for row in rows_of(out) if row[0] == '0.5']
    names = ('HOTA', 'DetA', 'AssA', 'MOTA')
    assert row[1:5] == [f'{scores[f"track/{name}"]:.2f}' for name in names]


def test_frames_and_cache(tool, tmp_path):
    arguments = ('--frames', '2-4', '--cache', str(tmp_path / 'kept'), '--grid', 'lifecycle.gate=0')
    status, out, err = tool(*arguments)
    assert status == 0, err
    assert '5 frames, a 2-4, b 2-3' in out
    assert len(list((tmp_path / 'kept').glob('*.pt'))) == 5 + 1
    status, again, _ = tool(*arguments)
    assert rows_of(again) == rows_of(out)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--grid', 'sgla.num_layers=1'), 'sgla.num_layers cannot be replayed, only lifecycle'),
        (('--frames', '9-2', '--grid', 'lifecycle.gate=0'), '--frames 9-2: give FIRST-LAST'),
        (('--frames', '50-60', '--grid', 'lifecycle.gate=0'), 'train split has none of them'),
    ],
)
def test_what_is_refused(tool, arguments, message):
    status, out, err = tool(*arguments)
    assert status == 2 and message in err
    assert '|' not in out


def test_images_matter():
    """The frames of the fixture differ, else a replay of the wrong one would not be noticed."""
    from workshop import draw

    assert cv2.absdiff(draw(1, (1, 2)), draw(2, (1, 2))).any()
