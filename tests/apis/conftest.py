"""A tiny untrained tracker of which every object may start a track."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config

TINY = Path(__file__).parents[1] / 'robustness' / 'configs' / 'tiny.py'


@pytest.fixture(scope='session')
def tiny_files(tmp_path_factory) -> tuple[str, str]:
    """Config and checkpoint."""
    from lamotr_mm.apis.inferencer import init_model

    folder = tmp_path_factory.mktemp('tiny_tracker')
    config = Config.fromfile(TINY, import_custom_modules=False)
    config.custom_imports = dict(imports=['lamotr_mm'], allow_failed_imports=False)
    config.merge_from_dict(
        {
            'model.lifecycle': dict(det_thr=0.0, keep_thr=0.0, new_thr=0.0),
            'model.out_score_thr': 0.0,
            'model.out_min_area': 0.0,
        }
    )
    config.dump(folder / 'tiny.py')
    torch.manual_seed(0)
    torch.save(dict(state_dict=init_model(config).state_dict()), folder / 'tiny.pth')
    return str(folder / 'tiny.py'), str(folder / 'tiny.pth')


@pytest.fixture(scope='session')
def tracker(tiny_files):
    """An inferencer."""
    from lamotr_mm.apis import LAMOTRInferencer

    return LAMOTRInferencer(*tiny_files, device='cpu', show_progress=False)


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
