"""Helpers on the path, and the story that they tell."""

import sys
from pathlib import Path

import pytest

from lamotr_mm.visualization.explain import FrameRecord

sys.path.insert(0, str(Path(__file__).resolve().parent))  # chromium, explain_story


@pytest.fixture
def story() -> list[FrameRecord]:
    """Records of six frames, with truth."""
    from explain_story import make_story

    return make_story()
