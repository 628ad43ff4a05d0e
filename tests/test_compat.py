"""The import guard says what is missing or too old, and how to repair it."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest

from lamotr_mm import compat


@pytest.fixture
def installed(monkeypatch):
    """Sets the versions that the guard finds; None stands for a module that cannot be imported."""
    versions = {r.module: r.tested for r in compat.REQUIREMENTS} | {'mmcv.ops': ''}

    def import_module(name):
        if versions[name] is None:
            raise ImportError(f'no {name} here')
        version = versions[name]
        return SimpleNamespace(__version__=version) if version else SimpleNamespace()

    monkeypatch.setattr(compat.importlib, 'import_module', import_module)
    return versions


def test_tested_versions_pass_silently(installed):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.check_dependencies()


@pytest.mark.parametrize(
    ('module', 'found', 'needed'),
    [
        ('torch', '2.3.1+cu121', '2.4.0'),
        ('mmengine', '0.10.6', '0.10.7'),
        ('mmcv', '2.0.1', '2.1.0'),
        ('mmcv', '2.1.0rc1', '2.1.0'),
        ('mmdet', '3.2.0', '3.3.0'),
        ('trackeval', '1.2.9', '1.3.0'),
        ('av', '14.0.1', '14.1.0'),
        # compared as numbers, not as text
        ('mmengine', '0.9.20', '0.10.7'),
    ],
)
def test_too_old_names_module_versions_and_remedy(installed, module, found, needed):
    installed[module] = found
    with pytest.raises(ImportError) as error:
        compat.check_dependencies()
    message = str(error.value)
    assert f'needs {module} >= {needed}' in message
    assert f'{found} is installed' in message
    assert 'pip install' in message
    assert module.removeprefix('mm') in message.split('Update it with')[1]


@pytest.mark.parametrize('module', [r.module for r in compat.REQUIREMENTS])
def test_missing_module(installed, module):
    installed[module] = None
    with pytest.raises(ImportError, match=rf'needs {module} .*no {module} here.*pip install'):
        compat.check_dependencies()


def test_module_without_a_version_is_too_old(installed):
    installed['trackeval'] = ''
    expected = r"trackeval >= 1\.3\.0, but one without a version .*pip install 'trackeval>=1\.3"
    with pytest.raises(ImportError, match=expected):
        compat.check_dependencies()


def test_classic_minimum_versions_pass(installed):
    installed.update({r.module: r.minimum for r in compat.REQUIREMENTS})
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.check_dependencies()


def test_newer_minor_version_warns_once(installed):
    installed['torch'] = '2.99.0'
    with pytest.warns(UserWarning, match=r'torch up to 2\.13\.0, but 2\.99\.0') as caught:
        compat.check_dependencies()
    assert len(caught) == 1


def test_newer_patch_release_does_not_warn(installed):
    installed['mmengine'] = '0.10.99'
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.check_dependencies()


def test_mmcv_without_operators(installed):
    installed['mmcv.ops'] = None
    with pytest.raises(ImportError, match=r'operators.*no mmcv.ops here.*no-build-isolation'):
        compat.check_dependencies()


def test_import_stays_light_and_exports_are_found():
    """`import lamotr_mm` loads no models; each exported name is listed and importable."""
    code = (
        'import sys, lamotr_mm\n'
        "heavy = [m for m in sys.modules if m.startswith(('mmdet.models', 'lamotr_mm.models'))]\n"
        'assert not heavy, heavy\n'
        'names = [n for n in lamotr_mm.__all__ if n != "__version__" and n != "registry"]\n'
        'assert set(names) <= set(dir(lamotr_mm))\n'
        'for n in names: assert getattr(lamotr_mm, n).__name__ == n\n'
        'try: lamotr_mm.Nothing\n'
        'except AttributeError as e: assert "Nothing" in str(e)\n'
        'else: raise SystemExit("no error")\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_needs_no_torch():
    """Nor the command line, nor the parts that an exported model runs on."""
    run_python(
        'import sys\n'
        'absent = ("torch", "mmengine", "mmcv", "mmdet", "trackeval")\n'
        'sys.modules.update(dict.fromkeys(absent))\n'
        'import lamotr_mm, lamotr_mm.apis.cli, lamotr_mm.deploy.runtime, lamotr_mm.apis.exported\n'
        'from lamotr_mm.tracking import Lifecycle\n'
        'for name in ("registry", "LAMOTR"):\n'
        '    try: getattr(lamotr_mm, name)\n'
        '    except ImportError as e: assert "needs torch" in str(e)\n'
        '    else: raise SystemExit("no error")\n'
    )


def test_an_openmmlab_program_is_told_at_the_import():
    """mmengine's look-up by prefix would hide why `lamotr_mm.registry` cannot be imported."""
    run_python(
        'import sys, mmengine\n'
        'sys.modules["trackeval"] = None\n'
        'try: import lamotr_mm\n'
        'except ImportError as e: assert "needs trackeval" in str(e)\n'
        'else: raise SystemExit("no error")\n'
    )


def test_prefixed_types_resolve_from_the_default_scope_of_configs():
    """What `custom_imports` does, and nothing else: the prefix finds our types in mmdet's scope."""
    code = (
        'import lamotr_mm\n'
        'from mmengine.registry import DefaultScope, HOOKS, MODELS\n'
        'from mmdet.utils import register_all_modules\n'
        'register_all_modules(init_default_scope=True)\n'
        'import mmdet.registry as r\n'
        'assert DefaultScope.get_current_instance().scope_name == "mmdet"\n'
        'for registry in (MODELS, r.MODELS):\n'
        '    assert registry.get("lamotr_mm.LAMOTR").__name__ == "LAMOTR"\n'
        'for registry in (HOOKS, r.HOOKS):\n'
        '    assert registry.get("lamotr_mm.SeedHook").__name__ == "SeedHook"\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
