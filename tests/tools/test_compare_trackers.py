"""`tools/analysis/compare_trackers.py`: same detections and same metric for every tracker."""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools/analysis/compare_trackers.py'
    spec = importlib.util.spec_from_file_location('compare_trackers', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config() -> Config:
    config = Config.fromfile(ROOT / 'configs/lamotr_synthetic.py')
    init_default_scope(config.default_scope)
    data = dict(num_videos=2, video_length=4, height=96, width=128)
    for loader in (config.val_dataloader, config.test_dataloader):
        loader.dataset.update(data)
        loader.update(num_workers=0, persistent_workers=False)
    return config


class Oracle:
    """Stands in for LA-MOTR: perfect detections and tracks, straight from the ground truth."""

    def __init__(self, *_) -> None:
        pass

    def predict(self, inputs, samples):
        for frame in samples:
            truth = frame.gt_instances
            found = dict(
                bboxes=truth.bboxes, labels=truth.labels, scores=torch.ones(len(truth.labels))
            )
            frame.pred_instances = truth.new(**found)
            frame.pred_track_instances = truth.new(**found, instances_id=truth.instances_ids)
        return samples


@pytest.fixture
def oracle(tool, monkeypatch):
    monkeypatch.setattr(tool, 'DetectionsOf', Oracle)


def rows_of(tool):
    return [f'{peer.name} ({row})' for peer in tool.peers() for row in peer.thresholds]


def test_all_get_the_same_detections(tool, config, oracle):
    results, tuned = tool.compare(config, 'none')
    assert list(results) == ['LA-MOTR', *rows_of(tool), tool.OWN_BOXES]
    assert tuned == {}
    for name, scores in results.items():
        assert scores['track/DetA'] == pytest.approx(100)
        # slow figures, perfect detections: nothing can go wrong
        if name == 'LA-MOTR' or name.startswith(('ByteTrack', tool.ORACLE)):
            assert scores['track/HOTA'] == pytest.approx(100)


def test_the_split_is_the_one_named(tool, config, oracle, monkeypatch):
    """The seeds of the synthetic videos name the split."""
    monkeypatch.setattr(tool, 'peers', lambda: [])

    def sequences(*split):
        results, _ = tool.compare(config, 'none', *split)
        names = {name.split('/')[1] for name in results['LA-MOTR'] if name.endswith('/HOTA')}
        return names - {'HOTA'}

    val, test = sequences(), sequences('test')
    assert len(val) == len(test) == 2 and not val & test
    assert sequences('val') == val
    assert all('20000' in name or '20001' in name for name in test)


@pytest.fixture
def sort(tool, monkeypatch):
    """SORT that asks for much overlap, as the only peer; two thresholds to choose from."""
    peer = next(peer for peer in tool.peers() if peer.name == 'SORT')
    peer = peer._replace(
        thresholds={'strict': {'tracker.match_iou_thr': 0.99}},
        grid={'tracker.match_iou_thr': [0.05, 0.98]},
    )
    monkeypatch.setattr(tool, 'peers', lambda: [peer])
    return peer


def test_thresholds_are_tuned_on_training_frames(tool, config, oracle, sort, capsys, tmp_path):
    config.train_dataloader.dataset.update(
        num_videos=1, video_length=6, height=96, width=128, difficulty=(0,)
    )
    config.dump(tmp_path / 'config.py')
    file = str(tmp_path / 'tuned.json')
    call = [str(tmp_path / 'config.py'), 'none.pth', '--tuned', file]
    tool.main([*call, '--tune'])
    shown = capsys.readouterr().out
    assert 'SORT: --cfg-options model.tracker.match_iou_thr=0.05  # HOTA 100.0' in shown
    assert tool.read_tuned(file) == {'SORT': {'tracker.match_iou_thr': 0.05}}
    lines = {line.split('│')[1].strip(): line for line in shown.splitlines() if '│' in line}
    assert {'LA-MOTR', 'SORT (strict)', 'SORT (tuned)'} <= lines.keys()
    # a table of each sequence, too
    assert shown.count('│ LA-MOTR') == shown.count('val split, same detections') == 3

    tool.main(call)  # takes the values of the file
    again = capsys.readouterr().out
    assert 'SORT (tuned)' in again and '--cfg-options' not in again


def test_frames_that_are_scored_choose_nothing(tool, config, oracle, sort):
    config.train_dataloader.dataset = config.val_dataloader.dataset
    with pytest.raises(ValueError, match=r'--tune: frame 1 of \S+ is in the val split, which is'):
        tool.compare(config, 'none', tune_on=True)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{', 'cannot be read'),
        ('{"settings": {"other": {}}}', 'cannot be read'),
        ('{"settings": {"SORT": {"tracker.gate": 1}}}', 'configs/peers/ tunes SORT by other keys'),
    ],
)
def test_tuned_values_of_another_form(tool, tmp_path, text, message):
    (tmp_path / 'tuned.json').write_text(text)
    with pytest.raises(ValueError, match=rf'--tuned \S+tuned\.json:? {message}'):
        tool.read_tuned(str(tmp_path / 'tuned.json'))


def test_a_split_that_cannot_be_scored(tool, config):
    config.test_evaluator = dict(
        type='lamotr_mm.TrackingMetric', format_only=True, outfile_prefix='x'
    )
    with pytest.raises(ValueError, match='test_evaluator has format_only=True'):
        tool.compare(config, 'none', 'test')
    config.test_evaluator = None
    with pytest.raises(
        ValueError, match=r'lamotr_synthetic\.py has no test_dataloader or no test_'
    ):
        tool.compare(config, 'none', 'test')


def test_table(tool, monkeypatch, capsys):
    """Counts are whole numbers, what nothing was measured for is '-'."""
    columns = dict.fromkeys(tool.COLUMNS, 12.34) | dict(IDSW=3, FP=0, FN=7)
    nothing = dict.fromkeys(tool.COLUMNS, 0.0) | dict(IDSW=0, FP=5, FN=7)
    results = {
        name: {f'track/{key}': value for key, value in scores.items()}
        for name, scores in (('LA-MOTR', columns), ('other', nothing))
    }
    monkeypatch.setattr(tool, 'compare', lambda *_: (results, {}))
    tool.main([str(ROOT / 'configs/lamotr_synthetic.py'), 'none.pth', '--split', 'test'])
    text = capsys.readouterr().out
    assert 'test split' in text
    lines = {line.split()[1]: line.split()[3::2] for line in text.splitlines() if '│' in line}
    assert lines['LA-MOTR'] == [*['12.3'] * 5, '3', '0', '7']
    assert lines['other'] == ['0.0', '0.0', '-', '0.0', '0.0', '0', '5', '7']


def test_weights_of_another_model_are_refused(tool, config, tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='is of another model'):
        tool.compare(config, str(tmp_path / 'other.pth'))


@pytest.mark.parametrize('error', [ValueError, OSError, FloatingPointError])
def test_an_error_is_one_line(tool, monkeypatch, capsys, error):
    def fail(*_):
        raise error('frame 7 is broken')

    monkeypatch.setattr(tool, 'compare', fail)
    with pytest.raises(SystemExit) as caught:
        tool.main([str(ROOT / 'configs/lamotr_synthetic.py'), 'none.pth'])
    assert caught.value.code == 2
    assert capsys.readouterr().err == 'compare_trackers.py: error: frame 7 is broken\n'
