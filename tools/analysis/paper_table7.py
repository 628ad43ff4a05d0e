"""Prints Table 7 with a measured row: `tools/analysis/paper_table7.sh [--device cuda:0]`.

Random weights will do: they are as fast, and the frame that is timed is given its tracklets.
"""

import argparse
import platform
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from lamotr_mm.apis.benchmark import count_parameters, measure
from lamotr_mm.apis.inferencer import default_device, init_model
from lamotr_mm.version import __version__

ROOT = Path(__file__).resolve().parents[2]
# method, parameters, frames per second
PAPER = (
    ('MOTR', '43.91M', '13.47'),
    ('MeMOTR', '50.13M', '12.33'),
    ('LA-MOTR', '50.29M', '11.96'),
)
IMG_SIZE = 800, 1422  # DanceTrack's 1080x1920 px at short side 800, long side <= 1536 (Sec. 4.2)
TRACKLETS = 8  # DanceTrack: 877,000 boxes in 105,000 frames
REPEAT = dict(cuda=50, cpu=1)  # a frame takes many seconds on a CPU


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Table 7: parameters and frames per second')
    parser.add_argument('--config', default=str(ROOT / 'configs' / 'lamotr_dancetrack.py'))
    parser.add_argument('--device', default=default_device(), help='default: a GPU if there is one')
    parser.add_argument('--img-size', type=int, nargs=2, default=IMG_SIZE, metavar=('H', 'W'))
    parser.add_argument('--repeat', type=int, help='frames timed; default: 50, on a CPU 1')
    parser.add_argument('--threads', type=int, default=1, help='that torch uses on the CPU')
    return parser


def hardware(device: torch.device) -> str:
    """Name of what is measured on."""
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return f'{names[0] if names else platform.machine()}, {torch.get_num_threads()} thread(s)'


def revision() -> str:
    """Commit of the code, ``-dirty`` with changes; without git the version."""
    command = ['git', '-C', str(ROOT), 'describe', '--always', '--dirty', '--exclude=*']
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return f'version {__version__}'
    return f'commit {done.stdout.strip()}'


def print_table(parameters: int, fps: float, notes: list[str]) -> None:
    """The paper's rows, the measured one, and how it was measured."""
    table = Table('Method', 'Params', 'FPS', 'from', title='Table 7')
    for row in PAPER:
        table.add_row(*row, 'paper')
    table.add_section()
    table.add_row('LA-MOTR', f'{parameters / 1e6:.2f}M', f'{fps:.2f}', 'measured here')
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True)


def main(argv: list[str] | None = None) -> None:
    """Measure and print; a bad config or device prints one line and exits with status 2."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if min(*args.img_size, args.threads, 1 if args.repeat is None else args.repeat) < 1:
        parser.error('--img-size, --repeat and --threads take whole numbers of 1 or more')
    torch.set_num_threads(args.threads)
    try:
        model = init_model(args.config, device=args.device)
    except ValueError as error:
        parser.error(str(error))
    device = next(model.parameters()).device
    repeat = args.repeat or REPEAT.get(device.type, REPEAT['cpu'])
    size = tuple(args.img_size)
    total = measure(model, size, TRACKLETS, repeat)['total']
    notes = [
        f'Measured: {hardware(device)}; {size[0]}x{size[1]} px, float32, {TRACKLETS} tracklets, '
        f'median of {repeat} frame(s); torch {torch.__version__}, {revision()}.',
        'FPS is of the network and the lifecycle; loading, resizing and drawing are not in it.',
        'Params are trainable ones, as in the paper.',
        'Paper: NVIDIA 3090 (Sec. 4.2); it does not say what its FPS include. Its rows are copied, '
        'not measured.',
    ]
    print_table(count_parameters(model)['total'], 1000 / total, notes)


if __name__ == '__main__':
    main()
