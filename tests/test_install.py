"""What `pip install` makes of the repository: wheel content, `.mim`, requirements, the Makefile."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from packaging.requirements import Requirement

from lamotr_mm.compat import REQUIREMENTS

ROOT = Path(__file__).resolve().parents[1]
PARTS = ('lamotr_mm', 'configs', 'tools', 'demo', 'requirements')
FILES = ('setup.py', 'pyproject.toml', 'model-index.yml', 'LICENSE', 'MANIFEST.in', 'README.md')


def requirements(name: str) -> dict[str, Requirement]:
    """Distribution name -> requirement, of requirements/{name}.txt."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    parsed = (Requirement(line.split('#')[0]) for line in lines if line.split('#')[0].strip())
    return {r.name: r for r in parsed}


@pytest.fixture(scope='module')
def source(tmp_path_factory) -> Path:
    """A copy of the sources (building writes beside them)."""
    folder = tmp_path_factory.mktemp('source')
    ignore = shutil.ignore_patterns('__pycache__', '.mim', '*.egg-info', 'out')
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    return folder


def build(source: Path, hook: str, target: Path) -> Path:
    """Run one PEP 517/660 hook of setuptools in `source`, without torch; the path of the wheel."""
    code = (
        'import sys\n'
        "sys.modules['torch'] = None\n"  # importing torch would raise
        'from setuptools import build_meta\n'
        f'print("WHEEL", build_meta.{hook}({str(target)!r}))\n'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target / re.search(r'^WHEEL (.+)$', done.stdout, re.MULTILINE).group(1)


def test_wheel_holds_configs_tools_and_index(source, tmp_path):
    with zipfile.ZipFile(build(source, 'build_wheel', tmp_path)) as wheel:
        names = set(wheel.namelist())
        meta = wheel.read(next(n for n in names if n.endswith('/METADATA'))).decode()
    expected = {f'lamotr_mm/.mim/{p.relative_to(ROOT)}' for p in ROOT.glob('configs/**/*.py')}
    expected |= {f'lamotr_mm/.mim/tools/{name}' for name in ('train.py', 'dist_train.sh')}
    expected |= {'lamotr_mm/.mim/demo/weights/README.md', 'lamotr_mm/.mim/model-index.yml'}
    expected |= {'lamotr_mm/models/lamotr.py'}
    assert expected <= names
    assert not [n for n in names if n.startswith('tests/') or '__pycache__' in n]
    assert any(n.endswith('licenses/LICENSE') for n in names)
    assert any(n.endswith('.dist-info/entry_points.txt') for n in names)
    assert 'License: Apache-2.0' in meta or 'License-Expression: Apache-2.0' in meta
    assert 'Requires-Python: >=3.11' in meta
    for name in requirements('runtime'):
        assert re.search(rf'^Requires-Dist: {name}\b.*; extra == .runtime.', meta, re.MULTILINE)
    always = re.findall(r'^Requires-Dist: ([\w-]+)[^;\n]*$', meta, re.MULTILINE)
    assert sorted(always) == sorted(requirements('base')), 'an exported model needs no torch'


def test_editable_installation_links(source, tmp_path):
    build(source, 'build_editable', tmp_path)
    mim = source / 'lamotr_mm' / '.mim'
    for name in ('configs', 'tools', 'demo', 'model-index.yml'):
        assert (mim / name).is_symlink()
        assert (mim / name).resolve() == source / name
    build(source, 'build_editable', tmp_path)  # replaces the links, does not write through them
    assert (source / 'configs' / '_base_').is_dir()


def test_version_is_the_one_of_the_package():
    import lamotr_mm

    assert lamotr_mm.__version__ == metadata.version('lamotr_mm')


@pytest.mark.parametrize(
    'name',
    ['build', 'base', 'runtime', 'openmmlab', 'peers', 'onnx', 'export', 'tests', 'docs'],
)
def test_pins_lie_in_the_ranges_and_are_installed(name):
    pins = requirements('constraints')
    for requirement in requirements(name).values():
        if requirement.name != 'torch':  # not pinned: its builds differ from machine to machine
            pinned = next(iter(pins[requirement.name].specifier)).version
            assert requirement.specifier.contains(pinned), requirement
        assert requirement.specifier.contains(metadata.version(requirement.name)), requirement


def test_hooks_before_a_commit_use_the_pinned_ruff():
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())
    revisions = {repo['repo'].rpartition('/')[2]: repo.get('rev') for repo in hooks['repos']}
    pin = next(iter(requirements('constraints')['ruff'].specifier)).version
    assert revisions['ruff-pre-commit'] == f'v{pin}'
    (types,) = next(repo['hooks'] for repo in hooks['repos'] if repo['repo'] == 'local')
    assert (types['entry'], types['language']) == ('python -m mypy', 'system'), 'the pinned one'


