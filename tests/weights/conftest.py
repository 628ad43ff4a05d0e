"""The independent references lie beside the tests."""

import sys
from pathlib import Path

import pytest
from mmengine.model import BaseModule

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(autouse=True)
def _quiet_initialisation(monkeypatch):
    """mmengine logs three lines for each parameter that it initialises."""
    monkeypatch.setattr(BaseModule, '_dump_init_info', lambda self: None)
