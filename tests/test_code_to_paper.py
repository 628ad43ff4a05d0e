"""docs/code_to_paper.md: names that are in the files that they link to, keys with their values."""

import ast
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from lamotr_mm.models import DecoupledTrackingLoss

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'code_to_paper.md').read_text()
NAMED = re.findall(r'\[`([\w.]+)`\]\(\.\./([\w/]+\.py)\)', PAGE)
SETTINGS = re.findall(r'^\|.*\| `(\w+\.py)` \| `([\w.]+)` \| `([^`]+)` \|$', PAGE, re.MULTILINE)


def defined(file: Path) -> set[str]:
    """Classes, functions and methods (`Class.method`) of a file, from its text."""
    kinds = ast.ClassDef | ast.FunctionDef
    names = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, kinds):
            names.add(node.name)
            inner = node.body if isinstance(node, ast.ClassDef) else ()
            names |= {f'{node.name}.{each.name}' for each in inner if isinstance(each, kinds)}
    return names


@pytest.mark.parametrize(('name', 'file'), sorted(set(NAMED)))
def test_names_are_defined_in_the_files_that_they_link_to(name, file):
    assert name == Path(file).name or name in defined(ROOT / file)


def test_every_section_and_equation_is_there():
    method = PAGE.split('## Ablations')[0]
    for section in ('3.1', '3.2', '3.3', '3.4', '4.2'):
        assert f'Sec. {section}' in method
    for number in (1, 2):
        assert f'Eq. {number}' in method
    assert len(NAMED) > 40


@pytest.mark.parametrize(('config', 'key', 'value'), SETTINGS)
def test_settings_have_the_values_of_the_page(config, key, value):
    found = Config.fromfile(ROOT / 'configs' / config)
    for part in key.split('.'):
        found = found[int(part)] if part.isdigit() else found[part]
    assert found == ast.literal_eval(value)


def test_loss_weights_are_the_default():
    losses = DecoupledTrackingLoss()
    weights = [each.loss_weight for each in (losses.loss_cls, losses.loss_reg, losses.loss_box)]
    assert weights == [2, 5, 2]
    assert [cost.weight for cost in losses.assigner.match_costs] == [2, 5, 2]
