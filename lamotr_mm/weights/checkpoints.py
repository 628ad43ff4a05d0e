"""Checks of checkpoints: mmengine only warns of weights that do not fit."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

SAFETENSORS = '.safetensors'


def existing_checkpoint(path: str) -> str:
    """`path`, if it is a whole checkpoint file.

    Raises:
        ValueError: when it is missing, cut off or something else; names it.
    """
    if not Path(path).is_file():
        raise ValueError(f'checkpoint {path} does not exist or is not a file')
    with open(path, 'rb') as file:
        start = file.read(2)
    # torch writes zip files, whose directory is at the end; before torch 1.6 pickles
    if zipfile.is_zipfile(path) or start.startswith(b'\x80'):
        return path
    if start in (b'PK', b''):
        others = sorted(Path(path).parent.glob('*.pth'), key=lambda file: file.stat().st_mtime)
        whole = [str(file) for file in others if zipfile.is_zipfile(file)]
        raise ValueError(
            f'checkpoint {path} is cut off: its copying or writing was interrupted. '
            + (f'Use another one, for example {whole[-1]}' if whole else 'Fetch or train it again')
        )
    raise ValueError(f'checkpoint {path} is no file that torch.save wrote')


def load_checkpoint(path: str) -> Any:
    """What is in a checkpoint file of torch or safetensors, on the CPU.

    Raises:
        ValueError: the file is missing, cut off or no checkpoint; names it.
    """
    safe = Path(path).suffix == SAFETENSORS
    if safe and not Path(path).is_file():
        raise ValueError(f'checkpoint {path} does not exist or is not a file')
    try:
        if safe:
            return {'state_dict': load_file(path)}
        return CheckpointLoader.load_checkpoint(
            existing_checkpoint(path), map_location='cpu', logger='silent'
        )
    except (RuntimeError, OSError, EOFError, SafetensorError) as error:  # damaged inside
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'checkpoint {path} cannot be read ({reason}): fetch or train it again'
        ) from error


def check_fit(model: nn.Module, state_dict: Mapping[str, Tensor], path: str) -> None:
    """Whether a checkpoint has the weights of a model, all of them and no others.

    Args:
        model: the model that the config describes.
        state_dict: of the checkpoint.
        path: of the checkpoint, for the message.

    Raises:
        ValueError: counts weights that are missing, unknown or of another shape, and names one.
    """
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: tuple(getattr(value, 'shape', ())) for key, value in state_dict.items()}
    shapes = [key for key in expected if key in found and found[key] != expected[key]]
    missing = [key for key in expected if key not in found]
    unknown = [key for key in found if key not in expected]
    problems = []
    if shapes:
        key = shapes[0]
        problems.append(
            f'{len(shapes)} of another shape ({key}: {found[key]} in the file, {expected[key]} in '
            'the model)'
        )
    if missing:
        problems.append(f'{len(missing)} missing ({missing[0]})')
    if unknown:
        problems.append(f'{len(unknown)} that the model does not have ({unknown[0]})')
    if problems:
        raise ValueError(
            f'checkpoint {path} is of another model than the config, its weights are '
            f'{"; ".join(problems)}: use the config that it was trained with'
        )
