"""DanceTrack, SportsMOT and MOT17 as their authors hand them out, made into what configs read.

A download is a folder with the archives, or with what was unpacked of them. Sequences are found by
their official names, wherever below it they lie.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lamotr_mm.io.archives import Archive, check_space, find_archives, find_folders, link
from lamotr_mm.io.mot_gt import ClassRule, class_rule

from . import official_splits
from .cocovid import Part, make_cocovid, write_json
from .console import progress_bar

MAX_NAMES = 5  # in a message
WHOLE = {split: (split, '') for split in ('train', 'val', 'test')}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of annotated sequences.

    Attributes:
        name (str): Its name.
        url (str): Where to download it.
        archives (dict[str, tuple[str, ...]]): Files that hold a split.
        splits (dict[str, tuple[str, ...]]): Sequences of a split.
        rule (ClassRule): What the classes mean.
        outputs (dict[str, tuple[str, str]]): Json files to make: the split, and frames of each
            sequence (see `Part`).
        lists (str): Where the download itself lists the sequences of split {}; '': nowhere.
        copies (tuple[str, ...]): Last parts of the names of a sequence's copies, the one that is
            kept first.
    """

    name: str
    url: str
    archives: dict[str, tuple[str, ...]]
    splits: dict[str, tuple[str, ...]]
    rule: ClassRule
    outputs: dict[str, tuple[str, str]]
    lists: str = ''
    copies: tuple[str, ...] = ()


DANCETRACK = Benchmark(
    name='DanceTrack',
    url='https://huggingface.co/datasets/noahcao/dancetrack',
    archives=dict(
        train=('train1.zip', 'train2.zip'), val=('val.zip',), test=('test1.zip', 'test2.zip')
    ),
    splits=official_splits.DANCETRACK,
    rule=class_rule('dancetrack'),
    outputs=WHOLE,
)
SPORTSMOT = Benchmark(
    name='SportsMOT',
    url='https://huggingface.co/datasets/MCG-NJU/SportsMOT',
    archives={split: (f'{split}.tar',) for split in WHOLE},
    splits=official_splits.SPORTSMOT,
    rule=class_rule('sportsmot'),
    outputs=WHOLE,
    lists='splits_txt/{}.txt',
)
MOT17 = Benchmark(
    name='MOT17',
    url='https://motchallenge.net/data/MOT17.zip',
    archives=dict(train=('MOT17.zip',), test=('MOT17.zip',)),
    splits=official_splits.MOT17,
    rule=class_rule('mot17'),
    outputs={
        'train': ('train', ''),
        'half-train': ('train', 'half-train'),
        'half-val': ('train', 'half-val'),
        'test': ('test', ''),
    },
    copies=official_splits.MOT17_DETECTORS,
)


@dataclass(frozen=True)
class Found:
    """A sequence of a download.

    Attributes:
        name (str): Its name.
        path (Path): Its folder, or the path that this folder has in the archive.
        archive (Archive, optional): The archive; None: it is a folder.
        files (dict[str, str]): In an archive, each file by its path within the sequence.
    """

    name: str
    path: Path
    archive: Archive | None
    files: dict[str, str]

    def __str__(self) -> str:
        return f'{self.archive.path}: {self.path}' if self.archive else str(self.path)

    def has(self, file: str) -> bool:
        """Whether the sequence has a file, such as ``gt/gt.txt``."""
        return file in self.files if self.archive else (self.path / file).is_file()

    def sizes(self) -> list[int]:
        """Bytes of each file that has to be unpacked."""
        return [self.archive.sizes[member] for member in self.files.values()]

    def gt_rows(self, name: str) -> list[str] | None:
        """Sorted rows of the ``gt.txt`` of the sequence `name` beside this one, if it is there."""
        path = self.path.parent / name / 'gt' / 'gt.txt'
        if self.archive is None:
            return sorted(path.read_text().split()) if path.is_file() else None
        member = self.files['gt/gt.txt'].replace(self.name, name)
        if member not in self.archive.sizes:
            return None
        return sorted(self.archive.read(member).decode().split())


