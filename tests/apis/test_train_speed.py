"""What a training step costs: what is trained and how it is counted; no timings."""

import copy
from itertools import count
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from lamotr_mm.apis import train_speed
from lamotr_mm.apis.train_speed import TrainSetting, measure_apart, measure_training

SYNTHETIC = Path(__file__).parents[2] / 'configs' / 'lamotr_synthetic.py'


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(SYNTHETIC)


@pytest.fixture
def built(monkeypatch):
    """Models that were built, each with its weights before the first step."""
    models, build = [], train_speed._build

    def recorded(*args):
        model = build(*args)
        models.append((model, copy.deepcopy(model.state_dict())))
        return model

    monkeypatch.setattr(train_speed, '_build', recorded)
    return models


def test_rates_by_a_clock_that_ticks_once_a_call(config, built):
    """A step takes 1 s of it, loading all of the batches as well."""
    setting = TrainSetting(batch=2, with_cp=True, amp=False)
    cost = measure_training(config, setting, steps=1, clock=count().__next__)
    assert cost.clips_per_second == 2
    assert cost.load_ms == 500
    assert cost.peak_mib >= cost.base_mib > 0
    ((model, before),) = built
    assert model.encoder.encoder.with_cp and model.sotd_head.decoder.with_cp
    trained = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert {'encoder.level_embed', 'sotd_head.query_embedding.weight'} <= trained
    assert not any(name.startswith('backbone.conv1') for name in trained)


def test_half_precision_where_the_cpu_has_it(config, monkeypatch):
    setting = TrainSetting(batch=1, with_cp=False, amp=True)
    monkeypatch.setattr(train_speed, 'cpu_has_bf16', lambda: True)
    types = [train_speed._optim_wrapper(config, setting, d)['type'] for d in ('cpu', 'cuda:0')]
    assert types == ['lamotr_mm.BFloat16OptimWrapper', 'AmpOptimWrapper']
    assert config.optim_wrapper.type == 'OptimWrapper'
    monkeypatch.setattr(train_speed, 'cpu_has_bf16', lambda: False)
    with pytest.raises(ValueError, match='no bfloat16 units'):
        train_speed._optim_wrapper(config, setting, 'cpu')


def test_a_process_of_its_own(config):
    """A setting that fails there says so here."""
    missing = copy.deepcopy(config)
    missing.train_dataloader.dataset = dict(
        type='lamotr_mm.MOTVideoDataset', ann_file='none.json', data_root='nowhere'
    )
    with pytest.raises(FileNotFoundError, match='none'):
        measure_apart(missing, TrainSetting(1, False, False), 'cpu', 1)
