"""Why this id: `python tools/explain.py VIDEO --frames A:B --out page.html [--gt gt.txt]`.

VIDEO is a video, a folder of frames, or a config, of whose test data a video is taken with its
ground truth. The page explains each association of the frames A to B (docs/explain.md).
"""

import argparse
import sys
from pathlib import Path

from lamotr_mm.apis.dataset_video import find_video
from lamotr_mm.apis.explain import Explanation, explain_dataset, explain_video
from lamotr_mm.apis.inferencer import default_device, init_model
from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.io.frames import open_frames
from lamotr_mm.models.folding import fold
from lamotr_mm.registry import DATASETS

ROOT = Path(__file__).resolve().parents[1]


def frame_range(text: str) -> tuple[int | None, int | None]:
    """``A:B``, ``A:`` or ``:B``."""
    first, colon, last = text.partition(':')
    if not colon:
        raise argparse.ArgumentTypeError(f'{text}: expected A:B, first and last frame')
    try:
        numbers = [int(part) if part else None for part in (first, last)]
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text}: A and B should be whole numbers') from None
    if None not in numbers and numbers[0] > numbers[1]:
        raise argparse.ArgumentTypeError(f'{text}: B lies before A')
    return numbers[0], numbers[1]


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='A page that explains each association')
    parser.add_argument('input', help='video, folder of frames, or config with test data')
    parser.add_argument(
        '--frames', type=frame_range, default=(None, None), metavar='A:B', help='in the page'
    )
    parser.add_argument('--out', help='HTML file; default <input>_explained.html here')
    parser.add_argument('--gt', help='ground truth of a video, MOTChallenge gt.txt')
    parser.add_argument(
        '--start', type=int, help='first frame that is tracked; default: the first there is'
    )
    parser.add_argument('--video', help="of a config's test data; default: the first one")
    parser.add_argument('--config', default=str(ROOT / 'configs/lamotr_people.py'))
    parser.add_argument('--checkpoint', default=str(ROOT / 'demo/weights/lamotr_people.pth'))
    parser.add_argument('--device', help='default cuda:0 if there is a GPU, else cpu')
    add_cfg_options(parser)
    return parser


def explain(args: argparse.Namespace) -> Explanation:
    """Track and write the page."""
    first, last = args.frames
    device = args.device or default_device()
    of_config = Path(args.input).suffix == '.py'
    config = load_config(args.input if of_config else args.config, args.cfg_options)
    out = args.out or f'{Path(args.input).stem}_explained.html'
    if of_config:
        if args.gt or args.start:
            raise ValueError("--gt and --start are for a video: a config's data have both")
        model = fold(init_model(config, args.checkpoint, device))
        dataset = DATASETS.build(config.test_dataloader.dataset)
        video = find_video(dataset, args.video)
        return explain_dataset(model, dataset, video, out, first or 1, last)
    frames = open_frames(args.input, args.start, last)
    model = fold(init_model(config, args.checkpoint, device))
    return explain_video(model, frames, out, first or 1, args.gt)


def main(argv: list[str] | None = None) -> None:
    """Explain; a bad input, output, config or checkpoint prints one line and exits with 2."""
    args = parse_args(make_parser(), argv)
    try:
        print(explain(args))
    except (ValueError, OSError, FloatingPointError) as error:
        print(f'explain.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print('\nexplain.py: interrupted; nothing is written', file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    main()
