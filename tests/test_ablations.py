"""configs/ablations: one factor each, and the options of docs/ablations.md that stand for it."""

import ast
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from lamotr_mm import registry

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / 'configs' / 'ablations'
BASE = ROOT / 'configs' / 'lamotr_synthetic.py'
PAPER = ROOT / 'configs' / 'lamotr_dancetrack.py'
PAGE = (ROOT / 'docs' / 'ablations.md').read_text()
# | paper | config | options | what changes |
ROWS = re.findall(r'^\| [^|]+ \| (?:`([\w-]+\.py)`)? ?\| `([\w.]+=[\w.]+)`', PAGE, re.MULTILINE)
OPTIONS = {name: option for name, option in ROWS if name}
# Table 4's other rows: | row | config | S | ...
BY_HAND = re.findall(r'^\| [^|]+ \| `([\w-]+\.py)` \| `\w+Association`', PAGE, re.MULTILINE)
# what an update of another width says of itself
WIDTHS = ('embed_dims', 'ffn_dims')
# Table 6 and the relative-deviation MLPs; the others have the paper's parameters
ADDED = {
    'no-spatial-cue_synthetic.py': -((4 * 256 + 256) + (256 * 256 + 256)),
    'anchor-cue_synthetic.py': (4 * 256 + 256) + (256 * 256 + 256),
    'tan_synthetic.py': 1_512_960,
    'tim_synthetic.py': 3_089_664,
}


def with_option(path: Path, option: str) -> Config:
    """A config as a tool reads it with `--cfg-options`."""
    config = Config.fromfile(path)
    key, _, value = option.partition('=')
    config.merge_from_dict({key: DictAction._parse_iterable(value)})
    return config


def trainable(config: Config) -> int:
    """Parameters of a model that is built without memory."""
    init_default_scope(config.default_scope)
    with torch.device('meta'):
        model = registry.MODELS.build(config.model)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_the_page_lists_every_config_and_three_numbers():
    assert len(ROWS) - len(OPTIONS) == 3
    assert len(BY_HAND) == 4
    assert sorted([*OPTIONS, *BY_HAND]) == sorted(path.name for path in FOLDER.glob('*.py'))
    for name in ADDED:  # and in its table of parameters
        assert f'| {50_288_623 + ADDED[name]:,} |' in PAGE


@pytest.mark.parametrize('name', OPTIONS)
def test_one_factor(name):
    """At most 15 lines, one key of the model beside widths; and its options do the same."""
    body = ast.parse((FOLDER / name).read_text()).body
    assigned = [node for node in body if isinstance(node, ast.Assign)]
    assert [ast.unparse(node.targets[0]) for node in assigned] == ['_base_', 'model']
    assert sum(node.end_lineno - node.lineno + 1 for node in assigned) <= 15
    (part,) = assigned[1].value.keywords
    keys = {word.arg for word in part.value.keywords} - set(WIDTHS)
    assert len(keys) == 1

    config, optioned = Config.fromfile(FOLDER / name), with_option(BASE, OPTIONS[name])
    for key in WIDTHS:
        if config.model.tracklet_update.pop(key, None):
            assert config.model.tracklet_update.type != 'lamotr_mm.TrackletUpdate'
    assert config.to_dict() == optioned.to_dict() != Config.fromfile(BASE).to_dict()


@pytest.mark.parametrize('name', OPTIONS)
def test_at_the_papers_size(name):
    assert trainable(with_option(PAPER, OPTIONS[name])) == 50_288_623 + ADDED.get(name, 0)


def number(config: Config, key: str) -> float:
    """What stands at a dotted key; digits count the elements of a list."""
    found = config
    for part in key.split('.'):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


@pytest.mark.parametrize('option', [option for name, option in ROWS if not name])
@pytest.mark.parametrize('path', [BASE, PAPER], ids=['small', 'paper'])
def test_numbers_without_a_config(path, option):
    """`w`, clip length and `L`: the option reaches a number that was there."""
    key, _, value = option.partition('=')
    changed = number(with_option(path, option), key)
    assert changed == float(value) != number(Config.fromfile(path), key)
