"""The plan of the package: what each room may import stands in its docstring."""

import ast
import importlib
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import lamotr_mm

PACKAGE = Path(lamotr_mm.__file__).parent
ROOMS = sorted(path.parent.name for path in PACKAGE.glob('*/__init__.py'))
# modules beside the rooms; `io` stays free of them, too
HALL = {'registry', 'compat', 'version'}


def allowed(room: str) -> set[str]:
    """Rooms after 'May import:' in the docstring of a room."""
    text = ' '.join(importlib.import_module(f'lamotr_mm.{room}').__doc__.split())
    listed = re.search(r'May import: ([^.]*)\.', text).group(1)
    return set() if listed == 'nothing of ours' else set(listed.split(', '))


def imported(file: Path) -> set[str]:
    """First part below `lamotr_mm` of every import of ours in a file, also within functions."""
    package = ['lamotr_mm', *file.relative_to(PACKAGE).parent.parts]
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = '.'.join([*base, *filter(None, [node.module])])
            # `from lamotr_mm import x` names the room behind `import`
            names += [f'{module}.{alias.name}' for alias in node.names]
    parts = [name.split('.') for name in names]
    return {part[1] for part in parts if part[0] == 'lamotr_mm' and len(part) > 1}


def test_imports_are_seen(tmp_path):
    file = PACKAGE / 'models' / '_imaginary.py'
    text = (
        'import lamotr_mm.io.files\nfrom lamotr_mm import apis\nfrom ..engine import launch\n'
        'def f():\n    from ..weights.rules import Map\nfrom .sgla import SGLA\nimport torch\n'
    )

    class Imaginary(type(file)):
        def read_text(self):
            return text

    assert imported(Imaginary(file)) == {'io', 'apis', 'engine', 'weights', 'models'}


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_imports_what_its_docstring_says(room):
    hall = set() if room == 'io' else HALL
    for file in sorted((PACKAGE / room).rglob('*.py')):
        others = imported(file) - {room} - hall
        assert others <= allowed(room), f'{file.relative_to(PACKAGE)}'


@pytest.mark.parametrize('room', ROOMS)
def test_docstrings_name_no_room_in_vain(room):
    used = set().union(*(imported(file) for file in (PACKAGE / room).rglob('*.py')))
    if room != 'apis':  # the top may use everything
        assert allowed(room) <= used


def test_arrows_run_down_only():
    assert set(ROOMS) >= set().union(*map(allowed, ROOMS))
    order = list(TopologicalSorter({room: allowed(room) for room in ROOMS}).static_order())
    assert len(order) == len(ROOMS)
