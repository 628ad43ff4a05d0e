"""The Markdown pages: links and pictures that exist, nothing left to fill in."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# [text](target "title"), ![text](target), [name]: target, src="target", href="target"
LINK = re.compile(
    r'\]\(\s*<?([^)\s>]+)|^\s*\[[^\]]+\]:\s*<?([^\s>]+)|(?:src|href)="([^"]+)"', re.MULTILINE
)
CODE = re.compile(r'^ *```.*?^ *```|`[^`\n]*`', re.MULTILINE | re.DOTALL)


def pages() -> list[str]:
    """Paths of all Markdown files that belong to the project, relative to its root."""
    if (ROOT / '.git').exists():
        command = ['git', 'ls-files', '*.md']
        return subprocess.check_output(command, cwd=ROOT, text=True).split()
    parts = [ROOT.glob('*.md'), ROOT.glob('docs/**/*.md'), ROOT.glob('demo/**/*.md')]
    return [str(path.relative_to(ROOT)) for part in parts for path in part]


def targets(text: str) -> list[str]:
    """What the links and pictures of a page point to, outside code."""
    return [next(filter(None, groups)) for groups in LINK.findall(CODE.sub('', text))]


def headings(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub writes them."""
    lines = re.findall(r'^#+ +(.+?)\s*$', text, re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', line.lower()).replace(' ', '-') for line in lines}


def test_links_are_found_in_every_form():
    text = (
        '[a](b.md#c "t") ![p](q.jpg)\n[r]: s.md\n<img src="u.png"> <a href="v.md">\n'
        '`[x](no.md)`\n```\n[y](no.md)\n```\n[z](w.md)'
    )
    assert targets(text) == ['b.md#c', 'q.jpg', 's.md', 'u.png', 'v.md', 'w.md']


@pytest.mark.parametrize('page', pages())
def test_relative_links_exist(page):
    path = ROOT / page
    broken = []
    for target in targets(path.read_text()):
        if re.match(r'[a-z]+:', target):
            continue
        file, _, anchor = target.partition('#')
        linked = path.parent / file if file else path
        if not linked.exists() or (anchor and anchor not in headings(linked.read_text())):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize('page', pages())
def test_nothing_is_left_to_fill_in(page):
    assert re.findall(r'@@\w*', (ROOT / page).read_text()) == []
