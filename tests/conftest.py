"""Shared fixtures: one torch thread (two are many times slower on a busy machine), real data."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope='session')
def lamotr_data() -> Path:
    """Root of the real annotated videos (`$LAMOTR_DATA`); skips where it is unset."""
    root = os.environ.get('LAMOTR_DATA')
    if not root:
        pytest.skip('real data: set LAMOTR_DATA to the folder of pets09_s2l1/, mot17_mini/, tud/')
    if not Path(root).is_dir():
        pytest.fail(f'LAMOTR_DATA={root} is not a folder')
    return Path(root)
