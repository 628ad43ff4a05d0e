"""What `make demo` shows: a synthetic video tracked and scored, or your own video tracked."""

import argparse
import sys
from pathlib import Path

from lamotr_mm.apis.inferencer import default_device, init_model
from lamotr_mm.apis.track_video import TrackSummary, track_video
from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.evaluation import evaluate_sequences, format_table
from lamotr_mm.io.frames import open_frames
from lamotr_mm.io.mot_rows import read_rows
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.folding import fold
from lamotr_mm.preparation.synthetic_export import write_sequence

ROOT = Path(__file__).resolve().parents[1]
# the first seed that is neither for training nor for validation
SCENE = SceneSpec(seed=20_000, difficulty=0, length=60)


def track(model: LAMOTR, video: str | Path, out_dir: Path, name: str | None = None) -> TrackSummary:
    """Track a video into ``<name>_tracked.mp4``, ``.txt`` and ``.png`` of ``out_dir``."""
    frames = open_frames(video)
    stem = f'{name or frames.name}_tracked'
    mp4, txt, png = (out_dir / f'{stem}.{suffix}' for suffix in ('mp4', 'txt', 'png'))
    return track_video(model, frames, out=mp4, mot_out=txt, sheet=png)


def synthetic_demo(model: LAMOTR, out_dir: Path) -> None:
    """Render, track, score and show where everything is."""
    print(
        f'Rendering a synthetic video: seed {SCENE.seed} (held out), difficulty '
        f'{SCENE.difficulty}, {SCENE.length} frames'
    )
    sequence = write_sequence(SCENE, out_dir)
    video = sequence / f'{sequence.name}.mp4'
    print(f'Tracking {video}')
    summary = track(model, video, out_dir, 'synthetic')
    scores = evaluate_sequences(
        {'synthetic': read_rows(sequence / 'gt' / 'gt.txt')},
        {'synthetic': read_rows(out_dir / 'synthetic_tracked.txt')},
        frames={'synthetic': range(1, SCENE.length + 1)},
    )
    print(format_table(scores))
    print(summary)


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--video', help='video or folder of frames to track instead')
    parser.add_argument('--config', help='default configs/lamotr_{synthetic,pets}.py')
    parser.add_argument('--checkpoint', help='default demo/weights/lamotr_{synthetic,pets}.pth')
    parser.add_argument('--out-dir', type=Path, default=ROOT / 'demo/out')
    parser.add_argument('--device', help='default cuda:0 if there is a GPU, else cpu')
    return parser


def main(argv: list[str] | None = None) -> None:
    """Run; a bad input, config or checkpoint prints one line and exits with status 2."""
    args = make_parser().parse_args(argv)
    name = 'lamotr_people' if args.video else 'lamotr_synthetic'
    config = args.config or str(ROOT / f'configs/{name}.py')
    checkpoint = args.checkpoint or str(ROOT / f'demo/weights/{name}.pth')
    device = args.device or default_device()
    try:
        model = fold(init_model(config, checkpoint, device))
        if args.video:
            print(track(model, args.video, args.out_dir))
        else:
            synthetic_demo(model, args.out_dir)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f'demo.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print('\ndemo.py: interrupted; unfinished files are removed', file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    main()