def prepare(
    benchmark: Benchmark, src: Path, out: Path, allow_partial: bool = False
) -> tuple[list[dict], list[str]]:
    """Fills `out` with ``<split>/<sequence>/`` and ``annotations/<split>.json``.

    Sequences in archives are unpacked, each of which appears whole or not at all; folders are
    linked to. What is in `out` already stays as it is.

    Args:
        benchmark (Benchmark): `DANCETRACK`, `SPORTSMOT` or `MOT17`.
        src (Path): Folder of the download, or one archive.
        out (Path): Folder to make or to complete.
        allow_partial (bool): Convert what is there of an incomplete download.

    Returns:
        tuple[list[dict], list[str]]: Per json file its counts; what is missing, where that is
        allowed.

    Raises:
        ValueError: `src` does not exist, sequences or files in them are missing, lie in the wrong
            split or contradict their copies, or an archive is damaged. Nothing is unpacked.
        MOTFormatError: A sequence breaks the format. No json is written.
    """
    if not src.exists():
        raise ValueError(f'{src} does not exist: name the folder of the download')
    splits = _splits(benchmark, src, allow_partial)
    targets = {name: out / split / name for split, names in splits.items() for name in names}
    found = {
        name: Found(name, target, None, {})
        for name, target in targets.items()
        if (target / 'img1').is_dir()
    }
    for target in targets.values():
        if target.exists() and target.name not in found:
            raise ValueError(f'{target}: has no img1/: remove or complete it')
    found |= locate(src, set(targets) - set(found))
    missing = _missing(benchmark, splits, found, src)
    if missing and (not allow_partial or not found):
        hint = ', or give --allow-partial to convert what is there' if found else ''
        raise ValueError('\n'.join([*missing, f'download it from {benchmark.url}{hint}']))
    splits = {split: [n for n in names if n in found] for split, names in splits.items()}
    for split, names in splits.items():
        for name in names:
            _check_found(found[name], split, benchmark)
    _take({targets[name]: sequence for name, sequence in found.items()}, out)
    return _convert(benchmark, splits, out), missing


def locate(src: Path, names: set[str]) -> dict[str, Found]:
    """Finds sequences by their names: folders with an ``img1/``, else such ones in archives.

    Raises:
        ValueError: An archive that is looked into is damaged.
    """
    found: dict[str, Found] = {}
    for folder in find_folders(src) if names else ():
        if folder.name in names and (folder / 'img1').is_dir():
            found.setdefault(folder.name, Found(folder.name, folder, None, {}))
    for path in find_archives(src):
        if names - set(found):
            for name, sequence in _in_archive(Archive(path), names).items():
                found.setdefault(name, sequence)
    return found


def _in_archive(archive: Archive, names: set[str]) -> dict[str, Found]:
    """Those of the sequences that an archive has."""
    found: dict[Path, Found] = {}
    for member in archive.sizes:
        parts = PurePosixPath(member).parts
        index = next((i for i, part in enumerate(parts[:-1]) if part in names), None)
        if index is not None:
            path = Path(*parts[: index + 1])
            sequence = found.setdefault(path, Found(path.name, path, archive, {}))
            sequence.files['/'.join(parts[index + 1 :])] = member
    return {
        sequence.name: sequence
        for sequence in found.values()
        if any(file.startswith('img1/') for file in sequence.files)
    }


def _splits(benchmark: Benchmark, src: Path, allow_partial: bool) -> dict[str, tuple[str, ...]]:
    """Names by split: those that the download lists itself, else the official ones."""
    texts = _find_lists(benchmark, src) if benchmark.lists else {}
    if set(texts) != set(benchmark.splits):
        return benchmark.splits
    # TrackEval's sequence maps begin with a headline
    listed = {s: tuple(n for n in texts[s].split() if n != 'name') for s in benchmark.splits}
    for split, names in listed.items():
        if len(names) != len(benchmark.splits[split]) and not allow_partial:
            raise ValueError(
                f'{src}: {benchmark.lists.format(split)} lists {len(names)} sequences, '
                f'{benchmark.name} has {len(benchmark.splits[split])}: download it again from '
                f'{benchmark.url}, or give --allow-partial'
            )
    twice = [name for name, count in Counter(sum(listed.values(), ())).items() if count > 1]
    if twice:
        raise ValueError(f'{src}: {benchmark.lists.format("*")} list {name_some(twice)} twice')
    return listed


def _find_lists(benchmark: Benchmark, src: Path) -> dict[str, str]:
    """Texts of the download's own lists by split, from a folder, else from an archive."""
    files = {split: benchmark.lists.format(split) for split in benchmark.splits}
    for folder in [src, *find_folders(src)]:
        if all((folder / file).is_file() for file in files.values()):
            return {split: (folder / file).read_text() for split, file in files.items()}
    for path in find_archives(src):
        # the lists come in a zip together with the frames, tar files of frames have none
        if path.suffix.lower() == '.zip':
            archive = Archive(path)
            texts = {
                split: archive.read(member).decode()
                for member in archive.sizes
                for split, file in files.items()
                if f'/{member}'.endswith(f'/{file}')
            }
            if texts:
                return texts
    return {}


