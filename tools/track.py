"""Track a video or a folder of frames: `python tools/track.py INPUT [options]`."""

import argparse
import sys
from pathlib import Path

from lamotr_mm.apis.inferencer import default_device, init_model
from lamotr_mm.apis.track_video import track_video
from lamotr_mm.io.frames import open_frames
from lamotr_mm.models.folding import fold
from lamotr_mm.models.precision import PRECISIONS

ROOT = Path(__file__).resolve().parents[1]


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Track a video or a folder of frames')
    parser.add_argument('input', help='video file, folder of frames, or MOTChallenge sequence')
    parser.add_argument('--config', default=str(ROOT / 'configs/lamotr_people.py'))
    parser.add_argument('--checkpoint', default=str(ROOT / 'demo/weights/lamotr_people.pth'))
    parser.add_argument(
        '--out',
        help='mp4 with drawn tracks; default <input>_tracked.mp4 here, unless --mot-out is given',
    )
    parser.add_argument('--mot-out', help='MOTChallenge txt: frame,id,x,y,w,h,score,-1,-1,-1')
    parser.add_argument('--start', type=int, help="first frame, in the input's numbers from 1")
    parser.add_argument('--end', type=int, help='last frame')
    parser.add_argument('--device', help='default cuda:0 if there is a GPU, else cpu')
    parser.add_argument('--precision', choices=PRECISIONS, help="default: the config's, else fp32")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Track; a bad input, output, config or checkpoint prints one line and exits with status 2."""
    args = make_parser().parse_args(argv)
    try:
        frames = open_frames(args.input, args.start, args.end)
        out = args.out
        if out is None and args.mot_out is None:
            out = f'{frames.name}_tracked.mp4'
        device = args.device or default_device()
        model = fold(init_model(args.config, args.checkpoint, device, args.precision))
        summary = track_video(model, frames, out, args.mot_out)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f'track.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print('\ntrack.py: interrupted; unfinished files are removed', file=sys.stderr)
        sys.exit(130)
    print(summary)


if __name__ == '__main__':
    main()
