"""docker/: what can be told of the Dockerfiles without building them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / 'docker').glob('*.Dockerfile'))
MAKEFILE = (ROOT / 'Makefile').read_text()


def steps(file: Path) -> list[tuple[str, str]]:
    """Instruction and arguments, continued lines joined."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith('#')]
    joined = re.sub(r'\\\n\s*', '', '\n'.join(lines))
    return re.findall(r'^([A-Z]+) (.*)$', joined, re.MULTILINE)


def test_there_are_two():
    assert [file.name for file in FILES] == ['cpu.Dockerfile', 'cuda.Dockerfile']


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_bases_are_pinned_to_a_release(file):
    stages = [words.split() for name, words in steps(file) if name == 'FROM']
    for image, *_ in stages:
        assert re.search(r':\d+\.\d+\.\d+-', image), image
    python = [image for image, *_ in stages if image.startswith('python:')]
    assert len(set(python)) == 1, 'the environment is moved between stages: one interpreter'
    assert python[0].startswith('python:3.11.'), 'the tested one'


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_no_cache_stays_in_a_layer(file):
    for name, words in steps(file):
        if name != 'RUN':
            continue
        assert ('apt-get install' in words) == ('rm -rf /var/lib/apt/lists/*' in words)
        assert 'pip install' not in words or '--no-cache-dir' in words
        assert not words.startswith('make') or 'PIP_FLAGS=--no-cache-dir' in words


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_compilation_comes_before_the_sources(file):
    found = steps(file)
    order = [k for k, (_, words) in enumerate(found) if '/opt/venv/stamps/mmcv' in words]
    assert len(order) == 1
    assert order[0] < found.index(('COPY', '. .'))
    before = ' '.join(words for name, words in found[: order[0]] if name == 'COPY')
    # what that target of the Makefile reads
    for path in ('Makefile', 'requirements', 'tools/build_mmcv.sh'):
        assert path in before
    assert re.search(r'^\$\(STAMPS\)/mmcv: ', MAKEFILE, re.MULTILINE)
    assert re.search(r'^STAMPS := \$\(VENV\)/stamps$', MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_what_is_copied_is_there_and_not_ignored(file):
    ignored = (ROOT / '.dockerignore').read_text().splitlines()
    for name, words in steps(file):
        if name == 'COPY' and not words.startswith('--from'):
            *sources, _ = words.split()
            assert all((ROOT / source).exists() and source not in ignored for source in sources)
    parts = ('lamotr_mm', 'configs', 'tools', 'demo', 'requirements', 'setup.py', 'README.md')
    assert not set(parts) & set(ignored), 'they are part of the wheel'


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_it_does_not_run_as_root(file):
    last = [k for k, (name, _) in enumerate(steps(file)) if name == 'FROM'][-1]
    final = steps(file)[last:]
    assert [words for name, words in final if name == 'USER'] == ['1000']
    assert ('ENTRYPOINT', '["lamotr"]') in final
    assert 'g++' not in str(final), 'compilers stay in the stage that builds'


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_torch_is_that_of_the_makefile(file):
    torch = re.search(r'^TORCH \?= (\S+)$', MAKEFILE, re.MULTILINE)[1]
    (given,) = [words for name, words in steps(file) if name == 'ARG' and words.startswith('TORCH')]
    assert f'"{torch} ' in given


def test_nvcc_is_of_the_cuda_that_torch_is_built_for():
    text = (ROOT / 'docker' / 'cuda.Dockerfile').read_text()
    image = re.search(r'FROM nvidia/cuda:(\d+)\.(\d+)\.', text).groups()
    assert re.search(r'/usr/local/cuda-(\d+)\.(\d+) ', text).groups() == image
    assert f'/whl/cu{"".join(image)}"' in text
