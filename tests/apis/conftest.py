"""The tiny tracker as one object, and what it may track."""

from functools import partial

import numpy as np
import pytest
from mmdet.structures import DetDataSample


@pytest.fixture(scope='session')
def tracker(tiny_tracker):
    """An inferencer."""
    from lamotr_mm.apis import LAMOTRInferencer

    return LAMOTRInferencer(*tiny_tracker, device='cpu', show_progress=False)


@pytest.fixture(scope='session')
def videos() -> list[list[np.ndarray]]:
    """Two videos of noise; one of 128x192 px, one of 96x96."""
    rng = np.random.default_rng(0)
    sizes = ((128, 192, 3), (96, 96, 3))
    return [[rng.integers(0, 256, size, np.uint8) for _ in range(5)] for size in sizes]


@pytest.fixture
def make_tracks():
    """``make_tracks(frame, ids, boxes_xyxy, labels)`` -> :class:`Tracks` of a frame of 64x48 px."""
    from lamotr_mm.apis.results import Association, Tracks

    return partial(_tracks, Association, Tracks)


def _tracks(association, tracks, number, ids, boxes, labels, classes=('bee', 'wasp')):
    n, empty = len(ids), np.zeros((0, 4), np.float32)
    nothing = association(
        np.zeros((0, 0)), empty, empty[:, 0], np.zeros(0, int), np.zeros(0, int), empty,
        np.zeros((0, 2), int),
    )  # fmt: skip
    return tracks(
        number,
        np.array(ids, np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.5, 0.75, n, dtype=np.float32),
        np.array(labels, np.int64),
        np.arange(n),
        np.full(n, -1),
        nothing,
        DetDataSample(metainfo=dict(ori_shape=(48, 64))),
        classes,
    )
