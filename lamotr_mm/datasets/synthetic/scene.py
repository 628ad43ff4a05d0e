"""The script of a synthetic video: who walks where, and how the camera moves.

Everything is a function of the frame index, so any frame can be drawn without those before it, and
a longer video of the same seed begins with the same frames. World coordinates are px of the image
at rest: x to the right, y down, the origin in the top left corner.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

# Heights in px of a figure whose feet are at the far and the near end of the floor, and these ends,
# for an image of REFERENCE_HEIGHT px; other sizes scale with it.
REFERENCE_HEIGHT = 256
FIGURE_HEIGHTS = (44.0, 86.0)
FLOOR = (118.0, 246.0)
# mean width of a walking figure's box over its height
ASPECT = 0.46


class Level(NamedTuple):
    """What one step of `difficulty` sets. Ranges are inclusive.

    Attributes:
        speed: mean displacement between frames, in widths of the figure's box.
        figures: how many figures.
        occluders: how many static things in the foreground.
        outfits: how many different outfits the figures share.
        colour_jitter: deviation of a figure's colours from its outfit's, in 8-bit steps.
        pan: amplitude of the camera's slow pan, as a share of the image width.
        zoom: amplitude of the camera's slow zoom.
        shake: standard deviation of the camera's shake, in px at ``REFERENCE_HEIGHT``.
    """

    speed: float
    figures: tuple[int, int]
    occluders: tuple[int, int]
    outfits: int
    colour_jitter: float
    pan: float
    zoom: float
    shake: float


LEVELS = (
    Level(0.12, (3, 4), (1, 1), 8, 10, 0.01, 0.00, 0.0),
    Level(0.40, (4, 5), (1, 2), 4, 14, 0.03, 0.02, 0.4),
    Level(0.80, (5, 7), (2, 3), 2, 10, 0.05, 0.04, 0.8),
    Level(1.25, (6, 8), (2, 4), 1, 6, 0.07, 0.06, 1.5),
)

# foot_y of one figure, or of many
FloatOrArray = TypeVar('FloatOrArray', float, np.ndarray)


@dataclass(frozen=True)
class SceneSpec:
    """What identifies a synthetic video; equal specs give equal pixels.

    Args:
        seed: from 0.
        difficulty: 0 (slow, few, all different) to 3 (association by overlap fails).
        length: number of frames.
        height, width: of a frame in px, at least 64.

    Raises:
        ValueError: if a value is out of its range.
    """

    seed: int
    difficulty: int
    length: int
    height: int = 256
    width: int = 320

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f'seed={self.seed}: must be 0 or more')
        if self.difficulty not in range(len(LEVELS)):
            raise ValueError(f'difficulty={self.difficulty!r}: must be 0, 1, 2 or 3')
        if self.length < 1:
            raise ValueError(f'length={self.length}: a video has 1 frame or more')
        if min(self.height, self.width) < 64:
            raise ValueError(
                f'a frame of {self.height}x{self.width} px: each side must be 64 or more'
            )

    @property
    def name(self) -> str:
        """Of the video, such as ``synthetic-20003-d2``."""
        return f'synthetic-{self.seed}-d{self.difficulty}'

    @property
    def level(self) -> Level:
        """The difficulty's settings."""
        return LEVELS[self.difficulty]

    @property
    def unit(self) -> float:
        """Px of this frame for a px at ``REFERENCE_HEIGHT``."""
        return self.height / REFERENCE_HEIGHT

    def rng(self, stream: int) -> np.random.Generator:
        """An independent generator for one part: more draws in one don't move another."""
        return np.random.default_rng([self.seed, stream])

    def figure_height(self, foot_y: FloatOrArray) -> FloatOrArray:
        """Perspective: px height of an average figure whose feet are at ``foot_y`` (world px)."""
        depth = (foot_y / self.unit - FLOOR[0]) / (FLOOR[1] - FLOOR[0])
        near, far = FIGURE_HEIGHTS[1], FIGURE_HEIGHTS[0]
        return self.unit * (far + depth * (near - far))


class Walks(NamedTuple):
    """Motion of ``N`` figures in ``T`` frames.

    Attributes:
        feet: world px, ``(T, N, 2)`` float64.
        heights: px in the world, ``(T, N)``.
        phases: of the gait, radians, ``(T, N)``; advances with the distance walked.
        headings: horizontal share of the velocity, -1 (left) to 1 (right), ``(T, N)``.
    """

    feet: np.ndarray
    heights: np.ndarray
    phases: np.ndarray
    headings: np.ndarray


