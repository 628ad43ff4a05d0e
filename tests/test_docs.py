"""The Markdown pages: links, files, commands and names that exist, nothing left to fill in."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config, ConfigDict
from mmengine.registry import Registry
from typer.main import get_command

from lamotr_mm import registry
from lamotr_mm.apis.cli import app

ROOT = Path(__file__).resolve().parents[1]
# [text](target "title"), ![text](target), [name]: target, src="target", href="target"
LINK = re.compile(
    r'\]\(\s*<?([^)\s>]+)|^\s*\[[^\]]+\]:\s*<?([^\s>]+)|(?:src|href)="([^"]+)"', re.MULTILINE
)
CODE = re.compile(r'^ *```.*?^ *```|`[^`\n]*`', re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r'(?:^ {4,}\S.*\n)+', re.MULTILINE)
SCRIPT = re.compile(r'[\w$./*-]+\.(?:py|sh)\b')
NAME = re.compile(r'\blamotr_mm(?:\.[A-Za-z]\w*)+')
# mmdet's, and mmengine's
OTHERS = {'mot2coco.py', 'slurm_train.sh', 'slurm_test.sh', 'accumulative_counts'}
# the reader's own: x, X, NAME, $NAME, and the data set of docs/custom_dataset.md
PLACEHOLDER = re.compile(r'(.*[/._])?(x|[A-Z_]+|\$\w+|lamotr_(r50_)?hive)(\.py)?$')


def pages() -> list[str]:
    """Paths of all Markdown files that belong to the project, relative to its root."""
    if (ROOT / '.git').exists():
        command = ['git', 'ls-files', '*.md']
        return subprocess.check_output(command, cwd=ROOT, text=True).split()
    found = [*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md'), *ROOT.glob('demo/**/*.md')]
    return [str(path.relative_to(ROOT)) for path in [*found, *ROOT.glob('.github/**/*.md')]]


def present_pages() -> list[str]:
    """The pages that speak of the present; the changelog may name what has gone."""
    return [page for page in pages() if page != 'CHANGELOG.md']


def code(text: str) -> list[str]:
    """Spans and blocks of code in a page, a command of several lines joined to one."""
    found = CODE.findall(text) + INDENTED.findall(CODE.sub('', text))
    return [re.sub(r'\\\n\s*', '', piece.strip('`')) for piece in found]


def commands(text: str) -> list[str]:
    """The lines of code in a page, without comments."""
    lines = (line for piece in code(text) for line in piece.splitlines())
    return [re.sub(r'\s#\s.*', '', line).strip() for line in lines]


def sources(*folders: str) -> dict[str, str]:
    """Path relative to the root -> text, of the Python and shell files in folders."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob('*.*')]
    kept = [path for path in paths if path.suffix in ('.py', '.sh') and '.mim' not in path.parts]
    return {str(path.relative_to(ROOT)): path.read_text() for path in kept}


def exists(script: str) -> bool:
    """Is there a Python or shell file of this path, name or pattern?"""
    if script in OTHERS or PLACEHOLDER.match(script) or (ROOT / script).exists():
        return True
    name = re.sub(r'^(\.{1,2}/)+', '', script)  # as seen from a config
    return any(
        path.match(name)
        for folder in ('lamotr_mm', 'configs', 'tools', 'tests')
        for path in (ROOT / folder).rglob(Path(name).name)
    )


