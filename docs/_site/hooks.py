"""mkdocs: pages of the repository that lie outside docs/, and links to its files.

The pages are read on the code host as well, so their links are relative to the repository. Here
`README.md` becomes the home page, and a link to a source file leads to a page that shows it.
"""

import os.path as osp
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
# file of the repository -> page of the site; docs/x.md is x.md
PAGES = {
    'README.md': 'index.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changelog.md',
    'demo/weights/README.md': 'demo_weights.md',
}
LANGUAGES = {'.py': 'python', '.sh': 'bash', '.yml': 'yaml', '': 'text'}
COPIED = ('.jpg', '.png', '.svg', '.ipynb')
SOURCE = 'source/'
# code is left as it is; [text](target) and ![text](target)
LINK = re.compile(
    r'^ *```.*?^ *```|(\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s]+)\)|`[^`\n]*`',
    re.MULTILINE | re.DOTALL,
)


def in_repository(uri: str) -> str:
    """Path in the repository of a page of the site."""
    return next((path for path, page in PAGES.items() if page == uri), f'docs/{uri}')


def in_site(path: str) -> str | None:
    """Where the site has a file of the repository; None: nowhere, as for folders."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith('docs/'):
        return path.removeprefix('docs/')
    if not (ROOT / path).is_file():
        return None
    return path if path.endswith(COPIED) else f'{SOURCE}{path}.md'


def links(uri: str, text: str) -> Iterator[tuple[re.Match, str, str]]:
    """Links of a page to files: the match, the file in the repository, and the anchor."""
    folder = osp.dirname(in_repository(uri))
    for match in LINK.finditer(text):
        target, _, anchor = (match[2] or '').partition('#')
        if target and not re.match(r'[a-z]+:', target):
            yield match, osp.normpath(osp.join(folder, target)), anchor


def show(path: str) -> str:
    """A page that shows a file."""
    text = (ROOT / path).read_text()
    return f'# `{path}`\n\n````{LANGUAGES[Path(path).suffix]}\n{text}\n````\n'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, and the files that any page links to."""
    for path, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    for page in list(files.documentation_pages()):
        for _, path, _ in links(page.src_uri, page.content_string):
            uri = in_site(path)
            if uri is None or files.get_file_from_path(uri):
                continue
            if uri.startswith(SOURCE):
                files.append(File.generated(config, uri, content=show(path)))
            elif (ROOT / path).is_file():  # if it is not, mkdocs says so
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between files of the repository -> links between pages of the site."""
    uri = page.file.src_uri
    if uri.startswith(SOURCE):
        return markdown
    pieces, end = [], 0
    for match, path, anchor in links(uri, markdown):
        target = in_site(path)
        pieces.append(markdown[end : match.start()])
        if target is None:
            pieces.append(match[1][1:-1])
        else:
            relative = osp.relpath(target, osp.dirname(uri) or '.')
            pieces.append(f'{match[1]}({relative}{anchor and f"#{anchor}"})')
        end = match.end()
    return ''.join([*pieces, markdown[end:]])
