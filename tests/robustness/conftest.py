"""Miniature videos, a miniature model, and the public tools called on them."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# the tests and the configs import the modules that lie here
sys.path.insert(0, str(HERE))


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """An empty folder, the current one, with what makes videos and calls the tools in it."""
    from workshop import Workshop

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    return Workshop(tmp_path)
