"""Suites: small config files that list the rows of a table (docs/benchmark_trackers.md)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from lamotr_mm.engine.launch import existing_file, load_config

SUITE_KEYS = {'title', 'rows', 'data', 'data_options', 'budget', 'seeds', 'tune', 'reference'}
ROW_KEYS = {'name', 'config', 'overrides', 'weights', 'detections'}


class Row(NamedTuple):
    """A line of a suite.

    Attributes:
        name: of the row, unlike any other.
        config: path of a config; one with a key `peer` is a tracker on another row's detections.
        overrides: dotted key -> value, merged into the config.
        weights: file to evaluate; None: the row is trained.
        detections: of a peer, name of the row that detects; None: the first that is no peer.
    """

    name: str
    config: str
    overrides: dict[str, Any] = {}  # noqa: RUF012  # never changed
    weights: str | None = None
    detections: str | None = None


class Suite(NamedTuple):
    """What to compare, and how.

    Attributes:
        title: heading of the report.
        rows: of the table.
        data: 'synthetic', 'people' or the path of a config whose data all rows share; None: to be
            named on the command line.
        data_options: dotted key -> value, merged into every row's config after the data.
        budget: training iterations of every row; None: as in the configs.
        seeds: number of trainings of each row, with seeds 0, 1, ...
        tune: choose the peers' thresholds on training frames: an annotation file or True.
        reference: name of the row that the marks compare with; None: the first.
    """

    title: str
    rows: list[Row]
    data: str | None = None
    data_options: dict[str, Any] = {}  # noqa: RUF012  # never changed
    budget: int | None = None
    seeds: int = 1
    tune: str | bool = False
    reference: str | None = None


def read_suites(files: Sequence[str]) -> Suite:
    """One suite of several files: suites, and configs, each of which is a row by itself.

    Of several suites, the first one that sets a key wins, and all rows are taken.

    Raises:
        ValueError: a file is missing or no suite or config, a key is unknown, a name is there
            twice.
    """
    found = [read_suite(file) for file in files]
    merged = found[0]
    for suite in found[1:]:
        values = {
            key: getattr(merged, key) or getattr(suite, key) for key in ('data', 'budget', 'tune')
        }
        merged = merged._replace(
            **values,
            rows=[*merged.rows, *suite.rows],
            data_options={**suite.data_options, **merged.data_options},
            seeds=max(merged.seeds, suite.seeds),
        )
    _check_names(merged)
    return merged


def read_suite(file: str) -> Suite:
    """The suite of a file; of a config that is none, a suite with it as the only row.

    Raises:
        ValueError: the file is missing, cannot be read, or has unknown or missing keys.
    """
    existing_file(file, 'suite or config')
    content = load_config(file)
    if 'rows' not in content:
        if 'model' not in content:
            raise ValueError(f'{file} is neither a suite (rows=[...]) nor a config (model=...)')
        return Suite(Path(file).stem, [Row(Path(file).stem, file)])
    values = content.to_dict()
    _check_keys(values, SUITE_KEYS, file)
    folder = Path(file).parent
    rows = [
        _row(each, folder, f'{file}, rows[{number}]') for number, each in enumerate(values['rows'])
    ]
    if not rows:
        raise ValueError(f'{file}: rows=[] has no row')
    suite = Suite(**{'title': Path(file).stem, **values, 'rows': rows})
    if suite.data not in (None, 'synthetic', 'people'):
        suite = suite._replace(data=str(folder / str(suite.data)))
    return suite


def choose(suite: Suite, **options: Any) -> Suite:
    """The suite with what the command line sets, None leaving the suite's own; checked.

    Args:
        suite: of :func:`read_suites`.
        **options: `data`, `budget`, `seeds`, `tune`, `reference`, and `weights`: name of a row ->
            file.

    Raises:
        ValueError: an option that does not fit.
    """
    weights = options.pop('weights', None) or {}
    suite = suite._replace(**{key: value for key, value in options.items() if value is not None})
    names = [row.name for row in suite.rows]
    for name in [*weights, *filter(None, [suite.reference])]:
        if name not in names:
            raise ValueError(f'no row is called {name!r}; there is: {", ".join(names)}')
    for name, file in weights.items():
        existing_file(file, f'weights of {name}')
    if suite.data is None:
        raise ValueError('--data: name synthetic, people or a config whose data all rows share')
    for key in ('budget', 'seeds'):
        value = getattr(suite, key)
        if value is not None and value < 1:
            raise ValueError(f'--{key} {value}: 1 or more')
    rows = [row._replace(weights=weights.get(row.name, row.weights)) for row in suite.rows]
    return suite._replace(rows=rows)


def data_config(data: str) -> str:
    """Path of the config that `data` stands for."""
    if data in ('synthetic', 'people'):
        return str(_configs() / f'lamotr_{data}.py')
    return existing_file(data, '--data: config')


def _configs() -> Path:
    """The configs of this checkout or, of an installed package, those in ``.mim``."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / 'configs'
    return beside if beside.is_dir() else package / '.mim' / 'configs'


def _row(values: dict, folder: Path, where: str) -> Row:
    _check_keys(values, ROW_KEYS, where)
    missing = {'name', 'config'} - values.keys()
    if missing:
        raise ValueError(f'{where} has no {sorted(missing)[0]}')
    return Row(**{**values, 'config': str(folder / values['config'])})


def _check_keys(values: dict, known: Iterable[str], where: str) -> None:
    unknown = sorted(key for key in values if key not in known and not key.startswith('_'))
    if unknown:
        raise ValueError(f'{where}: unknown key {unknown[0]}; known are {", ".join(sorted(known))}')


def _check_names(suite: Suite) -> None:
    seen = set()
    for row in suite.rows:
        if row.name in seen:
            raise ValueError(f'two rows are called {row.name!r}: rename one')
        seen.add(row.name)


def is_peer(config: Config) -> bool:
    """Whether a config is a tracker on LA-MOTR's detections."""
    detector = config.model.get('detector') or {}
    return detector.get('type') == 'lamotr_mm.DetectionsOf'
