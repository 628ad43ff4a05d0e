"""docs/swap_backbone.md: channels as printed, a config that builds and runs, keys that agree."""

import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lamotr_mm.registry import MODELS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'swap_backbone.md').read_text()
BLOCKS = re.findall(r'^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)


def test_channels_are_those_of_the_page(capsys):
    exec(BLOCKS[0], {})
    assert f'prints `{capsys.readouterr().out.strip()}`' in PAGE


@pytest.fixture
def config(tmp_path) -> Config:
    """The page's config, in a copy of the configs."""
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    path, text = re.match(r'# (\S+)\n(.*)', BLOCKS[1], re.DOTALL).groups()
    (tmp_path / path).write_text(text)
    return Config.fromfile(tmp_path / path)


def test_the_config_builds_and_encodes(config):
    config.model.backbone.init_cfg = None
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model).eval()
    assert type(model.backbone).__name__ == 'RegNet'
    assert config.load_from is None
    with torch.no_grad():
        features = model.encode(torch.zeros(1, 3, 64, 96), [(64, 96)])
    shapes = [(8, 12), (4, 6), (2, 3), (1, 2)]
    assert features.spatial_shapes.tolist() == [list(shape) for shape in shapes]
    assert features.memory.shape == (1, sum(h * w for h, w in shapes), 256)


def named(row: str) -> list[str]:
    """Keys of a row of the table on a narrower model."""
    (cells,) = re.findall(rf'^\| {re.escape(row)} \| (.+) \|$', PAGE, re.MULTILINE)
    return re.findall(r'`([\w.*]+)`', cells)


def leaves(config: dict, place: str = '') -> dict[str, object]:
    """Dotted key -> value."""
    found = {}
    for key, value in config.items():
        inner = leaves(value, f'{place}{key}.') if isinstance(value, dict) else {}
        found |= inner or {f'{place}{key}': value}
    return found


def test_the_table_of_widths_names_every_key():
    """In the small model, each key that the table names has that value, and none is forgotten."""
    config = Config.fromfile(ROOT / 'configs/_base_/lamotr_mobilenetv2_small.py')
    width, levels = config.embed_dims, config.num_levels
    model, left = leaves(config.model), set()
    for row, value in (('`d`', width), ('`d / 2`', width // 2), ('levels', levels)):
        for pattern in named(row):
            keys = [key for key in model if fnmatch(key, pattern)]
            assert keys and {model[key] for key in keys} == {value}, pattern
            left |= set(keys)
    assert {key for key in model if key.endswith(('embed_dims', 'num_levels'))} <= left
