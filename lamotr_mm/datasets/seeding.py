"""Augmentation that depends on (seed, epoch, index) only, not on workers, order or restarts."""

import random
from typing import Any

import numpy as np
import torch


class SeededPipelineMixin:
    """Seeds `random` and `numpy.random` before each training sample.

    Put it before a video dataset: ``class D(SeededPipelineMixin, BaseVideoDataset)``. Training
    samples then are a function of (seed, epoch, index) alone, so they are the same for any number
    of workers and after a resume. Test samples are left alone: their pipeline draws nothing.
    `ConcatVideoDataset` sets ``member``, the data set's place in a mixture, on which the numbers
    depend as well from then on.

    Transforms that draw from torch's generator are not covered; mmcv's and mmdet's draw from NumPy.

    Args:
        seed (int): Non-negative base seed. Defaults to 0.

    Raises:
        ValueError: If `seed` is negative.
    """

    # of the data set that it is put before
    test_mode: bool
    metainfo: dict

    def __init__(self, *args: Any, seed: int = 0, **kwargs: Any) -> None:
        if seed < 0:
            raise ValueError(f'seed of {type(self).__name__} must be >= 0, got {seed}')
        self.seed = seed
        self.member: int | None = None
        # in shared memory, so that persistent workers see the epoch that the main process sets
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        super().__init__(*args, **kwargs)

    @property
    def epoch(self) -> int:
        """Epoch of the next sample, from 0."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch (from 0); also reaches worker processes that run already."""
        self._epoch.fill_(epoch)

    def prepare_data(self, idx: int | tuple[int, int]) -> dict:
        """Runs the pipeline on a sample.

        Args:
            idx (int | tuple[int, int]): Index of the video, or of the video and its start frame.

        Returns:
            dict: The pipeline's result.
        """
        if not self.test_mode:
            seed_generators(self.seed, self.epoch, idx, self.member)
        return super().prepare_data(idx)  # type: ignore[misc]  # of the data set


def seed_generators(
    seed: int, epoch: int, idx: int | tuple[int, int], member: int | None = None
) -> None:
    """Seeds the global generators of `random` and `numpy.random`.

    Args:
        seed (int): Base seed.
        epoch (int): From 0.
        idx (int | tuple[int, int]): Index of the video, or of the video and its start frame.
        member (int, optional): Number of the data set in a mixture, which gives each its own
            numbers at equal (seed, epoch, index).
    """
    video, frame = idx if isinstance(idx, tuple) else (idx, -1)
    # frame + 1: SeedSequence pads with zeros, so that (v,) and (v, 0) would be the same
    entropy = (seed, epoch, video, frame + 1)
    spawn_key = () if member is None else (member,)
    state = np.random.SeedSequence(entropy, spawn_key=spawn_key).generate_state(8)
    random.seed(state.tobytes())
    np.random.seed(state)
