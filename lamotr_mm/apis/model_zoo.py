"""The models that come with the package: `model-index.yml` and what it names."""

from pathlib import Path
from typing import NamedTuple

import mmengine

import lamotr_mm


class ModelEntry(NamedTuple):
    """A model of `configs/metafile.yml`.

    Attributes:
        name: as :class:`~lamotr_mm.apis.LAMOTRInferencer` takes it.
        config: its config.
        weights: its checkpoint; None where none is shipped.
        data: what it was, or is to be, trained on.
        results: data set -> metric -> value.
    """

    name: str
    config: Path
    weights: Path | None
    data: str
    results: dict[str, dict[str, float]]


def package_root() -> Path:
    """Folder of `configs/`, `demo/` and `model-index.yml`: `.mim` of an installed package, the
    repository of a source tree.
    """
    package = Path(lamotr_mm.__file__).parent
    mim = package / '.mim'
    return mim if (mim / 'model-index.yml').is_file() else package.parent


def list_models() -> dict[str, ModelEntry]:
    """All models by name."""
    root = package_root()
    entries = {}
    for file in mmengine.load(root / 'model-index.yml')['Import']:
        for model in mmengine.load(root / file)['Models']:
            data = model['Metadata']['Training Data']
            entries[model['Name']] = ModelEntry(
                name=model['Name'],
                config=root / model['Config'],
                weights=root / model['Weights'] if 'Weights' in model else None,
                data=data if isinstance(data, str) else ', '.join(data),
                results={r['Dataset']: r['Metrics'] for r in model.get('Results', ())},
            )
    return entries


def find_config(model: str | Path) -> tuple[str, str | None]:
    """Config of a model, and the checkpoint that comes with it, None if there is none.

    Args:
        model: name of a model of the package, also in mim's form ``lamotr_mm::lamotr_people.py``,
            or path of a config.

    Raises:
        ValueError: there is no such model.
    """
    if Path(model).is_file():
        return str(model), None
    models = list_models()
    entry = models.get(str(model).removeprefix('lamotr_mm::').removesuffix('.py'))
    if entry is None:
        raise ValueError(
            f'config {model} does not exist or is not a file, nor is it one of {", ".join(models)}'
        )
    return str(entry.config), None if entry.weights is None else str(entry.weights)


def find_model(model: str | Path, weights: str | Path | None = None) -> tuple[str, str]:
    """Config and checkpoint of a model.

    Args:
        model: as :func:`find_config` takes it.
        weights: checkpoint. Default: the one that comes with the model.

    Raises:
        ValueError: there is no such model, or no weights of it.
    """
    config, shipped = find_config(model)
    chosen = weights or shipped
    if chosen is None:
        raise ValueError(f'no weights come with {model}: name a checkpoint that fits it')
    return config, str(chosen)
