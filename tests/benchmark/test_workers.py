"""What the jobs compute: the same as the tools, for LA-MOTR and for peers on its detections."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.benchmark import workers
from lamotr_mm.benchmark.command import in_order, speed_job
from lamotr_mm.benchmark.plan import Options, Planner
from lamotr_mm.benchmark.suite import Row, Suite
from lamotr_mm.evaluation import evaluate_sequences

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / 'tests' / 'robustness' / 'configs' / 'tiny.py'
PEERS = ROOT / 'configs' / 'peers'
sys.path.insert(0, str(TINY.parents[1]))  # workshop


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Videos, a config whose untrained model tracks all that it sees, and its weights."""
    from workshop import Workshop

    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    workshop.sequence('one', length=3)
    workshop.sequence('c', length=4, split='val')
    assert workshop.convert() == 0
    config = Config.fromfile(TINY, import_custom_modules=False)
    config.custom_imports = dict(imports=['lamotr_mm', 'lamotr_mm.engine.hooks'])
    config.model.lifecycle.update(det_thr=0.0, keep_thr=0.0, new_thr=0.0)
    config.model.update(out_score_thr=0.0, out_min_area=0.0)
    # as in configs/lamotr_people.py; it wants a run around the loading of weights
    config.custom_hooks = [*config.get('custom_hooks', []), dict(type='EMAHook')]
    config.dump('config.py')
    torch.manual_seed(0)
    model = init_model(config)
    torch.save(dict(state_dict=model.state_dict()), 'weights.pth')
    return sum(parameter.numel() for parameter in model.parameters())


def run(entries):
    """Every job, in this process."""
    for job in in_order(entries):
        if not job.done:
            job.prepare()
            workers.main(job.command[-2], str(job.folder))
            job.finish(1.0, well=True)


@pytest.fixture
def entries(files, tmp_path):
    rows = [Row('LA-MOTR', 'config.py', {}, 'weights.pth')]
    for name in ('sort', 'perfect-ids', 'perfect-ids-own-boxes'):
        overrides = {} if name == 'sort' else {'model.tracker.score_thr': 0.0}
        rows.append(Row(name, str(PEERS / f'{name}_people.py'), overrides))
    suite = Suite('t', rows, 'config.py', tune='annotations/train.json')
    return Planner(suite, Options(tmp_path / 'bench')).entries()


def test_from_detections_to_scores(entries, files, monkeypatch):
    assert [entry.name for entry in entries] == [
        'LA-MOTR', "sort (mmdet's thresholds)", 'sort (tuned)', 'perfect-ids (score > 0.5)',
        'perfect-ids (tuned)', 'perfect-ids-own-boxes (all)',
    ]  # fmt: skip
    monkeypatch.setattr(workers, 'SPEED_FRAMES', 2)
    # few values, the grids themselves are tested elsewhere
    for job in in_order(entries):
        job.spec['grid'] = {k: v[:2] for k, v in job.spec.get('grid', {}).items()}
    run(entries)
    of_test = {entry.name: entry.runs[0].test.folder for entry in entries}
    for folder in of_test.values():
        result = json.loads((folder / 'result.json').read_text())
        assert result['parameters'] == files
        with np.load(folder / 'rows.npz') as rows:
            truth, tracks = {'c': rows['truth/c']}, {'c': rows['tracks/c']}
        expected = evaluate_sequences(truth, tracks)
        assert result['combined'] == pytest.approx(expected['combined'])
        np.testing.assert_allclose(result['counts']['c'], expected['counts']['c'])
        assert len(np.unique(truth['c'][:, 0])) == 4
    settings = entries[2].runs[0].tune.folder / 'settings.json'
    assert json.loads(settings.read_text()).keys() == {'settings', 'hota'}
    # perfect ids on the boxes that LA-MOTR reports: the very boxes, other ids
    boxes = [
        np.load(of_test[name] / 'rows.npz')['tracks/c'] for name in ('LA-MOTR', entries[-1].name)
    ]
    boxes = [each[(each[:, 4:6] >= 1).all(1)][:, [0, 2, 3, 4, 5]] for each in boxes]
    np.testing.assert_array_equal(*(each[np.lexsort(each.T)] for each in boxes))

    speed = speed_job(entries, Options(Path('bench')))
    speed.prepare()
    workers.main('speed', str(speed.folder))
    times = json.loads((speed.folder / 'result.json').read_text())
    assert times.keys() == {'LA-MOTR', "sort (mmdet's thresholds)", 'sort (tuned)'}
    assert min(times.values()) > 0


def test_the_last_weights_of_a_training(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_5.pth')
    spec = dict(weights=None, trained=str(tmp_path))
    assert workers.weights_of(spec) == str(tmp_path / 'iter_5.pth')
    assert workers.weights_of(spec | dict(weights='a.pth')) == 'a.pth'
