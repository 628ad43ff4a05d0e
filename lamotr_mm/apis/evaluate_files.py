"""Score tracks in MOTChallenge files: what `lamotr eval` does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lamotr_mm.evaluation import evaluate_sequences
from lamotr_mm.evaluation.sequences import BENCHMARKS
from lamotr_mm.io.mot_gt import detect_benchmark
from lamotr_mm.io.mot_rows import CLASS, read_rows

WORLD_COLUMNS = 10  # of MOT15: a position in the world stands where others have class, visibility


def evaluate_files(
    ground_truth: str | Path,
    tracks: str | Path,
    benchmark: str | None = None,
    classes: Sequence[str] = ('object',),
) -> dict[str, dict]:
    """Score files or folders of files.

    Args:
        ground_truth: a ``gt.txt``, a sequence folder (``gt/gt.txt``), or a folder of sequences
            (``NAME/gt/gt.txt``, ``NAME/gt.txt`` or ``NAME.txt``).
        tracks: result file of a sequence, or folder of ``NAME.txt``.
        benchmark: one of TrackEval's, whose preprocessing is applied; 'custom': none. Default: told
            from the names of the sequences.
        classes: names of the classes 1, 2, ... of custom data.

    Returns:
        As :func:`lamotr_mm.evaluation.evaluate_sequences`.

    Raises:
        ValueError: nothing to score, tracks of a sequence are missing or of an unknown one, or a
            file is broken; names the file.
        FileNotFoundError: there is nothing of this name.
    """
    truth_files = _truth_files(Path(ground_truth))
    track_files = _track_files(Path(tracks), truth_files)
    missing = sorted(truth_files.keys() - track_files.keys())
    if missing:
        raise ValueError(f'{tracks} has no {", ".join(f"{name}.txt" for name in missing)}')
    return evaluate_sequences(
        {name: _read_truth(file) for name, file in truth_files.items()},
        {name: read_rows(file) for name, file in track_files.items()},
        _benchmark(benchmark, list(truth_files)),
        classes,
    )


def _benchmark(named: str | None, sequences: list[str]) -> str | None:
    """As TrackEval spells it; None for other data."""
    key = (named or detect_benchmark(sequences)).lower()
    known = {name.lower(): name for name in BENCHMARKS}
    if key != 'custom' and key not in known:
        raise ValueError(f'benchmark {named}: should be custom or one of {", ".join(BENCHMARKS)}')
    return known.get(key)


def _read_truth(file: Path) -> np.ndarray:
    rows = read_rows(file)
    return rows[:, :CLASS] if rows.shape[1] == WORLD_COLUMNS else rows


def _truth_files(path: Path) -> dict[str, Path]:
    """{sequence: file}."""
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such file or folder of ground truth')
    if path.is_file():
        return {_sequence_of(path): path}
    if (path / 'gt' / 'gt.txt').is_file():
        return {path.resolve().name: path / 'gt' / 'gt.txt'}
    files = [*path.glob('*/gt/gt.txt'), *path.glob('*/gt.txt')] or list(path.glob('*.txt'))
    if not files:
        raise ValueError(f'{path} has no ground truth: no gt.txt in NAME/gt/ or NAME/, no NAME.txt')
    return {_sequence_of(file): file for file in sorted(files)}


def _sequence_of(file: Path) -> str:
    """Name of the sequence whose ground truth is in ``NAME/gt/gt.txt``, ``NAME/gt.txt`` or
    ``NAME.txt``.
    """
    file = file.resolve()
    if file.name != 'gt.txt':
        return file.stem
    return file.parents[1].name if file.parent.name == 'gt' else file.parent.name


def _track_files(path: Path, truth_files: dict[str, Path]) -> dict[str, Path]:
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such file or folder of tracks')
    if path.is_dir():
        files = {file.stem: file for file in sorted(path.glob('*.txt'))}
        # one sequence of a folder of results
        return (
            {k: v for k, v in files.items() if k in truth_files} if len(truth_files) == 1 else files
        )
    if len(truth_files) > 1:
        raise ValueError(
            f'{path} is one file, there is ground truth of {len(truth_files)} sequences: name a '
            'folder of NAME.txt'
        )
    return {next(iter(truth_files)): path}
