"""Frames of a synthetic video, with ground truth taken from the pixels drawn."""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from .figure import draw_figure, dress
from .scene import SceneSpec, film, walk
from .scenery import draw_backdrop, place_occluders
from .sprite import Sprite

# A figure of which a smaller share is seen is absent from the ground truth of the frame.
MIN_VISIBILITY = 0.1
# scenes kept by each process, about 1 MB each at 256x320
_SCENES_KEPT = 128
_GRAIN_SIDE = 64


class Layer(NamedTuple):
    """One thing of a frame; later layers hide earlier ones.

    Attributes:
        sprite: in image px, may reach beyond the image.
        instance_id: of a figure, from 1; 0 for things of the foreground.
    """

    sprite: Sprite
    instance_id: int


class Frame(NamedTuple):
    """A frame and its ``n`` targets, in the order of their ids.

    Attributes:
        image: ``(height, width, 3)`` uint8 BGR.
        boxes_xyxy: ``(n, 4)`` float32 px: the whole figure, hidden parts included, clipped to the
            image.
        instance_ids: ``(n,)`` int64 from 1, the same figure's throughout the video.
        visibility: ``(n,)`` float32: pixels seen in the image over pixels of the whole figure.
    """

    image: np.ndarray
    boxes_xyxy: np.ndarray
    instance_ids: np.ndarray
    visibility: np.ndarray


def box_of(sprite: Sprite) -> tuple[int, int, int, int]:
    """Tight box xyxy in px around the sprite's mask (which must not be empty), not clipped."""
    rows, columns = np.flatnonzero(sprite.mask.any(1)), np.flatnonzero(sprite.mask.any(0))
    return (
        int(sprite.left + columns[0]),
        int(sprite.top + rows[0]),
        int(sprite.left + columns[-1] + 1),
        int(sprite.top + rows[-1] + 1),
    )


class SyntheticScene:
    """A video that is drawn frame by frame, in any order.

    Args:
        spec: what identifies the video.
    """

    def __init__(self, spec: SceneSpec) -> None:
        self.spec = spec
        self.walks = walk(spec)
        self.camera = film(spec)
        self.outfits = dress(spec, self.walks.feet.shape[1])
        self.occluders = place_occluders(spec)
        self.backdrop, self.margin = draw_backdrop(spec)
        grain_shape = (spec.height + _GRAIN_SIDE, spec.width + _GRAIN_SIDE, 3)
        self.grain = spec.rng(5).integers(-4, 5, grain_shape, dtype=np.int16)

    @property
    def num_figures(self) -> int:
        """Figures in the whole video; at least one."""
        return len(self.outfits)

    def layers(self, index: int) -> list[Layer]:
        """Figures and foreground of frame ``index``, the farthest first (by where they stand).

        Raises:
            IndexError: if the video has no such frame.
        """
        if not 0 <= index < self.spec.length:
            raise IndexError(
                f'frame {index} of synthetic video {self.spec.seed}: it has frames 0 to '
                f'{self.spec.length - 1}'
            )
        placed = [
            (foot_y, Layer(self._figure(index, k), k + 1))
            for k, foot_y in enumerate(self.walks.feet[index, :, 1])
        ]
        placed += [
            (thing.foot_y, Layer(self._seen(thing.sprite, index), 0)) for thing in self.occluders
        ]
        return [layer for _, layer in sorted(placed, key=lambda pair: pair[0])]

    def render(self, index: int) -> Frame:
        """Draw frame ``index``; raises IndexError as :meth:`layers`."""
        spec, layers = self.spec, self.layers(index)
        image = self._surroundings(index)
        owner = np.zeros(image.shape[:2], np.uint8)
        for layer in layers:
            _paste(image, owner, layer)
        seen = np.bincount(owner.ravel(), minlength=self.num_figures + 1)
        targets = []
        for sprite, instance_id in sorted(layers, key=lambda layer: layer.instance_id):
            if instance_id == 0:
                continue
            visibility = seen[instance_id] / np.count_nonzero(sprite.mask)
            if visibility >= MIN_VISIBILITY:
                box = np.clip(box_of(sprite), 0, [spec.width, spec.height] * 2)
                targets.append((box, instance_id, visibility))
        boxes, ids, visibilities = zip(*targets) if targets else ((), (), ())
        return Frame(
            self._grainy(image, index),
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(ids, np.int64),
            np.array(visibilities, np.float32),
        )

    def _to_image(self, index: int, point: np.ndarray) -> np.ndarray:
        middle = np.array([self.spec.width, self.spec.height]) / 2
        return self.camera.zooms[index] * (point - self.camera.centres[index]) + middle

    def _figure(self, index: int, k: int) -> Sprite:
        foot_x, foot_y = self._to_image(index, self.walks.feet[index, k])
        height = self.walks.heights[index, k] * self.camera.zooms[index]
        phase, heading = self.walks.phases[index, k], self.walks.headings[index, k]
        return draw_figure(self.outfits[k], foot_x, foot_y, height, phase, heading)

    def _seen(self, sprite: Sprite, index: int) -> Sprite:
        """A sprite in the world as the camera sees it."""
        zoom = self.camera.zooms[index]
        corner = self._to_image(index, np.array([sprite.left, sprite.top]))
        left, top = np.floor(corner).astype(int)
        size = np.ceil(np.array(sprite.bgra.shape[1::-1]) * zoom).astype(int) + 1
        matrix = _affine(zoom, corner - (left, top))
        return Sprite(cv2.warpAffine(sprite.bgra, matrix, size.tolist()), int(left), int(top))

    def _surroundings(self, index: int) -> np.ndarray:
        spec = self.spec
        corner = self._to_image(index, np.array([-self.margin, -self.margin]))
        matrix = _affine(self.camera.zooms[index], corner)
        size = (spec.width, spec.height)
        image = cv2.warpAffine(self.backdrop, matrix, size, borderMode=cv2.BORDER_REFLECT)
        for k in range(self.num_figures):
            foot = self._to_image(index, self.walks.feet[index, k])
            _cast_shadow(image, foot, self.walks.heights[index, k] * self.camera.zooms[index])
        return image

    def _grainy(self, image: np.ndarray, index: int) -> np.ndarray:
        """Sensor noise: the same grain for each frame, but moved."""
        y, x = (index * 37) % _GRAIN_SIDE, (index * 23) % _GRAIN_SIDE
        grain = self.grain[y : y + self.spec.height, x : x + self.spec.width]
        return cv2.add(image, grain, dtype=cv2.CV_8U)