def _missing(
    benchmark: Benchmark, splits: dict[str, tuple[str, ...]], found: dict[str, Found], src: Path
) -> list[str]:
    """What is missing: one line per incomplete split."""
    there = {path.name for path in find_archives(src)}
    lines = []
    for split, names in splits.items():
        missing = [name for name in names if name not in found]
        if not missing:
            continue
        absent = [file for file in benchmark.archives[split] if file not in there]
        files = ' and '.join(absent or benchmark.archives[split])
        where = f'{files} is not there' if absent else f'not in {files}'
        lines.append(
            f'{benchmark.name} {split}: {len(missing)} of {len(names)} sequences are missing in '
            f'{src} ({name_some(missing)}): {where}'
        )
    return lines


def name_some(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f', and {len(names) - MAX_NAMES} more' if len(names) > MAX_NAMES else ''
    return ', '.join(names[:MAX_NAMES]) + more


def _check_found(sequence: Found, split: str, benchmark: Benchmark) -> None:
    """Checks the place of a sequence, its files and its copies."""
    # such as train1/
    above = sequence.path.parent.name.rstrip('0123456789')
    if above in benchmark.splits and above != split:
        raise ValueError(
            f'{sequence}: lies in {above}/, {benchmark.name} has it in {split}/: move it there'
        )
    for file in ('seqinfo.ini', 'gt/gt.txt') if split != 'test' else ('seqinfo.ini',):
        if not sequence.has(file):
            raise ValueError(
                f'{sequence}: has no {file}: download and unpack it again from {benchmark.url}'
            )
    if split == 'test' or not benchmark.copies:
        return
    kept, *others = (sequence.name.replace(benchmark.copies[0], copy) for copy in benchmark.copies)
    rows = sequence.gt_rows(kept)
    for other in others:
        copied = sequence.gt_rows(other)
        if copied is not None and copied != rows:
            row = min(set(rows) ^ set(copied), default='one row is there twice')
            raise ValueError(
                f'{sequence}: gt/gt.txt differs from that of {other} ({row}), which has the same '
                f'frames: download it again from {benchmark.url}'
            )


def _take(found: dict[Path, Found], out: Path) -> None:
    """Links to folders and unpacks the rest; {folder to make: sequence}."""
    packed = {target: sequence for target, sequence in found.items() if sequence.archive}
    sizes = [size for sequence in packed.values() for size in sequence.sizes()]
    check_space(out, sizes)
    for target, sequence in found.items():
        if sequence.archive is None and target != sequence.path:
            link(sequence.path, target, out)
    if packed:
        with progress_bar('unpacking', len(sizes)) as advance:
            for target, sequence in packed.items():
                unpack(sequence, target, advance)


def unpack(sequence: Found, target: Path, on_file: Callable[[], None] = lambda: None) -> None:
    """Unpacks a sequence; the folder appears whole or not at all.

    Raises:
        ValueError: The archive is damaged.
    """
    part = target.with_name(f'.{target.name}.part')
    shutil.rmtree(part, ignore_errors=True)
    try:
        for file, member in sequence.files.items():
            sequence.archive.copy(member, part / file)
            on_file()
        if target.is_symlink():  # to a folder that is gone
            target.unlink()
        os.replace(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _convert(benchmark: Benchmark, splits: dict[str, list[str]], out: Path) -> list[dict]:
    """Writes the json files of those splits that have sequences; returns counts of each."""
    parts = {
        name: [Part(out / split / sequence, frames) for sequence in splits[split]]
        for name, (split, frames) in benchmark.outputs.items()
        if splits[split]
    }
    with progress_bar('converting', sum(map(len, parts.values()))) as advance:
        made = {
            name: make_cocovid(sequences, out, benchmark.rule, advance)
            for name, sequences in parts.items()
        }
    write_json(
        {out / 'annotations' / f'{name}.json': content for name, (content, _) in made.items()}
    )
    summed = ('boxes', 'ids', 'ignored', 'zero size', 'other class', 'outside image')
    return [
        {
            'json': name,
            'sequences': f'{len(rows)} of {len(benchmark.splits[benchmark.outputs[name][0]])}',
            'frames': len(content['images']),
            **{key: sum(row[key] for row in rows) for key in summed},
        }
        for name, (content, rows) in made.items()
    ]
