"""From a checkpoint of another project to weights that ``load_from`` takes."""

import argparse
import hashlib
import pickle
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from mmdet.models.mot import BaseMOTModel
from torch import Tensor

from lamotr_mm.weights.checkpoints import existing_checkpoint

from .layouts import Layout, choose_rows, class_rules, recognise
from .rules import Conversion, complete, rename
from .settings import check_settings


class Source(NamedTuple):
    """What a checkpoint file holds.

    Attributes:
        weights: the state dict.
        others: names of the file's other entries (optimiser, arguments, ...).
        sha256: of the file, hexadecimal.
    """

    weights: dict[str, Tensor]
    others: list[str]
    sha256: str


def read_source(path: Path) -> Source:
    """Read a checkpoint without running code that may be in it.

    Official checkpoints hold their command line as ``argparse.Namespace``, which is allowed.

    Raises:
        ValueError: it is missing, cut off, no checkpoint, or holds objects other than tensors and
            plain values; names it.
    """
    existing_checkpoint(str(path))
    # harmless containers; newer torch knows the counter, of MultiStepLR's milestones, itself
    torch.serialization.add_safe_globals([argparse.Namespace, Counter])
    try:
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        # 'Unsupported global: GLOBAL posix.system was not an allowed global'
        kind = re.search(r'GLOBAL (\S+)', str(error))
        raise ValueError(
            f'{path} is refused: it holds {kind[1] if kind else "objects"}, not only tensors and '
            'plain values, so reading it could run code. If you trust it, save its weights alone '
            '(docs/weights.md)'
        ) from error
    except Exception as error:  # a damaged pickle fails in any way
        raise ValueError(f'{path} cannot be read: {type(error).__name__}: {error}') from error
    for key in ('model', 'state_dict'):
        weights = checkpoint.get(key) if isinstance(checkpoint, Mapping) else None
        if isinstance(weights, Mapping):
            with open(path, 'rb') as file:
                digest = hashlib.file_digest(file, 'sha256').hexdigest()
            return Source(dict(weights), [name for name in checkpoint if name != key], digest)
    raise ValueError(f"{path} has no entry 'model' or 'state_dict' with weights")


def convert(
    weights: Mapping[str, Tensor], model: BaseMOTModel, class_rows: list[int] | None = None
) -> tuple[Layout, Conversion]:
    """Bring a detector's weights into the layout of a model.

    Args:
        weights: state dict in any layout of :data:`.layouts.LAYOUTS`.
        model: the :class:`LAMOTR` that the config describes.
        class_rows: row of the file's classifier for each class of the model; people where ``None``.

    Raises:
        ValueError: the layout is unknown, a tensor is none, is unknown or does not fit, or the
            model must be set otherwise; names the tensor or the keys.
    """
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'{name} is a {type(value).__name__}, not a tensor')
    layout = recognise(weights)
    classes = model.sotd_head.cls_branches[0].out_features
    rows = choose_rows(layout, weights, classes, class_rows)
    rules = (*layout.rules, *class_rules(layout, rows))
    renamed = rename(rules, weights)
    check_settings(layout.settings, renamed.state_dict, model)
    return layout, complete(renamed, rules, model.state_dict())
