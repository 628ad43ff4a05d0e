"""DanceTrack, SportsMOT and MOT17 as their authors hand them out, made into what configs read."""

from dataclasses import dataclass
from pathlib import Path

from lamotr_mm.io.mot_gt import ClassRule, class_rule

from . import official_splits
from .cocovid import Part, make_cocovid, total, write_json
from .console import progress_bar
from .downloads import Source, find, take

WHOLE = {split: (split, '') for split in ('train', 'val', 'test')}


@dataclass(frozen=True)
class Benchmark(Source):
    """A benchmark of annotated sequences.

    Attributes:
        splits (dict[str, tuple[str, ...]]): Sequences of a split.
        rule (ClassRule): What the classes mean.
        outputs (dict[str, tuple[str, str]]): Json files to make: the split, and frames of each
            sequence (see `Part`).
    """

    splits: dict[str, tuple[str, ...]]
    rule: ClassRule
    outputs: dict[str, tuple[str, str]]


DANCETRACK = Benchmark(
    name='DanceTrack',
    url='https://huggingface.co/datasets/noahcao/dancetrack',
    unit='sequences',
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
    unit='sequences',
    archives={split: (f'{split}.tar',) for split in WHOLE},
    splits=official_splits.SPORTSMOT,
    rule=class_rule('sportsmot'),
    outputs=WHOLE,
)
MOT17 = Benchmark(
    name='MOT17',
    url='https://motchallenge.net/data/MOT17.zip',
    unit='sequences',
    archives=dict(train=('MOT17.zip',), test=('MOT17.zip',)),
    splits=official_splits.MOT17,
    rule=class_rule('mot17'),
    outputs={
        'train': ('train', ''),
        'half-train': ('train', 'half-train'),
        'half-val': ('train', 'half-val'),
        'test': ('test', ''),
    },
)


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
        ValueError: `src` does not exist, sequences or files in them are missing, or an archive is
            damaged. Nothing is unpacked.
        MOTFormatError: A sequence breaks the format. No json is written.
    """
    wanted = {
        split: {name: out / split / name for name in names}
        for split, names in benchmark.splits.items()
    }
    found, missing = find(benchmark, src, wanted, allow_partial)
    folders = {s: [path for path in paths.values() if path in found] for s, paths in wanted.items()}
    for split, paths in folders.items():
        # a missing gt.txt would pass for a sequence without objects
        files = ('seqinfo.ini',) if split == 'test' else ('seqinfo.ini', 'gt/gt.txt')
        for place, file in ((found[path], file) for path in paths for file in files):
            if not place.has(file):
                raise ValueError(
                    f'{place}: has no {file}: download and unpack it again from {benchmark.url}'
                )
    take(found, out)
    return _convert(benchmark, folders, out), missing


def _convert(benchmark: Benchmark, folders: dict[str, list[Path]], out: Path) -> list[dict]:
    """Writes the json files of those splits that have sequences; returns counts of each."""
    parts = {
        name: [Part(folder, frames) for folder in folders[split]]
        for name, (split, frames) in benchmark.outputs.items()
        if folders[split]
    }
    with progress_bar('converting', sum(map(len, parts.values()))) as advance:
        made = {
            name: make_cocovid(sequences, out, benchmark.rule, advance)
            for name, sequences in parts.items()
        }
    write_json(
        {out / 'annotations' / f'{name}.json': content for name, (content, _) in made.items()}
    )
    return [
        {
            'json': name,
            'sequences': f'{len(rows)} of {len(benchmark.splits[benchmark.outputs[name][0]])}',
            'frames': len(content['images']),
            **total(rows),
        }
        for name, (content, rows) in made.items()
    ]
