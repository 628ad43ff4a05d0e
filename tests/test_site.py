"""`make docs`: the pages as a site, built strictly, complete, with nothing from elsewhere."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from mmengine.registry import Registry

from lamotr_mm import registry

ROOT = Path(__file__).resolve().parents[1]


class Page(HTMLParser):
    """What a page of the site loads, and the text of its paragraphs."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.paragraphs: list[str] = []
        self._open = False
        self.feed(file.read_text())

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ('script', 'img', 'iframe'):
            self.loads += [values['src']] if values.get('src') else []
        if tag == 'link' and values.get('rel') in ('icon', 'stylesheet'):
            self.loads.append(values['href'])
        if tag == 'p':
            self.paragraphs.append('')
        self._open = tag == 'p' or (self._open and tag not in ('ul', 'ol', 'table', 'pre'))

    def handle_endtag(self, tag):
        self._open = self._open and tag != 'p'

    def handle_data(self, data):
        if self._open:
            self.paragraphs[-1] += data


def build(project: Path, folder: Path) -> subprocess.CompletedProcess:
    """As `make docs` does; a warning of mkdocs, of a link or of a docstring ends it."""
    # without --quiet, which would drop the warnings before they are counted
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(folder)]
    # a proxy that nobody serves: what asks the network fails
    env = {'PATH': '/usr/bin:/bin', 'NO_MKDOCS_2_WARNING': '1', 'https_proxy': 'http://127.0.0.1:9'}
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp('site')
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope='module')
def pages(site) -> dict[str, Page]:
    """Path in the site -> page, but for those that show a source file."""
    files = [file for file in site.rglob('*.html') if 'source' not in file.parts]
    return {str(file.relative_to(site)): Page(file) for file in files}


def test_the_build_ends_where_a_page_is_wrong(tmp_path):
    text = (ROOT / 'mkdocs.yml').read_text()
    rules = text[text.index('validation:') : text.index('theme:')]
    (tmp_path / 'mkdocs.yml').write_text(f'site_name: x\nnav: [index.md]\n{rules}')
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs/index.md').write_text('# I\n\n[a](gone.md) [b](other.md#gone)\n')
    (tmp_path / 'docs/other.md').write_text('# O\n')
    done = build(tmp_path, tmp_path / 'site')
    assert done.returncode != 0
    assert done.stderr.count('WARNING') == 3, 'no menu entry, no page, no anchor'


def test_nothing_comes_from_elsewhere(pages):
    assert len(pages) > 25
    for name, page in pages.items():
        assert [url for url in page.loads if re.match(r'(https?:)?//', url)] == [], name


def test_pages_load_files_that_exist(pages, site):
    for name, page in pages.items():
        if name == '404.html':  # its paths begin at the root of a server
            continue
        folder = (site / name).parent
        missing = [url for url in page.loads if not (folder / url.partition('#')[0]).is_file()]
        assert missing == [], name


def test_lists_and_tables_are_rendered(pages):
    """mkdocs wants an empty line before them, the code host does not."""
    left = [
        (name, text)
        for name, page in pages.items()
        for text in page.paragraphs
        if re.search(r'^(?:- |\d+\. |\|.*\|$|#+ |```)', text, re.MULTILINE)
    ]
    assert left == []


def test_style_sheets_load_nothing_from_elsewhere(site):
    for file in site.rglob('*.css'):
        assert re.findall(r'(?:url\(|@import )["\']?(?:https?:)?//', file.read_text()) == [], file


def test_search_knows_pages_and_docstrings(site):
    index = json.loads((site / 'search' / 'search_index.json').read_text())
    titles = {entry['title'] for entry in index['docs']}
    assert {'Data of your own', 'TrackletUpdate', 'LAMOTRInferencer'} <= titles


def in_menu() -> set[str]:
    """Pages that the menu lists."""
    text = (ROOT / 'mkdocs.yml').read_text()
    menu = yaml.safe_load(text[text.index('nav:') : text.index('validation:')])['nav']
    return set(re.findall(r"'([\w/]+\.md)'", str(menu)))


def test_every_page_stands_in_the_menu():
    files = {str(file.relative_to(ROOT / 'docs')) for file in (ROOT / 'docs').rglob('*.md')}
    outside = {'index.md', 'contributing.md', 'changelog.md', 'demo_weights.md'}
    assert in_menu() == files | outside


def test_every_registered_type_has_its_docstring_in_the_reference(site):
    text = ''.join(file.read_text() for file in (site / 'api').glob('*.html'))
    anchors = set(re.findall(r'id="(lamotr_mm\.[\w.]+)"', text))
    ours = [
        found
        for found in vars(registry).values()
        if isinstance(found, Registry) and found.scope == 'lamotr_mm'
    ]
    for found in ours:
        found.import_from_location()
    types = {each for found in ours for each in found.module_dict.values()}
    types = {each for each in types if not each.__module__.startswith('lamotr_mm.benchmark.')}
    assert len(types) > 35
    named = {anchor.rpartition('.')[2] for anchor in anchors}
    assert sorted(each.__name__ for each in types if each.__name__ not in named) == []
