"""Samples as a function of (seed, epoch, index)."""

import random

import numpy as np
import pytest

from lamotr_mm.datasets.seeding import SeededPipelineMixin


class Draws:
    """A data set of random numbers."""

    def __init__(self, test_mode=False):
        self.test_mode = test_mode

    def prepare_data(self, idx):
        return random.random(), np.random.rand()


class SeededDraws(SeededPipelineMixin, Draws):
    pass


def test_equal_keys_give_equal_draws():
    one, other = SeededDraws(seed=3), SeededDraws(seed=3)
    one.set_epoch(5)
    other.set_epoch(5)
    sample = one.prepare_data((2, 7))
    for index in [(0, 0), (2, 7), (1, 1)]:
        one.prepare_data(index)
    assert other.prepare_data((2, 7)) == one.prepare_data((2, 7)) == sample


def test_other_keys_give_other_draws():
    draws = set()
    keys = [(s, e, i) for s in (0, 1) for e in (0, 1) for i in (0, 1, (0, 0), (0, 1), (1, 0))]
    for seed, epoch, index in keys:
        dataset = SeededDraws(seed=seed)
        dataset.set_epoch(epoch)
        draws.update(dataset.prepare_data(index))
    assert len(draws) == 2 * len(keys)


def test_test_mode_is_left_alone():
    dataset = SeededDraws(test_mode=True)
    assert dataset.prepare_data((0, 0)) != dataset.prepare_data((0, 0))


def test_negative_seed():
    with pytest.raises(ValueError, match='seed of SeededDraws must be >= 0, got -1'):
        SeededDraws(seed=-1)
