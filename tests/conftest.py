"""Shared: one torch thread (more are slower on a busy machine), real data, a tiny tracker."""

import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from mmengine.config import Config
from torch.utils import _pytree as pytree

torch.set_num_threads(1)

TINY = Path(__file__).parent / 'robustness' / 'configs' / 'tiny.py'


@pytest.fixture(scope='session')
def lamotr_data() -> Path:
    """Root of the real annotated videos (`$LAMOTR_DATA`); skips where it is unset."""
    root = os.environ.get('LAMOTR_DATA')
    if not root:
        pytest.skip('real data: set LAMOTR_DATA to the folder of pets09_s2l1/, mot17_mini/, tud/')
    if not Path(root).is_dir():
        pytest.fail(f'LAMOTR_DATA={root} is not a folder')
    return Path(root)


class TinyTracker(NamedTuple):
    """An untrained tracker on disk: ``config`` and ``checkpoint`` as paths."""

    config: str
    checkpoint: str


@pytest.fixture(scope='session')
def tiny_tracker(tmp_path_factory) -> TinyTracker:
    """Of which every object may start a track."""
    from lamotr_mm.apis.inferencer import init_model

    folder = tmp_path_factory.mktemp('tiny')
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
    return TinyTracker(str(folder / 'tiny.py'), str(folder / 'tiny.pth'))


@pytest.fixture
def recorded(monkeypatch):
    """A model's graphs on a CPU: recorded by running, replayed by running once more on the same
    tensors into the same tensors. Shapes of the inputs of each recording.
    """
    from lamotr_mm.models import lamotr
    from lamotr_mm.models.cuda_graphs import Graphed

    keys = []

    def capture(function):
        result = function()
        kept = pytree.tree_leaves(result)

        def replay():
            for old, new in zip(kept, pytree.tree_leaves(function()), strict=True):
                if torch.is_tensor(old):
                    old.copy_(new)

        return result, replay

    class Recorded(Graphed):
        def _record(self, leaves, structure):
            keys.append([tuple(leaf.shape) for leaf in leaves if torch.is_tensor(leaf)])
            return super()._record(leaves, structure)

    monkeypatch.setattr(lamotr, 'check_cuda_graphs', lambda device: None)
    monkeypatch.setattr(lamotr, 'Graphed', partial(Recorded, capture=capture))
    return keys