def made_by(text: str) -> set[str]:
    """Files that the page has the reader write (`# path.py` above a block), types they register."""
    blocks = re.findall(r'^```python\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    files = [re.match(r'# (\S+\.py)\n', block) for block in blocks]
    types = re.findall(r'^@\w+\.register_module\(\)\nclass (\w+)', '\n'.join(blocks), re.MULTILINE)
    return {file[1] for file in files if file} | {f'lamotr_mm.{name}' for name in types}


def resolves(name: str) -> bool:
    """Is `lamotr_mm.a.b` a module, an attribute of one, or a type that configs can name?"""
    if name == 'lamotr_mm.X':
        return True
    found, *rest = name.split('.')
    module = importlib.import_module(found)
    for part in rest:
        try:
            module = getattr(module, part, None) or importlib.import_module(f'{found}.{part}')
        except ImportError:
            registries = [each for each in vars(registry).values() if isinstance(each, Registry)]
            return name.count('.') == 1 and any(each.get(name) for each in registries)
        found = f'{found}.{part}'
    return True


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


def test_what_is_missing_is_noticed():
    assert exists('tools/train.py') and exists('models/sgla.py') and exists('dist_*.sh')
    assert not exists('tools/gone.py') and not exists('models/train.py')
    assert resolves('lamotr_mm.models.SGLA') and resolves('lamotr_mm.FiniteLossHook')
    assert not resolves('lamotr_mm.models.Gone') and not resolves('lamotr_mm.Gone')
    text = '- `a --b`\n\n    c \\\n        --d  # e\n\n```\nf\n```\n'
    assert [line for line in commands(text) if line] == ['a --b', 'f', 'c --d']


@pytest.mark.parametrize('page', present_pages())
def test_scripts_exist(page):
    """Every .py and .sh file in code: by its path from the root, or by the end of its path."""
    text = (ROOT / page).read_text()
    named = {name for piece in code(text) for name in SCRIPT.findall(piece)} - made_by(text)
    assert [name for name in sorted(named) if not exists(name)] == []


def test_scripts_and_pages_that_the_sources_name_exist():
    """In docstrings, usage lines, messages, templates and the Makefile."""
    texts = sources('lamotr_mm', 'configs', 'tools')
    for path in [ROOT / 'Makefile', *(ROOT / '.github').rglob('*.yml')]:
        texts[str(path.relative_to(ROOT))] = path.read_text()
    path = re.compile(r'(?<![\w/.])(?:tools|docs|tests|configs)/[\w./-]+\.(?:py|sh|md)\b')
    named = {(file, name) for file, text in texts.items() for name in path.findall(text)}
    missing = [(file, name) for file, name in named if not (ROOT / name).exists()]
    assert sorted(missing) == []
    assert len(named) > 20


@pytest.mark.parametrize('page', present_pages())
def test_make_targets_exist(page):
    known = set(
        re.search(r'^\.PHONY: (.+)$', (ROOT / 'Makefile').read_text(), re.M).group(1).split()
    )
    text = '\n'.join(commands((ROOT / page).read_text()))
    assert set(re.findall(r'(?:^|&& )make ([a-z][\w-]*)', text, re.MULTILINE)) <= known


@pytest.mark.parametrize('page', present_pages())
def test_options_of_tools_exist(page):
    """Each option is a literal of the tool that it is given to, or of the package."""
    package = ''.join(sources('lamotr_mm').values())
    unknown = []
    for command in commands((ROOT / page).read_text()):
        tool = re.match(r'(?:\w+=\S+ )*(?:python )?(tools/\S+\.(?:py|sh))', command)
        if tool is None:
            continue
        text = (ROOT / tool.group(1)).read_text()
        called = re.findall(r'tools/(?:\$task|\w+)(?:/\w+)?\.py', text)
        for name in called:  # by a shell script
            for task in ('train', 'test'):
                text += (ROOT / name.replace('$task', task)).read_text()
        for name in re.findall(r"run\(argv, '(\w+)'", text):  # doors to commands of lamotr
            text += ' '.join(f"'{option}'" for option in options_of(name))
        for option in re.findall(r'(?<=\s)--[a-z][\w-]*', command):
            if f"'{option}'" not in text and f"'{option}'" not in package:
                unknown.append(f'{tool.group(1)} {option}')
    assert unknown == []


def options_of(*words: str) -> set[str]:
    """Options of a command of lamotr, such as ('track',) or ('convert', 'mot')."""
    found = get_command(app)
    for word in words:
        if word not in getattr(found, 'commands', {}):
            break
        found = found.commands[word]
    return {'--help', *(name for param in found.params for name in param.opts)}


@pytest.mark.parametrize('page', present_pages())
def test_commands_of_lamotr_exist(page):
    known = get_command(app).commands
    for command in commands((ROOT / page).read_text()):
        name, *words = command.split() or ['']
        if name != 'lamotr' or not words or words[0].isupper():
            continue
        assert words[0] in known or words[0].startswith('--'), command
        given = re.findall(r'(?<=\s)--[a-z][\w-]*', command)
        if words[0] in known:
            assert set(given) <= options_of(*words[:2]), command


@pytest.mark.parametrize('page', present_pages())
def test_config_options_exist(page):
    """`--cfg-options a.b.c=1`: the config of the command has `a.b`, code or configs know `c`."""
    words = set(re.findall(r'\w+', ' '.join(sources('lamotr_mm', 'configs').values()))) | OTHERS
    unknown = []
    for command in commands((ROOT / page).read_text()):
        _, given, options = command.partition('--cfg-options ')
        named = re.search(r'configs/\w[\w-]*\.py', command)
        path = ROOT / (named.group() if named else 'configs/lamotr_dancetrack.py')
        if not given or not path.exists():
            continue
        cfg = Config.fromfile(path)
        for key in re.findall(r'([\w.]+)=', options):
            *parents, last = key.split('.')
            found = cfg
            for name in parents:
                if isinstance(found, list):
                    found = found[int(name)]
                else:
                    found = found.get(name) if isinstance(found, Config | ConfigDict) else None
            if not isinstance(found, Config | ConfigDict) or last not in words:
                unknown.append(key)
    assert unknown == []


@pytest.mark.parametrize('page', present_pages())
def test_python_blocks_are_python_and_import_what_exists(page):
    for block in re.findall(r'^```python\n(.*?)^```', (ROOT / page).read_text(), re.M | re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith('lamotr_mm'):
                assert all(resolves(f'{node.module}.{alias.name}') for alias in node.names)


@pytest.mark.parametrize('page', present_pages())
def test_names_of_the_package_resolve(page):
    text = (ROOT / page).read_text()
    named = {name for piece in code(text) for name in NAME.findall(piece)} - made_by(text)
    assert [name for name in sorted(named) if not resolves(name)] == []


def test_what_a_page_makes_is_told_from_what_it_names():
    text = (
        '`a.py`\n```python\n# b.py\n@MODELS.register_module()\nclass C:\n    pass\n```\n'
        '```python\nx = 1  # d.py\n```\n'
    )
    assert made_by(text) == {'b.py', 'lamotr_mm.C'}


def test_names_in_docstrings_resolve():
    span = re.compile(r'`+(lamotr_mm(?:\.\w+)+)`+')
    texts = sources('lamotr_mm', 'tools').items()
    named = {(file, name) for file, text in texts for name in span.findall(text)}
    assert [each for each in sorted(named) if not resolves(each[1])] == []


def test_bug_reports_can_print_the_versions_that_they_ask_for():
    form = yaml.safe_load((ROOT / '.github/ISSUE_TEMPLATE/bug_report.yml').read_text())
    asked = next(part for part in form['body'] if part.get('id') == 'versions')
    command = re.search(r'^python -c .+$', asked['attributes']['description'], re.M).group()
    command = re.sub('^python', sys.executable, command)
    done = subprocess.run(['bash', '-c', command], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    names = {line.partition(':')[0] for line in done.stdout.splitlines()}
    assert {'Python', 'PyTorch', 'MMEngine', 'mmcv', 'mmdet', 'lamotr_mm'} <= names
