"""Random numbers as a function of (seed, iteration, rank); data sets learn the epoch."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import ConcatDataset

from lamotr_mm.engine.hooks import SeedHook, seed_hook


def runner(seed=7, iteration=0, epoch=0, dataset=None):
    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(seed=seed, iter=iteration, epoch=epoch, train_dataloader=loader)


def numbers(hook, **kwargs):
    hook.before_train_iter(runner(**kwargs), 0)
    return torch.rand(4).tolist()


def test_an_iteration_repeats_its_numbers_wherever_the_run_started():
    """A resumed run (which drew nothing before) equals an uninterrupted one."""
    uninterrupted = [numbers(SeedHook(), iteration=i) for i in range(5)]
    torch.rand(100)
    resumed = [numbers(SeedHook(), iteration=i) for i in range(3, 5)]
    assert resumed == uninterrupted[3:]
    assert len({tuple(values) for values in uninterrupted}) == 5


def test_seed_and_rank_change_the_numbers(monkeypatch):
    base = numbers(SeedHook())
    assert numbers(SeedHook(), seed=8) != base
    assert numbers(SeedHook(seed=8), seed=7) == numbers(SeedHook(), seed=8)
    assert numbers(SeedHook(seed=0), seed=7) == numbers(SeedHook(), seed=0)
    monkeypatch.setattr(seed_hook, 'get_rank', lambda: 1)
    assert numbers(SeedHook()) != base


class Clips(torch.utils.data.Dataset):
    epoch = None

    def __len__(self):
        return 1

    def set_epoch(self, epoch):
        self.epoch = epoch


@pytest.mark.parametrize('epoch', [0, 3])
def test_data_sets_learn_the_epoch_through_wrappers(epoch):
    """Alone, concatenated, repeated, and each of them nested; plain data sets are left alone."""
    clips = [Clips() for _ in range(4)]
    plain = torch.utils.data.TensorDataset(torch.zeros(1))
    repeated = SimpleNamespace(dataset=ConcatDataset([clips[2], clips[3]]))
    nested = SimpleNamespace(datasets=[clips[0], clips[1], plain, repeated])
    SeedHook().before_train_epoch(runner(epoch=epoch, dataset=nested))
    assert [dataset.epoch for dataset in clips] == [epoch] * 4


def test_it_runs_before_other_hooks():
    from mmengine.hooks import LoggerHook, RuntimeInfoHook
    from mmengine.runner import get_priority

    ours = get_priority(SeedHook.priority)
    assert ours <= get_priority(RuntimeInfoHook.priority) < get_priority(LoggerHook.priority)
