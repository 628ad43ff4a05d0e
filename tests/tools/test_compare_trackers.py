"""`tools/analysis/compare_trackers.py`: same detections and same metric for every tracker."""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from lamotr_mm.apis.inferencer import init_model

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
    data = dict(num_videos=2, video_length=4, height=96, width=128)
    for loader in (config.val_dataloader, config.test_dataloader):
        loader.dataset.update(data)
        loader.update(num_workers=0, persistent_workers=False)
    return config


class Oracle:
    """Stands in for the network: perfect detections and tracks, straight from the ground truth."""

    def __init__(self, model) -> None:
        self.model = model

    def test_step(self, batch):
        samples = self.model.data_preprocessor(batch, False)['data_samples']
        for frame in samples[0]:
            truth = frame.gt_instances
            scores = torch.ones(len(truth.labels))
            frame.pred_instances = truth.new(
                bboxes=truth.bboxes, labels=truth.labels, scores=scores
            )
            frame.pred_track_instances = truth.new(
                bboxes=truth.bboxes,
                labels=truth.labels,
                scores=scores,
                instances_id=truth.instances_ids,
            )
        return samples


def test_bytetrack_gets_the_same_detections(tool, config, monkeypatch):
    monkeypatch.setattr(tool, 'init_model', lambda config, *_: Oracle(init_model(config)))
    results = tool.compare(config, 'none')
    assert set(results) == {'LA-MOTR', *tool.TRACKERS}
    assert results['LA-MOTR']['track/HOTA'] == pytest.approx(100)
    for name in tool.TRACKERS:  # slow figures, perfect detections: nothing can go wrong
        assert results[name]['track/HOTA'] == pytest.approx(100)


def test_the_split_is_the_one_named(tool, config, monkeypatch):
    """The seeds of the synthetic videos name the split."""
    monkeypatch.setattr(tool, 'init_model', lambda config, *_: Oracle(init_model(config)))

    def sequences(*split):
        results = tool.compare(config, 'none', *split)['LA-MOTR']
        return {name.split('/')[1] for name in results if name.endswith('/HOTA')} - {'HOTA'}

    val, test = sequences(), sequences('test')
    assert len(val) == len(test) == 2 and not val & test
    assert sequences('val') == val
    assert all('20000' in name or '20001' in name for name in test)


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
    monkeypatch.setattr(tool, 'compare', lambda config, checkpoint, split: results)
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
