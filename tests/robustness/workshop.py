"""Makes miniature MOTChallenge sequences on disk and calls the public tools on them."""

import importlib.util
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TINY = HERE / 'configs' / 'tiny.py'
HEIGHT, WIDTH = 64, 96
BOX = 16, 24  # width and height of a target, px
COLOURS = np.random.default_rng(5).integers(80, 255, (16, 3)).tolist()
_names = itertools.count()

# an untrained model whose every object passes: tracks in each frame
EVERY_OBJECT = """
model = dict(
    lifecycle=dict(det_thr=0.0, keep_thr=0.0, new_thr=0.0), out_score_thr=0.0, out_min_area=0.0
)
"""
NO_VALIDATION = """
val_dataloader = val_evaluator = val_cfg = None
"""


def box_of(identity: int, frame: int) -> tuple[int, int, int, int]:
    """x, y, w, h in px of a target; `frame` from 1. Targets go to and fro."""
    width, height = BOX
    x = abs((identity * 37 + frame * 3) % (2 * (WIDTH - width)) - (WIDTH - width))
    y = abs((identity * 23 + frame * 2) % (2 * (HEIGHT - height)) - (HEIGHT - height))
    return x, y, width, height


def draw(frame: int, identities: Sequence[int], seed: int = 0) -> np.ndarray:
    """BGR image ``(64, 96, 3)`` uint8: coloured boxes on a texture that stays."""
    noise = np.random.default_rng(seed).integers(0, 60, (HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    image = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    for identity in identities:
        x, y, w, h = box_of(identity, frame)
        cv2.rectangle(image, (x, y), (x + w - 1, y + h - 1), COLOURS[identity % 16], -1)
    return image


class Workshop:
    """A folder with ``videos/`` in it.

    Args:
        folder: is the current folder of the tests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.videos = folder / 'videos'

    def sequence(
        self,
        name: str,
        length: int = 4,
        identities: Sequence[int] = (1, 2, 3),
        rows: Sequence[str] | None = None,
        split: str = 'train',
        suffix: str = '.png',
    ) -> Path:
        """Write a sequence; `rows` replaces those of ``gt.txt``. Its folder."""
        folder = self.videos / split / name
        (folder / 'img1').mkdir(parents=True)
        for frame in range(1, length + 1):
            image = draw(frame, identities, seed=len(name))
            cv2.imwrite(str(folder / 'img1' / f'{frame:06d}{suffix}'), image)
        if rows is None:
            rows = [
                ','.join(map(str, (frame, identity, *box_of(identity, frame), 1, 1, 1)))
                for frame in range(1, length + 1)
                for identity in identities
            ]
        (folder / 'gt').mkdir()
        (folder / 'gt' / 'gt.txt').write_text(''.join(f'{row}\n' for row in rows))
        return folder

    def convert(self, *arguments: str) -> int:
        """Call the converter on ``videos/``; its exit status. Without sequences to validate on, the
        model is validated on those to train on."""
        if not (self.videos / 'val').is_dir():
            arguments = arguments or ('--split', 'train=train', 'val=train')
        return load_tool('dataset_converters/mot2cocovid').main([str(self.videos), *arguments])

    def config(self, text: str = '', name: str = 'config.py') -> Path:
        """Write a config that inherits the tiny one and has `text` besides."""
        path = self.folder / name
        # mmengine keeps loggers and visualizers by name, longer than a run
        unique = f'robustness_{os.getpid()}_{next(_names)}'
        experiment = f'experiment_name = "{unique}"\nvisualizer = dict(name="{unique}")\n'
        path.write_text(f'_base_ = {str(TINY)!r}\n{experiment}{text}\n')
        return path

    def train(self, config: Path, *arguments: str) -> None:
        """`tools/train.py` in this process."""
        load_tool('train').main([str(config), *arguments])

    def test(self, config: Path, checkpoint: str | Path, *arguments: str) -> None:
        """`tools/test.py` in this process."""
        load_tool('test').main([str(config), str(checkpoint), *arguments])

    def environment(self) -> dict[str, str]:
        """Variables for tools that run as processes of their own: one thread, no GPU."""
        path = os.pathsep.join([str(HERE), str(ROOT)])
        return os.environ | dict(
            PYTHONPATH=path, PYTHON=sys.executable, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES=''
        )

    def start(self, *command: str | Path, **variables: str) -> subprocess.Popen:
        """Start a tool in a process group of its own; what it prints goes to ``output.txt``."""
        with open(self.folder / 'output.txt', 'w') as output:
            return subprocess.Popen(
                list(map(str, command)),
                env=self.environment() | variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *command: str | Path, **variables: str) -> tuple[int, str]:
        """Exit status and output of a tool."""
        status = self.start(*command, **variables).wait(timeout=300)
        return status, (self.folder / 'output.txt').read_text()


def load_tool(name: str):
    """Import a script below ``tools/``."""
    spec = importlib.util.spec_from_file_location(
        f'tool_{Path(name).name}', ROOT / 'tools' / f'{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def truncate(file: Path) -> None:
    """Cut a file in half."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def assert_one_error(text: str, pattern: str) -> None:
    """One message, which matches."""
    assert text.count('error:') == 1, text
    assert re.search(pattern, text), text
