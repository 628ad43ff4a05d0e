"""Drawing with supersampling: shapes in fractional px on a small BGRA canvas."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike

Colour = tuple[int, int, int]

# shapes are drawn enlarged by this factor and then averaged down
OVERSAMPLING = 3
# OpenCV takes coordinates as fixed-point integers with this many fractional bits
_SHIFT = 4


class Sprite(NamedTuple):
    """A piece of picture with its place.

    Attributes:
        bgra: ``(h, w, 4)`` uint8, colours premultiplied by alpha.
        left, top: px of its corner in the image or the world.
    """

    bgra: np.ndarray
    left: int
    top: int

    @property
    def mask(self) -> np.ndarray:
        """Px that belong to the thing: at least half covered, ``(h, w)`` bool."""
        return self.bgra[..., 3] >= 128


def shade(colour: Sequence[float] | np.ndarray, factor: float) -> Colour:
    """A lighter or darker colour."""
    blue, green, red = (int(min(max(channel * factor, 0), 255)) for channel in colour)
    return blue, green, red


class Canvas:
    """Shapes with coordinates in px of the finished sprite's surroundings.

    Args:
        left, top: integer px of the canvas corner.
        width, height: in px.
    """

    def __init__(self, left: int, top: int, width: int, height: int) -> None:
        self.left, self.top = left, top
        shape = (height * OVERSAMPLING, width * OVERSAMPLING)
        self.bgra = np.zeros((*shape, 4), np.uint8)

    def _fixed(self, points: ArrayLike) -> np.ndarray:
        # a px centre is at .5 for us and at 0 for OpenCV
        place = (np.asarray(points, float) - (self.left, self.top)) * OVERSAMPLING - 0.5
        return np.rint(place * (1 << _SHIFT)).astype(np.int32)

    def polygon(self, points: ArrayLike, colour: Colour) -> None:
        """Fill ``points (n, 2)``."""
        cv2.fillPoly(self.bgra, [self._fixed(points)], (*colour, 255), shift=_SHIFT)

    def limb(self, points: ArrayLike, thickness: float, colour: Colour) -> None:
        """A line through ``points (n, 2)`` with round ends."""
        width = max(1, round(thickness * OVERSAMPLING))
        cv2.polylines(self.bgra, [self._fixed(points)], False, (*colour, 255), width, shift=_SHIFT)

    def ellipse(
        self,
        centre: Sequence[float],
        axes: Sequence[float],
        colour: Colour,
        angles: tuple[float, float] = (0, 360),
    ) -> None:
        """Fill an ellipse, or a sector between ``angles`` in degrees, clockwise from the right."""
        middle = tuple(int(value) for value in self._fixed(centre))
        radii = tuple(round(axis * OVERSAMPLING * (1 << _SHIFT)) for axis in axes)
        cv2.ellipse(self.bgra, middle, radii, 0, *angles, (*colour, 255), -1, shift=_SHIFT)

    def textured_polygon(
        self, points: ArrayLike, texture: np.ndarray, corner: Sequence[float], scale: float
    ) -> None:
        """Fill ``points (n, 2)`` from ``texture (h, w, 4)`` whose corner lies at ``corner`` and of
        which one px covers ``scale`` px."""
        inside = np.zeros(self.bgra.shape[:2], np.uint8)
        cv2.fillPoly(inside, [self._fixed(points)], (255,), shift=_SHIFT)
        zoom = scale * OVERSAMPLING
        x, y = (np.asarray(corner, float) - (self.left, self.top)) * OVERSAMPLING
        # OpenCV's px centres are integers on both sides
        matrix = np.array([[zoom, 0, x + zoom / 2 - 0.5], [0, zoom, y + zoom / 2 - 0.5]])
        size = self.bgra.shape[1::-1]
        drawn = cv2.warpAffine(texture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        cv2.copyTo(drawn, inside, self.bgra)

    def finish(self) -> Sprite:
        """Average down; averaged colours are premultiplied, since nothing is black and clear."""
        height, width = (side // OVERSAMPLING for side in self.bgra.shape[:2])
        small = cv2.resize(self.bgra, (width, height), interpolation=cv2.INTER_AREA)
        return Sprite(small, self.left, self.top)


def noise(rng: np.random.Generator, height: int, width: int, cells: Sequence[int]) -> np.ndarray:
    """Cloudy texture: smooth random fields of several grains, ``(height, width)`` float32, about
    -1..1.

    Args:
        cells: number of cells over the height, one a grain.
    """
    total = np.zeros((height, width), np.float32)
    for number in cells:
        shape = (number, max(2, round(number * width / height)))
        grid = rng.uniform(-1, 1, shape).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total / len(cells) ** 0.5
