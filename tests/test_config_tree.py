"""docs/configs.md draws the inheritance of the configs as it is."""

import ast
import os.path as osp
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs'


def bases(file: Path) -> list[str]:
    """What a config inherits, as paths below `configs/`; read from its text, without mmengine."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            value = ast.literal_eval(node.value)
            listed = [value] if isinstance(value, str) else value
            folder = file.relative_to(CONFIGS).parent
            return [osp.normpath(folder / base) for base in listed]
    return []


def tree(inherits: dict[str, list[str]]) -> list[str]:
    """Every config below the first one that it inherits; the others stand behind it."""

    def below(parent: str, indent: str) -> list[str]:
        children = sorted(name for name, listed in inherits.items() if listed[:1] == [parent])
        lines = []
        for child in children:
            last = child == children[-1]
            others = ' '.join(name.removeprefix('_base_/') for name in inherits[child][1:])
            lines.append(f'{indent}{"└── " if last else "├── "}{child}{others and f"  + {others}"}')
            lines += below(child, indent + ('    ' if last else '│   '))
        return lines

    roots = sorted(name for name, listed in inherits.items() if not listed)
    return [line for root in roots for line in (root, *below(root, ''))]


def test_tree_of_a_family():
    family = {'a': [], 'z': [], 'b': ['a'], 'c': ['b'], 'd': ['a', '_base_/z']}
    assert tree(family) == ['a', '├── b', '│   └── c', '└── d  + z', 'z']


def test_the_page_shows_the_tree_as_it_is():
    inherits = {file.relative_to(CONFIGS).as_posix(): bases(file) for file in CONFIGS.rglob('*.py')}
    page = (ROOT / 'docs' / 'configs.md').read_text()
    shown = page.partition('```text\n')[2].partition('\n```')[0].splitlines()
    expected = tree(inherits)
    assert shown == expected, 'docs/configs.md should show:\n' + '\n'.join(expected)
