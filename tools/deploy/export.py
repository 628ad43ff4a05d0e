r"""Weights -> a folder of ONNX graphs that tracks without PyTorch (docs/deployment.md).

    python tools/deploy/export.py configs/lamotr_people.py demo/weights/lamotr_people.pth \
        exported/people --frame 576 768
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.apis.few_tracks import class_names
from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.deploy.export import export


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Weights -> ONNX graphs for onnxruntime')
    parser.add_argument('config', help='config file, for example configs/lamotr_people.py')
    parser.add_argument('checkpoint', help='weights, for example demo/weights/lamotr_people.pth')
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--frame', type=int, nargs=2, required=True, metavar=('H', 'W'), help='of the videos, px'
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Export; what can't be exported prints one line and exits with status 2."""
    args = make_parser().parse_args(argv)
    try:
        model = init_model(args.config, args.checkpoint, precision='fp32')
        settings = export(model, args.out, tuple(args.frame), class_names(model.cfg))
    except (ValueError, OSError) as error:
        print(f'export.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    size = sum(file.stat().st_size for file in args.out.iterdir())
    height, width = settings.preprocessing.img_shape
    print(f'{args.out}: {size / 2**20:.1f} MiB, for frames of {width}x{height} px when resized')


if __name__ == '__main__':
    main()
