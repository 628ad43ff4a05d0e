"""Packaging: reads `requirements/*.txt` and adds `.mim`; needs neither torch nor OpenMMLab.

`lamotr_mm/.mim` holds configs, tools and the model index, where OpenMMLab's `mim` and config
inheritance (`lamotr_mm::lamotr_pets.py`) look for them: copies in a wheel, symbolic links in the
source tree for an editable installation.
"""

import os
import shutil
from itertools import chain
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_SOURCES = ('configs', 'tools', 'demo', 'model-index.yml')


def read_version() -> str:
    """Version string, from `lamotr_mm/version.py` without importing the package."""
    scope: dict = {}
    exec((ROOT / 'lamotr_mm' / 'version.py').read_text(), scope)
    return scope['__version__']


def read_requirements(name: str) -> list[str]:
    """Requirements in `requirements/{name}.txt`, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    stripped = (line.split('#')[0].strip() for line in lines)
    return [line for line in stripped if line]


def remove(path: Path) -> None:
    """Remove a link, file or folder, if it is there; what a link points to stays."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


class BuildWithMim(build_py):
    """`build_py` that also fills `.mim`.

    PEP 660 builds (`pip install -e .`) run this command with `editable_mode` set.
    """

    def run(self) -> None:
        super().run()
        parent = ROOT if self.editable_mode else Path(self.build_lib)
        mim = parent / 'lamotr_mm' / '.mim'
        mim.mkdir(parents=True, exist_ok=True)
        for name in MIM_SOURCES:
            source, target = ROOT / name, mim / name
            remove(target)
            if self.editable_mode:
                target.symlink_to(os.path.relpath(source, mim))
            elif source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__', 'out'))
            else:
                shutil.copyfile(source, target)


# `runtime` and `openmmlab` train and track; `onnx` tracks with an exported model, without torch
NAMES = ('runtime', 'openmmlab', 'peers', 'results', 'onnx', 'export', 'tests', 'docs')
EXTRAS = {name: read_requirements(name) for name in NAMES}

setup(
    name='lamotr_mm',
    version=read_version(),
    description='LA-MOTR: multi-object tracking with learned association, on OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    author='the lamotr_mm authors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    python_requires='>=3.11',
    packages=find_packages(include=['lamotr_mm', 'lamotr_mm.*']),
    package_data={
        'lamotr_mm.benchmark': ['*.j2'],
        'lamotr_mm.visualization.explain': ['page/*'],
    },
    install_requires=read_requirements('base'),
    extras_require={**EXTRAS, 'all': [*chain.from_iterable(EXTRAS.values())]},
    entry_points={'console_scripts': ['lamotr=lamotr_mm.apis.cli:main']},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
