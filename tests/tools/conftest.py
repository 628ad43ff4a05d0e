"""A tiny untrained tracker on disk, for the tools that track."""

import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parent))  # miniature_downloads

TINY = Path(__file__).parents[1] / 'robustness' / 'configs' / 'tiny.py'


class TinyTracker(NamedTuple):
    """``config`` and ``checkpoint`` as paths."""

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
