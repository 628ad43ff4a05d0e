"""Data, budget and seed in a row's config."""

from pathlib import Path

import pytest
from mmengine.config import Config

from lamotr_mm.benchmark.resolve import merge, on_data, to_test, to_train

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.fixture
def synthetic():
    return Config.fromfile(CONFIGS / 'lamotr_synthetic.py')


@pytest.fixture
def people():
    return Config.fromfile(CONFIGS / 'lamotr_people.py')


def test_a_config_goes_to_other_data(synthetic, people):
    moved = on_data(people, synthetic)
    for key in ('train_dataloader', 'test_dataloader', 'val_evaluator'):
        assert moved[key] == synthetic[key]
    assert moved.model == people.model and moved.train_dataloader != people.train_dataloader


def test_on_the_same_videos_a_config_keeps_its_pipeline(synthetic):
    longer = Config(synthetic.to_dict())
    longer.train_dataloader.dataset.pipeline[0].clip_len = 5
    kept = on_data(longer, synthetic)
    assert kept.train_dataloader.dataset.pipeline[0].clip_len == 5
    longer.train_dataloader.dataset.num_videos = 7
    assert on_data(longer, synthetic).train_dataloader.dataset.pipeline[0].clip_len == 3


def test_the_whole_schedule_fits_the_budget(people):
    """3 epochs in 600 iterations: warm-up in steps as it is, the cosine ends with the budget."""
    config = to_train(people, seed=4, budget=600)
    assert config.train_cfg == dict(type='IterBasedTrainLoop', max_iters=600)
    warmup, cosine = config.param_scheduler
    assert (warmup['begin'], warmup['end'], warmup['by_epoch']) == (0, 50, False)
    assert (cosine['T_max'], cosine['by_epoch']) == (600, False)
    assert 'convert_to_iter_based' not in cosine
    hook = config.default_hooks.checkpoint
    assert (hook.by_epoch, hook.interval) == (False, 30)
    assert config.log_processor.by_epoch is False


def test_steps_of_a_schedule_are_scaled():
    config = Config.fromfile(CONFIGS / 'lamotr_dancetrack.py')
    scheduler = to_train(config, 0, 180).param_scheduler
    scheduler = scheduler[0] if isinstance(scheduler, list) else scheduler
    assert scheduler['milestones'] == [120]  # 12 of 18 epochs


def test_a_seed_reaches_weights_order_and_augmentation(people):
    config = to_train(people, seed=4, budget=None)
    assert config.randomness.seed == 4
    assert config.train_dataloader.sampler.seed == config.train_dataloader.dataset.seed == 4
    assert config.train_cfg == people.train_cfg
    assert config.val_dataloader is config.test_dataloader is None
    assert people.randomness.seed == 0, 'the config itself stays'


def test_what_does_not_train(people):
    people.optim_wrapper = None
    with pytest.raises(ValueError, match='it does not train: it has no optim_wrapper'):
        to_train(people, 0, 5)


def test_only_the_split_is_tested(synthetic):
    assert to_test(synthetic, 'test').test_dataloader.dataset.split == 'test'
    assert to_test(synthetic, 'val').test_dataloader.dataset.split == 'val'
    assert to_test(synthetic, 'val').train_dataloader is None


def test_options_that_do_not_fit(synthetic):
    with pytest.raises(ValueError, match=r'overrides of a: the config has no key modle \(modle\.x'):
        merge(synthetic, {'modle.x': 1}, 'overrides of a')
    with pytest.raises(ValueError, match=r'overrides of a: max_epochs\.x=1 does not fit'):
        merge(synthetic, {'max_epochs.x': 1}, 'overrides of a')
