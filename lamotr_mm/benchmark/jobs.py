"""What a table needs to be computed: jobs, named by a hash of all that their result is of."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from mmengine.config import Config

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.preparation.checks import leaf_datasets

from .resolve import NOT_HASHED

PACKAGE = Path(__file__).resolve().parents[1]
# rooms and files of the package that a result is of; others only plan, draw and convert
TRAINING = ('io', 'datasets', 'models', 'tracking', 'engine', 'weights', 'registry.py')
TESTING = (*TRAINING, 'evaluation', 'apis', 'peers', 'benchmark/workers.py')
LIBRARIES = ('torch', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'trackeval')
DONE = 'done.json'


@dataclass
class Job:
    """A process to run, once.

    Attributes:
        label: for people.
        folder: of its files; ends with its key. ``done.json`` is there when it has ended well.
        command: to start; its output goes to ``log.txt``.
        needs: jobs that have to be done before.
        config: written to ``config.py`` before it starts.
        spec: written to ``spec.json`` before it starts.
        iterations: of a training, for the progress.
        alone: nothing may run beside it.
        reason: why it cannot run; '' while it can.
    """

    label: str
    folder: Path
    command: list[str]
    needs: list['Job'] = field(default_factory=list)
    config: Config | None = None
    spec: dict = field(default_factory=dict)
    iterations: int | None = None
    alone: bool = False
    reason: str = ''

    @property
    def done(self) -> bool:
        """Whether its result is there."""
        return (self.folder / DONE).is_file()

    @property
    def seconds(self) -> float:
        """That it has run so far, all calls together."""
        file = self.folder / 'seconds.json'
        return json.loads(file.read_text()) if file.is_file() else 0.0

    def prepare(self) -> None:
        """Write what the process reads."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.config is not None:
            # beside what is read by a process that was left over
            with replace_on_success(self.folder / 'config.py') as part:
                self.config.dump(part)
        self._write('spec.json', self.spec)

    def finish(self, seconds: float, well: bool) -> None:
        """Note the time, and that the result is there."""
        self._write('seconds.json', self.seconds + seconds)
        if well:
            self._write(DONE, dict(finished=time.strftime('%Y-%m-%d %H:%M')))

    def _write(self, name: str, content: Any) -> None:
        with replace_on_success(self.folder / name) as part:
            part.write_text(json.dumps(content, indent=1))

    def failure(self) -> str:
        """Why it ended badly: the last message in its log."""
        log = self.folder / 'log.txt'
        text = log.read_text(errors='replace') if log.is_file() else ''
        return reason_of(text) + f' ({log})'


def reason_of(text: str) -> str:
    """The message in the output of a process that failed: an error's line, else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [
        line for line in lines if re.match(r'(\w+\.py: error: |[\w.]*(Error|Exception)\b)', line)
    ]
    found = (told or lines or ['it ended without a word'])[-1]
    return found if len(found) < 300 else f'{found[:297]}...'


def key_of(*parts: Any) -> str:
    """Hash of configs, texts and numbers."""
    return hashlib.sha256('\n'.join(map(_text, parts)).encode()).hexdigest()[:12]


def _text(part: Any) -> str:
    if isinstance(part, Config):
        content = {k: v for k, v in part.to_dict().items() if k not in NOT_HASHED}
        return json.dumps([content, files_of(content)], sort_keys=True, default=repr)
    return json.dumps(part, sort_keys=True, default=repr)


def files_of(content: dict) -> dict[str, str]:
    """Digests of the weights and annotations that a config names, of those that are there."""
    found = {}
    for node in _dicts(content):
        for key, value in node.items():
            if key in ('load_from', 'checkpoint') and isinstance(value, str):
                found[value] = digest(value)
    for name in ('train', 'val', 'test'):
        loader = content.get(f'{name}_dataloader') or {}
        for leaf in leaf_datasets(loader.get('dataset') or {}):
            if leaf.get('ann_file'):
                path = annotations(leaf)
                found[path] = digest(path)
    return found


def annotations(dataset: dict) -> str:
    """Path of a data set's annotation file; '' for data without one."""
    ann_file = dataset.get('ann_file') or ''
    return ann_file and os.path.join(dataset.get('data_root') or '', ann_file)


def digest(path: str) -> str:
    """Hash of a file's content; '' if it is not there."""
    if not Path(path).is_file():
        return ''
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def _dicts(node: Any) -> Iterator[dict]:
    if isinstance(node, dict):
        yield node
        node = node.values()
    if isinstance(node, dict | list | tuple) or type(node).__name__ == 'dict_values':
        for child in node:
            yield from _dicts(child)


@cache
def code_version(rooms: tuple[str, ...]) -> str:
    """Hash of the source in these rooms or files, and of the versions of what it stands on."""
    found = hashlib.sha256()
    for room in rooms:
        path = PACKAGE / room
        for file in [path] if path.is_file() else sorted(path.rglob('*.py')):
            found.update(str(file.relative_to(PACKAGE)).encode() + file.read_bytes())
    for name, version in library_versions().items():
        found.update(f'{name} {version}'.encode())
    return found.hexdigest()[:12]


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that results depend on, by import name."""
    names = metadata.packages_distributions()
    return {name: metadata.version(names[name][0]) for name in LIBRARIES}