class Camera(NamedTuple):
    """``image = zoom * (world - centre) + (width, height) / 2``; ``(T, 2)``, ``(T,)`` float64."""

    centres: np.ndarray
    zooms: np.ndarray


def _zigzag(angle: np.ndarray) -> np.ndarray:
    """A triangle wave with the period and amplitude of a sine: its turns are sudden."""
    return 2 / np.pi * np.arcsin(np.sin(angle))


class _Path:
    """A closed-form walk: a sum of a sine and a zigzag in x, a sine in y, at an uneven pace."""

    def __init__(self, rng: np.random.Generator, spec: SceneSpec, visitor: bool) -> None:
        unit, width = spec.unit, spec.width
        if visitor:  # turns about a side of the image: leaves and comes back
            self.centre_x = rng.choice([0.0, 1.0]) * width + rng.uniform(-0.04, 0.04) * width
            self.reach_x = rng.uniform(0.14, 0.3) * width
        else:
            self.centre_x = rng.uniform(0.3, 0.7) * width
            self.reach_x = rng.uniform(0.22, 0.5) * width
        self.centre_y = rng.uniform(FLOOR[0] + 30, FLOOR[1] - 24) * unit
        self.reach_y = rng.uniform(0.05, 0.15) * spec.height
        self.sharpness = rng.uniform(0.1, 0.6)
        self.ratios = rng.uniform(1.3, 2.1), rng.uniform(0.6, 1.7)
        self.offsets = rng.uniform(0, 2 * np.pi, 3)
        self.unevenness = rng.uniform(0.1, 0.6)
        self.rhythm = rng.uniform(0.25, 0.5)
        self.height = spec.figure_height(self.centre_y)
        speed = spec.level.speed * rng.uniform(0.85, 1.2)
        self.pace = speed * ASPECT * self.height / self._length_per_radian()

    def _trace(self, angle: np.ndarray) -> np.ndarray:
        bend, drift = self.ratios
        wave = (1 - self.sharpness) * np.sin(angle + self.offsets[0])
        turn = self.sharpness * _zigzag(bend * angle + self.offsets[1])
        x = self.centre_x + self.reach_x * (wave + turn)
        y = self.centre_y + self.reach_y * np.sin(drift * angle + self.offsets[2])
        return np.stack([x, y], -1)

    def _length_per_radian(self) -> float:
        steps = np.linspace(0, 20 * np.pi, 4000)
        return np.linalg.norm(np.diff(self._trace(steps), axis=0), axis=1).sum() / steps[-1]

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """World px ``(T, 2)`` at ``time`` in frames ``(T,)``."""
        uneven = self.unevenness / self.rhythm * np.sin(self.rhythm * time + self.offsets.sum())
        return self._trace(self.pace * (time + uneven))


def walk(spec: SceneSpec) -> Walks:
    """Script the figures' motion. About a third of them are visitors, at least one."""
    rng = spec.rng(0)
    number = rng.integers(*spec.level.figures, endpoint=True)
    visitors = rng.permutation(np.arange(number) % 3 == 0)
    paths = [_Path(rng, spec, visitor) for visitor in visitors]
    builds = rng.uniform(0.94, 1.06, number)
    first_phases = rng.uniform(0, 2 * np.pi, number)

    time = np.arange(spec.length, dtype=np.float64)
    feet = np.stack([path(time) for path in paths], 1)
    velocity = np.stack([path(time + 0.05) - path(time - 0.05) for path in paths], 1) / 0.1
    speed = np.linalg.norm(velocity, axis=-1)
    heights = spec.figure_height(feet[..., 1]) * builds
    strides = 0.9 * np.array([path.height for path in paths])
    phases = first_phases + 2 * np.pi * (np.cumsum(speed, 0) - speed) / strides
    headings = velocity[..., 0] / np.maximum(speed, 1e-6)
    return Walks(feet, heights, phases, headings)


def film(spec: SceneSpec) -> Camera:
    """Script the camera: pan and zoom by slow sines, and shake."""
    rng, level = spec.rng(1), spec.level
    time = np.arange(spec.length, dtype=np.float64)
    rates, phases = 2 * np.pi / rng.uniform(35, 70, 3), rng.uniform(0, 2 * np.pi, 3)
    sway = np.sin(rates * time[:, None] + phases)
    shake = rng.normal(0, level.shake * spec.unit, (spec.length, 2))
    pan = level.pan * spec.width * sway[:, :2] * [1, 0.3]
    centres = np.array([spec.width, spec.height]) / 2 + pan + shake
    return Camera(centres, 1 + level.zoom * sway[:, 2])
