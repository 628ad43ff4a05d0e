"""docs/troubleshooting.md: every message that it quotes stands in the sources."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'troubleshooting.md').read_text()
MESSAGES = re.findall(r'^\| `([^`]+)` \|', PAGE, re.MULTILINE)


def texts(file: Path) -> list[str]:
    """Every string of a Python file, what f-strings fill in as `...`; docstrings left out."""
    tree = ast.parse(file.read_text())
    docstrings = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    inner = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
    found = []
    for node in ast.walk(tree):
        if id(node) in docstrings | inner:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        if isinstance(node, ast.JoinedStr):
            parts = (v.value if isinstance(v, ast.Constant) else '...' for v in node.values)
            found.append(''.join(map(str, parts)))
    return found


@pytest.fixture(scope='module')
def printed() -> str:
    """Everything that the package, the tools and the Makefile can print."""
    files = [*ROOT.glob('lamotr_mm/**/*.py'), *ROOT.glob('tools/**/*.py')]
    files = [file for file in files if '.mim' not in file.parts]
    makefile = re.sub(r'\$\(\w+\)', '...', (ROOT / 'Makefile').read_text())
    return '\n'.join([*(text for file in files for text in texts(file)), makefile])


def test_strings_are_found(tmp_path):
    (tmp_path / 'a.py').write_text('"""Doc."""\nx = f"a {1 + 1} b" "c"\ny = "d"\n')
    assert texts(tmp_path / 'a.py') == ['a ... bc', 'd']


@pytest.mark.parametrize('message', MESSAGES)
def test_messages_are_those_of_the_sources(message, printed):
    """`...` of the page stands for what is filled in, or for the rest of a line."""
    parts = [re.escape(part) for part in message.split('...')]
    assert re.search(r'[^\n]*'.join(parts), printed), message


def test_the_page_has_messages_of_every_kind():
    assert len(MESSAGES) == len(set(MESSAGES)) > 35
