"""The results of all jobs as one table, whatever is missing of it."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lamotr_mm.evaluation.directions import rule_of

from .jobs import Job
from .plan import Entry
from .statistics import METRICS, Estimate, estimates, marks

DIFFICULTY = re.compile(r'-d(\d)$')  # of the names of synthetic videos


@dataclass
class TableRow:
    """What is known of an entry.

    Attributes:
        name: of the entry.
        oracle: it knows the ground truth.
        detections: name of the row whose detections it has; '' for its own.
        seeds: that are there; None stands for weights that were given.
        counts: ``(seeds, sequences, SIZE)``; None where the row is empty.
        scores: of all sequences.
        marks: metric -> '+', '-' or ''.
        parameters: all of them.
        fps: frames per second.
        minutes: that the training of a seed took, on average.
        reason: what is missing and why; '' if nothing is.
        folders: of the tests, one for each seed.
    """

    name: str
    oracle: bool = False
    detections: str = ''
    seeds: list[int | None] = field(default_factory=list)
    counts: np.ndarray | None = None
    scores: dict[str, Estimate] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    parameters: int | None = None
    fps: float | None = None
    minutes: float | None = None
    reason: str = ''
    folders: list[Path] = field(default_factory=list)


@dataclass
class Table:
    """All rows, on the same sequences.

    Attributes:
        rows: in the suite's order.
        sequences: names.
        reference: name of the row that the marks compare with.
        no_marks: why there are none; '' if there are.
        per_seed: (row, seed) -> sequence -> score -> value as TrackEval gives it; the sequence
            'all' is of all of them.
    """

    rows: list[TableRow]
    sequences: list[str]
    reference: str
    no_marks: str
    per_seed: dict[tuple[str, int | None], dict[str, dict[str, float]]]

    def filled(self, oracles: bool = True) -> list[TableRow]:
        """Rows with scores."""
        return [row for row in self.rows if row.counts is not None and (oracles or not row.oracle)]

    def groups(self) -> dict[str, list[int]]:
        """Difficulty -> places of its sequences; each sequence by itself where there is none."""
        found: dict[str, list[int]] = {}
        for place, name in enumerate(self.sequences):
            told = DIFFICULTY.search(name)
            found.setdefault(told.group(1) if told else name, []).append(place)
        return dict(sorted(found.items()))

    @property
    def by_difficulty(self) -> bool:
        """Whether `groups` are difficulties."""
        return all(DIFFICULTY.search(name) for name in self.sequences)


def collect(entries: Iterable[Entry], speed: Job | None, reference: str | None) -> Table:
    """Read what the jobs have left.

    Args:
        entries: planned, and run as far as they could.
        speed: the job that measured the time of a frame.
        reference: name of the row to compare with; None or one that is empty: the first one.
    """
    milliseconds = {}
    if speed is not None and speed.done:
        milliseconds = json.loads((speed.folder / 'result.json').read_text())
    rows, per_seed, sequences = [], {}, None
    for entry in entries:
        row, results = _read(entry)
        if results and sequences is None:
            sequences = sorted(results[0]['counts'])
        if results and sequences is not None and sorted(results[0]['counts']) != sequences:
            row = TableRow(entry.name, reason='it is scored on other sequences than the rows above')
            results = []
        if results:
            _fill(row, results, sequences or [])
            for seed, result in zip(row.seeds, results):
                per_seed[row.name, seed] = {'all': result['combined'], **result['sequences']}
        if entry.name in milliseconds:
            row.fps = 1000 / milliseconds[entry.name]
        rows.append(row)
    table = Table(rows, sequences or [], '', '', per_seed)
    names = [row.name for row in table.filled(oracles=False)]
    table.reference = _reference(names, reference)
    compared = {r.name: r.counts for r in rows if r.counts is not None and not r.oracle}
    given, table.no_marks = marks(compared, table.reference)
    for row in rows:
        row.marks = given.get(row.name, {})
    return table


def _reference(names: Sequence[str], wanted: str | None) -> str:
    """A peer is called after its config and thresholds: the first of them is taken."""
    matching = [n for n in names if wanted and (n == wanted or n.startswith(f'{wanted} ('))]
    return next(iter([*matching, *names]), '')


def _read(entry: Entry) -> tuple[TableRow, list[dict]]:
    row = TableRow(entry.name, entry.oracle, entry.detections, reason=entry.reason)
    results, missing = [], []
    for run in entry.runs:
        file = run.test.folder / 'result.json'
        if not run.test.done:
            missing.append(run.test.reason or 'it has not been run')
            continue
        results.append(json.loads(file.read_text()))
        row.seeds.append(run.seed)
        row.folders.append(run.test.folder)
    if missing:
        part = f'{len(missing)} of {len(entry.runs)} seeds: ' if results else ''
        row.reason = part + missing[0]
    trained = [run.train.seconds / 60 for run in entry.runs if run.train and run.train.done]
    if trained and not entry.detections:
        row.minutes = float(np.mean(trained))
    return row, results


def _fill(row: TableRow, results: list[dict], sequences: list[str]) -> None:
    row.counts = np.array([[result['counts'][name] for name in sequences] for result in results])
    row.scores = estimates(row.counts)
    row.parameters = results[0]['parameters']


def best(rows: Iterable[TableRow]) -> dict[str, set[str]]:
    """Metric -> names of the rows with the best mean, oracles left out."""
    candidates = [row for row in rows if row.counts is not None and not row.oracle]
    found: dict[str, set[str]] = {}
    for metric in METRICS if len(candidates) > 1 else ():
        means = {row.name: row.scores[metric].mean for row in candidates}
        top = (max if rule_of(metric) == 'greater' else min)(means.values())
        found[metric] = {name for name, mean in means.items() if mean == top}
    return found