def _affine(zoom: float, corner: np.ndarray) -> np.ndarray:
    """Source px -> px, where the source's corner goes to ``corner``. Our px corners are integers,
    OpenCV's px centres are."""
    shift = zoom / 2 - 0.5
    return np.array([[zoom, 0, corner[0] + shift], [0, zoom, corner[1] + shift]])


def _overlap(image: np.ndarray, left: int, top: int, shape: tuple[int, int]) -> tuple | None:
    """Slices of the image and of a piece placed at ``(left, top)``; None where they don't meet."""
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + shape[1], image.shape[1]), min(top + shape[0], image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return None
    piece = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    return (slice(y0, y1), slice(x0, x1)), piece


def _paste(image: np.ndarray, owner: np.ndarray, layer: Layer) -> None:
    """Blend a layer into ``image`` and note whose the pixels are in ``owner``."""
    sprite = layer.sprite
    found = _overlap(image, sprite.left, sprite.top, sprite.bgra.shape[:2])
    if found is None:
        return
    there, here = found
    piece = sprite.bgra[here]
    clear = 255 - piece[..., 3:].astype(np.uint16)
    image[there] = ((image[there] * clear + 127) // 255 + piece[..., :3]).clip(max=255)
    owner[there][piece[..., 3] >= 128] = layer.instance_id


def _cast_shadow(image: np.ndarray, foot: np.ndarray, height: float) -> None:
    """Darken the floor around the feet."""
    half_x, half_y = max(2, int(0.24 * height)), max(1, int(0.07 * height))
    left, top = int(foot[0]) - half_x, int(foot[1]) - half_y
    found = _overlap(image, left, top, (2 * half_y + 1, 2 * half_x + 1))
    if found is None:
        return
    there, here = found
    y = np.linspace(-1, 1, 2 * half_y + 1)[:, None]
    x = np.linspace(-1, 1, 2 * half_x + 1)[None]
    light = 1 - 0.5 * np.clip(1 - x**2 - y**2, 0, 1)
    image[there] = (image[there] * light[here][..., None]).astype(np.uint8)


@lru_cache(maxsize=_SCENES_KEPT)
def get_scene(spec: SceneSpec) -> SyntheticScene:
    """The scene of a spec; recent ones are kept by the process."""
    return SyntheticScene(spec)
