"""docs/config_reference.md: as the docstrings are now, with every key of every registered type."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest
from mmengine.registry import Registry

from lamotr_mm import registry
from lamotr_mm.models.clip_tracklets import ClipTracklets
from lamotr_mm.models.layers.encoder import FeatureEncoder

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / 'docs' / '_site' / 'config_reference.py'
PAGE = (ROOT / 'docs' / 'config_reference.md').read_text()
SECTIONS = dict(re.findall(r'^### (\w+)\n(.*?)(?=^###? |\Z)', PAGE, re.MULTILINE | re.DOTALL))


def in_the_reference(kind: type) -> bool:
    """Ours, but for what the benchmark's own processes register for themselves."""
    room = kind.__module__.removeprefix('lamotr_mm.')
    return room != kind.__module__ and not room.startswith('benchmark.')


def registered() -> list[type]:
    """Every type of this package that a config can name, and the two that LAMOTR builds itself."""
    found = {ClipTracklets, FeatureEncoder}
    for each in vars(registry).values():
        if isinstance(each, Registry) and each.scope == 'lamotr_mm':
            each.import_from_location()
            found |= {t for t in each.module_dict.values() if in_the_reference(t)}
    return sorted(found, key=lambda each: each.__name__)


def keys(kind: type) -> list[str]:
    """Arguments of its own constructor; those of mmdet's and mmengine's classes have their docs."""
    if '__init__' not in vars(kind):
        return []
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return [p.name for p in parameters if p.kind not in kinds and p.name != 'init_cfg']


def test_the_page_is_what_the_docstrings_say():
    spec = importlib.util.spec_from_file_location('config_reference', SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.page(script.load()) == PAGE, f'python {SCRIPT.relative_to(ROOT)} writes it anew'


@pytest.mark.parametrize('kind', registered(), ids=lambda kind: kind.__name__)
def test_every_key_is_there_with_its_meaning(kind):
    rows = dict(
        re.findall(r'^\| `(\w+)` \| .*? \| (.*) \|$', SECTIONS[kind.__name__], re.MULTILINE)
    )
    assert set(keys(kind)) <= set(rows)
    assert [key for key in rows if not rows[key]] == []


def test_enough_types_are_looked_at():
    assert len(registered()) > 40
    assert sum(len(keys(kind)) for kind in registered()) > 80
