"""Checkpoints of which the last one is whole at any moment."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS as MMDET_HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import BaseStorageBackend, LocalBackend, register_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from lamotr_mm.evaluation.directions import ASSOCIATION, rule_of
from lamotr_mm.registry import HOOKS

WHOLE_FILES = 'lamotr_mm.whole_files'
PARTIAL = '.partial'


@register_backend(WHOLE_FILES)
class WholeFileBackend(LocalBackend):
    """Local files that are replaced in one step, so that an older one is never half overwritten."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write beside the file, then rename. Only a killed run leaves a partial file."""
        partial = f'{filepath}{PARTIAL}'
        try:
            super().put(obj, partial)
            os.replace(partial, filepath)
        except BaseException:
            with suppress(FileNotFoundError):
                os.remove(partial)
            raise


class _LateDeletions:
    """A file backend whose deletions are kept for later."""

    def __init__(self, backend: BaseStorageBackend) -> None:
        self._backend = backend
        self._doomed: list[tuple[Callable, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, filepath: str) -> None:
        self._doomed.append((self._backend.remove, filepath))

    def rmtree(self, dir_path: str) -> None:
        self._doomed.append((self._backend.rmtree, dir_path))

    def delete(self) -> None:
        """Do what was asked for."""
        for delete, path in self._doomed:
            delete(path)


# also in mmdet's scope, the default one of configs: ``type='CheckpointHook'`` means this class
@MMDET_HOOKS.register_module()
@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """mmengine's hook, which knows the metrics of this package and never risks the last checkpoint.

    ``rule`` need not be named for a ``save_best`` of this package, such as ``track/HOTA`` or
    ``track/IDSW``.

    mmengine deletes the best checkpoint, and with ``max_keep_ckpts=1`` the last one, before it
    writes the next, and overwrites the last one to note a better score in it: killed then, a run
    has no whole checkpoint. Here files on a local disk are written whole or not at all, and old
    ones are deleted when the new ones are there.
    """

    # set by mmengine's hook
    file_backend: BaseStorageBackend
    backend_args: dict | None
    best_ckpt_path: str

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder.

        Raises:
            ValueError: if there is a ``save_best`` but no validation.
        """
        if self.save_best is not None and runner.val_loop is None:
            raise ValueError(
                f'save_best={self.save_best} needs validation, but the config has none: set '
                'val_cfg, val_dataloader and val_evaluator, or save_best=None'
            )
        out_dir = str(self.out_dir or runner.work_dir)
        if self.backend_args is None and self.file_client_args is None and '://' not in out_dir:
            self.backend_args = dict(backend=WHOLE_FILES)
        super().before_train(runner)
        if isinstance(self.file_backend, WholeFileBackend) and is_main_process():
            # of the run before, if it was killed
            for partial in Path(self.out_dir).glob(f'*.pth{PARTIAL}'):
                partial.unlink()
        # a resumed copy of a work dir must not delete the best checkpoint of the original
        if getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = self._here(self.best_ckpt_path)
        for key, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[key] = path and self._here(path)

    def _here(self, path: str) -> str:
        return self.file_backend.join_path(self.out_dir, os.path.basename(path))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        for key in self.save_best or ():
            if key in metrics or key == 'auto':
                continue
            if key not in ASSOCIATION:
                raise ValueError(
                    f'save_best={key!r} is no result of validation: {", ".join(metrics)}'
                )
            # such as precision while nothing is associated yet; mmengine passes over None
            metrics = metrics | {key: None}
        with self._deletions_last():
            super()._save_best_checkpoint(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        with self._deletions_last():
            super()._save_checkpoint_with_step(runner, step, meta)

    @contextmanager
    def _deletions_last(self) -> Iterator[None]:
        """Delete when everything is written; of two that are nested, the outer one does."""
        backend = self.file_backend
        self.file_backend = later = _LateDeletions(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        later.delete()

    def _init_rule(self, rules: list, key_indicators: list[str]) -> None:
        if len(rules) == 1:
            rules = rules * len(key_indicators)
        rules = [rule or rule_of(key) for rule, key in zip(rules, key_indicators, strict=True)]
        super()._init_rule(rules, key_indicators)
