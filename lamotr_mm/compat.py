"""Import guard: says which package is missing or too old, and the command that repairs it.

The versions are those that the *imported modules* report, not those of the distributions:
`mmengine`, `mmcv` and `mmdet` are published under several distribution names (the classic ones and
the maintained `onedl-` forks).
"""

import importlib
import warnings
from typing import NamedTuple

from packaging.version import Version


class Requirement(NamedTuple):
    """A module, the versions that work, and how to get one.

    Attributes:
        module: name to import.
        minimum: oldest version with every API that lamotr_mm uses.
        tested: newest version that the tests ran with; patch releases above it do not warn.
        remedy: command that installs a version that works.
    """

    module: str
    minimum: str
    tested: str
    remedy: str


MMCV_REMEDY = (
    'pip install -r requirements/build.txt && '
    "pip install --no-build-isolation 'onedl-mmcv>=2.3.6,<2.4'"
)
REQUIREMENTS = (
    Requirement('torch', '2.4.0', '2.13.0', "pip install 'torch>=2.4,<2.14'"),
    Requirement('mmengine', '0.10.7', '0.10.12', "pip install 'onedl-mmengine>=0.10.12,<0.11'"),
    Requirement('mmcv', '2.1.0', '2.3.6', MMCV_REMEDY),
    Requirement('mmdet', '3.3.0', '3.5.1', "pip install 'onedl-mmdetection>=3.5.1,<3.6'"),
    Requirement('trackeval', '1.3.0', '1.3.0', "pip install 'trackeval>=1.3,<1.4'"),
    Requirement('av', '14.1.0', '18.1.0', "pip install 'av>=14.1'"),
)


def check_requirement(requirement: Requirement) -> None:
    """Import one module and compare its version.

    Raises:
        ImportError: when the module cannot be imported or is older than the minimum. The message
            names module, version found, version needed and the repairing command.

    Warns:
        UserWarning: when major or minor version is newer than the newest one tested.
    """
    name = requirement.module
    try:
        # TrackEval as cloned from GitHub has no version: older than any that has one
        found = getattr(importlib.import_module(name), '__version__', None)
    except ImportError as error:
        raise ImportError(
            f'lamotr_mm needs {name} >= {requirement.minimum}, which cannot be imported ({error}). '
            f'Install it with: {requirement.remedy}'
        ) from error
    version = Version(found or '0')
    if version < Version(requirement.minimum):
        raise ImportError(
            f'lamotr_mm needs {name} >= {requirement.minimum}, but '
            f'{found or "one without a version"} is installed. '
            f'Update it with: {requirement.remedy}'
        )
    if version.release[:2] > Version(requirement.tested).release[:2]:
        warnings.warn(
            f'lamotr_mm is tested with {name} up to {requirement.tested}, but {found} is '
            f'installed. If something breaks: {requirement.remedy}',
            stacklevel=3,
        )


def check_compiled_ops() -> None:
    """Import mmcv's compiled operators: `mmcv-lite` has none, and a build for another torch fails.

    Raises:
        ImportError: when `mmcv.ops` cannot be imported; the message holds the cause and the
            repairing command.
    """
    try:
        importlib.import_module('mmcv.ops')
    except (ImportError, OSError) as error:
        raise ImportError(
            f'mmcv is installed without operators that fit the installed torch ({error}). '
            'Build it again against this torch: pip uninstall -y mmcv mmcv-lite onedl-mmcv; '
            f'{MMCV_REMEDY} --no-cache-dir'
        ) from error


def check_dependencies() -> None:
    """Check every module of `REQUIREMENTS`, then mmcv's compiled operators.

    Raises:
        ImportError: see `check_requirement` and `check_compiled_ops`.
    """
    for requirement in REQUIREMENTS:
        check_requirement(requirement)
    check_compiled_ops()
