"""What lies in the folder of a download: folders, and files in zip and tar archives."""

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

SUFFIXES = ('.zip', '.tar')
DEPTH = 4  # folders below that of the download that are looked at


class Archive:
    """A zip or tar file.

    Args:
        path (Path): The file.

    Attributes:
        path (Path): The file.
        sizes (dict[str, int]): Bytes of each file by its path in the archive, in the archive's
            order. Folders, links, macOS's metadata and paths that lead out are left out.

    Raises:
        ValueError: The archive is cut off or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: zipfile.ZipFile | tarfile.TarFile
        members: list[tuple[str, int, Any]]
        with self._damage():
            if path.suffix.lower() == '.zip':
                self._file = archive = zipfile.ZipFile(path)
                files = [m for m in archive.infolist() if not m.is_dir()]
                members = [(m.filename, m.file_size, m) for m in files]
            else:
                _check_end(path)
                self._file = tar = tarfile.open(path)  # noqa: SIM115
                members = [(m.name, m.size, m) for m in tar if m.isfile()]
        members = [m for m in members if _is_wanted(PurePosixPath(m[0]))]
        self._members = {name: member for name, _, member in members}
        self.sizes = {name: size for name, size, _ in members}

    def copy(self, name: str, target: Path) -> None:
        """Writes one file of the archive to `target`, whose folder is made where it is missing.

        Raises:
            ValueError: The archive is cut off or damaged there.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._damage(), self._open(name) as source, target.open('wb') as file:
            shutil.copyfileobj(source, file)

    def _open(self, name: str) -> IO[bytes]:
        if isinstance(self._file, zipfile.ZipFile):
            return self._file.open(self._members[name])
        source = self._file.extractfile(self._members[name])
        assert source is not None, 'members are files'
        return source

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
            raise ValueError(
                f'{self.path}: cut off or damaged ({error}): download it again'
            ) from error


def _is_wanted(path: PurePosixPath) -> bool:
    """Whether a path leads into the archive's folder and is none of macOS's metadata."""
    return not {'..', '__MACOSX'} & set(path.parts) and not path.name.startswith('._')


def _check_end(path: Path) -> None:
    """Whether a tar file ends as it must, with zeros; tarfile takes a missing end for an end."""
    with path.open('rb') as file:
        file.seek(max(0, path.stat().st_size - tarfile.BLOCKSIZE))
        if file.read() != tarfile.NUL * tarfile.BLOCKSIZE:
            raise tarfile.ReadError('the end is missing')


def find_archives(root: Path) -> list[Path]:
    """Zip and tar files in a folder and in its folders, sorted; of a file, itself."""
    if root.is_file():
        return [root]
    files = [*root.glob('*'), *root.glob('*/*')]
    return sorted(f for f in files if f.suffix.lower() in SUFFIXES and f.is_file())


def find_folders(root: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Folders below `root`, each before those in it; hidden ones and frames are left out."""
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.name.startswith('.') or folder.name == 'img1' or not folder.is_dir():
            continue
        yield folder
        if depth > 1:
            yield from find_folders(folder, depth - 1)


def link(source: Path, target: Path, root: Path) -> None:
    """Makes `target` a symbolic link to `source`, in place of a link that leads nowhere.

    Within `root` the link is relative, so that the folder can be moved.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() and not target.exists():
        target.unlink()
    source, folder = source.resolve(), target.parent.resolve()
    inside = source.is_relative_to(root.resolve())
    target.symlink_to(os.path.relpath(source, folder) if inside else source)


def check_space(folder: Path, sizes: Iterable[int]) -> None:
    """Checks that files of these sizes in bytes fit.

    Raises:
        OSError: They don't; says what is needed and what is free.
    """
    needed = sum(sizes)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(f'{folder}: unpacking takes {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free')
