"""Output files and folders that are either whole or absent."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_on_success(path: str | os.PathLike) -> Iterator[Path]:
    """Hands out a temporary file name beside ``path``, renamed to ``path`` if the block succeeds.

    Where the block raises, the temporary file is removed and an older ``path`` stays as it was.

    Args:
        path: the file to write; missing parent folders are made.

    Raises:
        IsADirectoryError: ``path`` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder: name a file')
    path.parent.mkdir(parents=True, exist_ok=True)
    # the suffix stays at the end: encoders choose the format by it
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.partial{path.suffix}')
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Hands out an empty folder beside ``path``, renamed to ``path`` if the block succeeds.

    Where the block raises, the folder is removed; so is one that a killed process left behind.
    """
    part = path.with_name(f'.{path.name}.part')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
