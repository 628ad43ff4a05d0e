"""What is wanted of a download: found by name in folders and archives, linked to or unpacked.

A download is a folder with the archives, or with what was unpacked of them. What is wanted are
sequences (folders with an ``img1/``) or images (files), wherever below it they lie.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lamotr_mm.io.archives import Archive, check_space, find_archives, find_folders, link
from lamotr_mm.io.files import new_folder, replace_on_success

from .console import progress_bar

MAX_NAMES = 5  # in a message


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        name (str): Its name.
        url (str): Where to download it.
        unit (str): What it is made of, 'sequences' or 'images'.
        archives (dict[str, tuple[str, ...]]): Files that hold a split.
    """

    name: str
    url: str
    unit: str
    archives: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Place:
    """Where a sequence or an image is.

    Attributes:
        path (Path): Its path, or that in the archive.
        archive (Archive, optional): The archive; None: it is on disk.
        members (dict[str, str]): In an archive, its files by their paths within it ('' of a file).
    """

    path: Path
    archive: Archive | None = None
    members: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f'{self.archive.path}: {self.path}' if self.archive else str(self.path)

    def has(self, file: str) -> bool:
        """Whether a sequence has a file, such as ``gt/gt.txt``."""
        return file in self.members if self.archive else (self.path / file).is_file()


def find_file(source: Source, src: Path, name: str) -> Path:
    """A file by its name in the folders of a download; ValueError says that it is missing."""
    for folder in _folders(src):
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f'{src}: {name} is missing: download it from {source.url}')


def find(
    source: Source, src: Path, wanted: dict[str, dict[str, Path]], allow_partial: bool
) -> tuple[dict[Path, Place], list[str]]:
    """Finds what is wanted: in its place already, else in folders, else in archives.

    Args:
        source (Source): The data set.
        src (Path): Folder of the download, or one archive.
        wanted (dict[str, dict[str, Path]]): Per split what to make, by its name in the download.
        allow_partial (bool): Whether something may be missing.

    Returns:
        tuple[dict[Path, Place], list[str]]: Where what is to be made is; a line about each split
        that is incomplete.

    Raises:
        ValueError: `src` does not exist, something is missing or in the way, or an archive is
            damaged.
    """
    targets = {name: path for paths in wanted.values() for name, path in paths.items()}
    found = {name: Place(path) for name, path in targets.items() if _is_whole(path)}
    for name, path in targets.items():
        if path.exists() and name not in found:
            raise ValueError(f'{path}: has no img1/: remove or complete it')
    for folder in _folders(src):
        for name in (targets.keys() - found.keys()).intersection(os.listdir(folder)):
            if _is_whole(folder / name):
                found[name] = Place(folder / name)
    # the official ones first: others need not be opened, nor be whole
    official = {name for split in wanted for name in source.archives[split]}
    archives = sorted(find_archives(src), key=lambda path: path.name not in official)
    for path in archives:
        absent = targets.keys() - found.keys()
        if absent:
            found |= _in_archive(Archive(path), absent)
    missing = _missing(source, src, wanted, set(found), {path.name for path in archives})
    if missing and (not allow_partial or not found):
        hint = ', or give --allow-partial to convert what is there' if found else ''
        raise ValueError('\n'.join([*missing, f'download it from {source.url}{hint}']))
    return {path: found[name] for name, path in targets.items() if name in found}, missing


def _folders(src: Path) -> list[Path]:
    if not src.exists():
        raise ValueError(f'{src} does not exist: name the folder of the download')
    return [src, *find_folders(src)] if src.is_dir() else []


def _is_whole(path: Path) -> bool:
    return path.is_file() or (path / 'img1').is_dir()


def _in_archive(archive: Archive, names: set[str]) -> dict[str, Place]:
    """Those of the sequences or images that an archive has, by name."""
    found: dict[Path, Place] = {}
    for member in archive.sizes:
        parts = PurePosixPath(member).parts
        depth = next((i for i, part in enumerate(parts, start=1) if part in names), None)
        if depth is not None:
            path = Path(*parts[:depth])
            place = found.setdefault(path, Place(path, archive, {}))
            place.members['/'.join(parts[depth:])] = member
    return {
        path.name: place
        for path, place in found.items()
        if any(file == '' or file.startswith('img1/') for file in place.members)
    }


def _missing(source: Source, src: Path, wanted: dict, found: set[str], there: set[str]) -> list:
    """One line per incomplete split, with the archives of it that aren't `there`."""
    lines = []
    for split, names in wanted.items():
        missing = [name for name in names if name not in found]
        if not missing:
            continue
        absent = [file for file in source.archives[split] if file not in there]
        files = ' and '.join(absent or source.archives[split])
        more = f', and {len(missing) - MAX_NAMES} more' if len(missing) > MAX_NAMES else ''
        lines.append(
            f'{source.name} {split}: {len(missing)} of {len(names)} {source.unit} are missing in '
            f'{src} ({", ".join(missing[:MAX_NAMES])}{more}): '
            + (f'{files} is not there' if absent else f'not in {files}')
        )
    return lines


def take(found: dict[Path, Place], out: Path) -> None:
    """Makes in `out` what was found, as links or unpacked; each appears whole or not at all.

    Raises:
        ValueError: An archive is damaged.
        OSError: There is no space.
    """
    packed = [(place, place.archive, target) for target, place in found.items() if place.archive]
    sizes = [archive.sizes[m] for place, archive, _ in packed for m in place.members.values()]
    check_space(out, sizes)
    for target, place in found.items():
        if place.archive is None and place.path != target:
            link(place.path, target, out)
    if packed:
        with progress_bar('unpacking', len(sizes)) as advance:
            for place, archive, target in packed:
                _unpack(place, archive, target, advance)


def _unpack(place: Place, archive: Archive, target: Path, on_file: Callable[[], None]) -> None:
    if target.is_symlink():  # to what is gone
        target.unlink()
    whole = replace_on_success if '' in place.members else new_folder
    with whole(target) as part:
        for file, member in place.members.items():
            archive.copy(member, part / file)
            on_file()