def test_workflow_runs_the_ci_script_on_the_torch_of_the_makefile():
    workflow = yaml.safe_load((ROOT / '.github/workflows/ci.yml').read_text())
    job = workflow['jobs']['test']
    assert [step['run'] for step in job['steps'] if 'run' in step] == [
        'make env',
        '.ci/run',
        'make docs',
    ]
    torch = re.search(r'^TORCH \?= (\S+)$', (ROOT / 'Makefile').read_text(), re.MULTILINE).group(1)
    assert job['env']['TORCH'].split()[0] == torch


def test_guard_agrees_with_the_requirements():
    """The newest tested version of the guard is inside the range that pip installs."""
    names = {'torch': 'torch', 'mmengine': 'onedl-mmengine', 'mmcv': 'onedl-mmcv'}
    names |= {'mmdet': 'onedl-mmdetection', 'trackeval': 'trackeval', 'av': 'av'}
    ranges = requirements('base') | requirements('runtime') | requirements('openmmlab')
    for checked in REQUIREMENTS:
        assert ranges[names[checked.module]].specifier.contains(checked.tested), checked


def test_model_index_names_files_that_exist():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    for path in index['Import']:
        meta = yaml.safe_load((ROOT / path).read_text())
        collections = {c['Name'] for c in meta['Collections']}
        for model in meta['Models']:
            assert (ROOT / model['Config']).is_file(), model['Config']
            assert model['In Collection'] in collections


@pytest.fixture
def fake_project(tmp_path) -> Path:
    """The Makefile with a stand-in interpreter that writes down its calls instead of working."""
    shutil.copy(ROOT / 'Makefile', tmp_path)
    shutil.copytree(ROOT / 'requirements', tmp_path / 'requirements')
    for name in ('requirements.txt', 'setup.py', 'pyproject.toml'):
        shutil.copy(ROOT / name, tmp_path)
    for path in ('bin/python', '.venv/bin/python', 'tools/build_mmcv.sh'):
        script = tmp_path / path
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(
            '#!/bin/sh\n'
            f'echo "{path} $*" >> calls\n'
            'echo "WARNING: Location of $2 is ignored" >&2\n'
            '[ -z "$FAIL" ] || case "$0 $*" in\n'
            '*"$FAIL"*) echo "ERROR: no space" >&2; exit 1 ;; esac\n'
        )
        script.chmod(0o755)
    return tmp_path


def run_make(project: Path, *args: str, fail: str = '') -> subprocess.CompletedProcess:
    command = ['make', 'PYTHON=bin/python', *args]
    env = {'PATH': '/usr/bin:/bin', 'FAIL': fail}
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)


def make(project: Path, *args: str, fail: str = '') -> tuple[int, list[str]]:
    """Call make; exit status and the calls that the stand-ins wrote down."""
    (project / 'calls').unlink(missing_ok=True)
    done = run_make(project, *args, fail=fail)
    calls = project / 'calls'
    return done.returncode, calls.read_text().splitlines() if calls.exists() else []


def test_make_says_which_pythons_are_tested(capsys):
    """What the Makefile asks the interpreter, asked of versions that are made up."""
    code = re.search(r"-c 'import sys; (v = .*)'", (ROOT / 'Makefile').read_text()).group(1)

    def ask(*version: int) -> str:
        exec(code, {'sys': SimpleNamespace(version_info=version)})
        return capsys.readouterr().out.partition(' (')[0].strip()

    with pytest.raises(AssertionError, match=r'3\.11 or newer is needed, .* is 3\.10'):
        ask(3, 10, 9)
    assert ask(3, 11, 7) == ''
    assert ask(3, 12, 1) == 'Python 3.12: not tested, 3.11 is'


def test_make_installs_once_and_goes_on_after_an_interruption(fake_project):
    code, calls = make(fake_project, 'env', fail='build_mmcv')
    assert code != 0
    assert 'tools/build_mmcv.sh' in calls[-1]
    code, calls = make(fake_project, 'env')
    assert code == 0
    assert 'tools/build_mmcv.sh' in calls[0], 'venv and torch are not installed again'
    assert 'import lamotr_mm' in calls[-1]
    assert make(fake_project, 'env') == (0, [])


def test_make_shows_the_steps_and_not_the_warnings_of_pip(fake_project):
    done = run_make(fake_project, 'env')
    steps = [line[:5] for line in done.stdout.splitlines() if line.startswith('[')]
    assert steps == [f'[{n}/5]' for n in range(1, 6)]
    shown = [line for line in done.stderr.splitlines() if 'of pip' in line]
    assert len(shown) == 1, '`pip check` is no installation'
    assert (fake_project / '.venv/pip.log').read_text() == 'WARNING: Location of pip is ignored\n'


@pytest.mark.parametrize('step', ['build.txt', 'torch==', 'tests.txt', '-e .'])
def test_make_shows_errors_of_pip_and_names_the_log(fake_project, step):
    done = run_make(fake_project, 'env', fail=step)
    assert done.returncode != 0
    assert 'ERROR: no space\npip failed; its warnings are in .venv/pip.log\n' in done.stderr
    assert 'WARNING: Location of pip' in (fake_project / '.venv/pip.log').read_text()
    assert '[5/5]' not in done.stdout or step == '-e .'


def test_make_targets_call_the_tools(fake_project):
    assert make(fake_project, 'env')[0] == 0
    assert make(fake_project, 'test')[1] == ['.venv/bin/python -m pytest --cov=lamotr_mm']
    assert make(fake_project, 'soak')[1] == ['.venv/bin/python -m pytest -m soak']
    assert make(fake_project, 'docs')[1] == ['.venv/bin/python -m mkdocs build --strict']
    modules = ('ruff check .', 'ruff format --check .', 'mypy')
    assert make(fake_project, 'lint')[1] == [f'.venv/bin/python -m {each}' for each in modules]
    assert make(fake_project, 'demo')[1] == ['.venv/bin/python tools/demo.py']
    _, calls = make(fake_project, 'demo', 'VIDEO=my film.mp4')
    assert calls == ['.venv/bin/python tools/demo.py --video my film.mp4']


def test_make_fails_when_the_tests_fail(fake_project):
    assert make(fake_project, 'env')[0] == 0
    assert make(fake_project, 'test', fail='pytest')[0] != 0


@pytest.fixture
def fake_python(tmp_path) -> Path:
    """A stand-in interpreter; its pip 'compiles' 30 files. $FAIL: not; $STALE: unloadable ones."""
    (tmp_path / 'Python.h').touch()
    script = tmp_path / 'python'
    script.write_text(
        '#!/bin/bash\n'
        'here=$(dirname "$0")\n'
        'case $1 in\n'
        '-c) echo "$here" ;;\n'
        '-) cat >/dev/null; [ -e "$here/installed" ] ;;\n'
        '-m)\n'
        '    echo "$*" >>"$here/calls"\n'
        '    for i in $(seq 30); do echo "  [$i/30] c++ -c file$i.cpp"; done\n'
        '    [ -z "$FAIL" ] || {\n'
        '        echo "WARNING: error-prone is ignored"\n'
        '        echo "fatal error: no space"\n'
        '        echo "ERROR: No matching distribution"\n'
        '        exit 1\n'
        '    }\n'
        '    case "$STALE $*" in\n'
        '    "yes "*--force-reinstall* | " "*) touch "$here/installed" ;;\n'
        '    esac ;;\n'
        'esac\n'
    )
    script.chmod(0o755)
    return script


def build_mmcv(python: Path, **env: str) -> tuple[subprocess.CompletedProcess, list[str]]:
    """Run tools/build_mmcv.sh; the finished process and the calls of pip."""
    command = [ROOT / 'tools' / 'build_mmcv.sh', python]
    env = {'PATH': '/usr/bin:/bin', **env}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    calls = python.with_name('calls')
    return done, calls.read_text().splitlines() if calls.exists() else []


def test_build_mmcv_shows_progress_and_keeps_the_log(fake_python):
    done, calls = build_mmcv(fake_python)
    assert done.returncode == 0, done.stderr
    assert 'compiled 15 of 30 files after 0 min' in done.stdout
    assert len(calls) == 1
    assert '--no-build-isolation onedl-mmcv>=2.3.6,<2.4' in calls[0]
    assert 'file7.cpp' in (fake_python.parent / 'mmcv-build.log').read_text()
    done, calls = build_mmcv(fake_python)
    assert done.returncode == 0
    assert len(calls) == 1, 'what works is not built again'


def test_build_mmcv_shows_why_it_failed(fake_python):
    done, _ = build_mmcv(fake_python, FAIL='yes')
    assert done.returncode == 1
    assert 'fatal error: no space' in done.stderr
    assert 'ERROR: No matching distribution' in done.stderr
    assert 'WARNING' not in done.stderr
    assert 'mmcv-build.log' in done.stderr


def test_build_mmcv_replaces_a_cached_build_for_another_torch(fake_python):
    done, calls = build_mmcv(fake_python, STALE='yes')
    assert done.returncode == 0, done.stderr
    assert '--no-cache-dir --force-reinstall --no-deps' in calls[1]


def test_build_mmcv_needs_a_compiler(fake_python):
    done, calls = build_mmcv(fake_python, CXX='no-such-compiler')
    assert done.returncode == 1
    assert 'needs a C++ compiler' in done.stderr
    assert calls == []
