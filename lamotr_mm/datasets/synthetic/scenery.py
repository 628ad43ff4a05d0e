"""Textured surroundings: the backdrop, and static things in the foreground that hide figures."""

from typing import NamedTuple

import cv2
import numpy as np

from .scene import FLOOR, SceneSpec
from .sprite import Canvas, Sprite, noise, shade

# how far the backdrop reaches beyond the image at rest, as a share of its longer side
MARGIN = 0.25
# where the floor meets the wall, in px at REFERENCE_HEIGHT
_HORIZON = FLOOR[0] - 30
_FLOOR_SIDE = 512


class Occluder(NamedTuple):
    """A static thing in the world.

    Attributes:
        sprite: drawn at zoom 1, placed in world px.
        foot_y: world px where it stands; figures whose feet are above (farther) are behind it.
    """

    sprite: Sprite
    foot_y: float


def _tint(rng: np.random.Generator, base: tuple[int, int, int], spread: float) -> np.ndarray:
    return np.clip(np.array(base) + rng.normal(0, spread, 3), 20, 235)


def _paint(colour: np.ndarray, light: np.ndarray) -> np.ndarray:
    """``colour`` BGR times ``1 + light (h, w)`` -> ``(h, w, 3)`` uint8."""
    return (colour * (1 + light[..., None])).clip(0, 255).astype(np.uint8)


def _bricks(
    rng: np.random.Generator, height: int, width: int, rows: int, grain: float
) -> np.ndarray:
    """Light of rows of blocks, every other row shifted, each block a little different."""
    columns = max(2, round(rows * width / height / 2.2))
    blocks = rng.normal(0, grain, (rows, columns)).astype(np.float32)
    y, x = np.arange(height) * rows / height, np.arange(width) * columns / width
    shifted = x[None] + 0.5 * (y.astype(int)[:, None] % 2)
    light = blocks[y.astype(int)[:, None], shifted.astype(int) % columns]
    joint = ((y % 1) < 0.1)[:, None] | (shifted % 1 < 0.05)
    return np.where(joint, -0.22, light)


def _floor_texture(rng: np.random.Generator) -> np.ndarray:
    """The floor seen from above, ``(side, side, 3)`` uint8."""
    side = _FLOOR_SIDE
    kind = rng.choice(['tiles', 'grass', 'asphalt', 'planks'])
    grain = 0.5 * rng.normal(0, 0.12, (side, side)).astype(np.float32)
    grain += 0.13 * noise(rng, side, side, (5, 17, 60))
    if kind == 'tiles':
        return _paint(_tint(rng, (130, 140, 150), 18), grain + _bricks(rng, side, side, 22, 0.07))
    if kind == 'grass':
        mown = 0.07 * np.sign(np.sin(np.arange(side) * rng.uniform(0.05, 0.1)))
        return _paint(_tint(rng, (60, 125, 85), 12), 1.5 * grain + mown)
    if kind == 'planks':
        return _paint(_tint(rng, (95, 140, 180), 12), grain + _bricks(rng, side, side, 30, 0.09))
    floor = _paint(_tint(rng, (110, 110, 112), 10), 1.3 * grain)
    for _ in range(rng.integers(2, 5)):
        start, end = rng.integers(0, side, 2), rng.integers(0, side, 2)
        cv2.line(floor, start.tolist(), end.tolist(), (205, 210, 210), 5, cv2.LINE_AA)
    return floor


def _building(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    light = _bricks(rng, height, width, max(6, height // 7), 0.06)
    wall = _paint(
        _tint(rng, (110, 125, 160), 22), light + 0.05 * noise(rng, height, width, (4, 20))
    )
    step, glass, frame = width // 9, _tint(rng, (120, 100, 70), 20), _tint(rng, (190, 195, 200), 20)
    for left in range(step // 3, width, step):
        corner, size = (left, int(height * 0.35)), (int(step * 0.45), int(height * 0.33))
        end = (corner[0] + size[0], corner[1] + size[1])
        cv2.rectangle(wall, corner, end, shade(frame, 1), -1)
        inner = (corner[0] + 2, corner[1] + 2), (end[0] - 2, end[1] - 2)
        cv2.rectangle(wall, *inner, shade(glass, rng.uniform(0.7, 1.4)), -1)
        cv2.line(
            wall, (left + size[0] // 2, corner[1]), (left + size[0] // 2, end[1]), shade(frame, 1)
        )
    return wall


def _grove(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    ramp = np.linspace(0.1, -0.05, height, dtype=np.float32)[:, None]
    sky = _paint(_tint(rng, (215, 190, 165), 12), ramp + 0.04 * noise(rng, height, width, (3, 8)))
    leaves = _tint(rng, (60, 100, 70), 14)
    for y in np.linspace(0.5, 0.95, 4):
        for x in rng.uniform(0, width, width // 22):
            radius = int(rng.uniform(0.12, 0.26) * height)
            tone = shade(leaves, rng.uniform(0.7, 1.15) * (0.8 + 0.3 * y))
            cv2.circle(sky, (int(x), int(y * height)), radius, tone, -1, cv2.LINE_AA)
    light = 0.16 * noise(rng, height, width, (14, 40, height // 2))
    return (sky * (1 + light[..., None])).clip(0, 255).astype(np.uint8)


def _hoardings(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    wall = _paint(_tint(rng, (120, 120, 125), 25), 0.1 * noise(rng, height, width, (3, 12, 50)))
    top, left = int(0.62 * height), 0
    while left < width:
        right = left + int(rng.uniform(0.1, 0.22) * width)
        colour = _tint(rng, (125, 125, 125), 60)
        cv2.rectangle(wall, (left, top), (right - 2, height - 4), shade(colour, 1), -1)
        for _ in range(3):
            x = int(rng.uniform(left + 4, right - 4))
            radius = int(rng.uniform(3, 0.13 * height))
            centre = (x, int(0.8 * height))
            cv2.circle(wall, centre, radius, shade(_tint(rng, (125, 125, 125), 70), 1), -1)
        left = right
    return wall


def draw_backdrop(spec: SceneSpec) -> tuple[np.ndarray, int]:
    """Draw wall and floor.

    Returns:
        The picture ``(h, w, 3)`` uint8 BGR, and its margin in px: its corner lies at world
        ``(-margin, -margin)``.
    """
    rng = spec.rng(3)
    margin = round(MARGIN * max(spec.height, spec.width))
    height, width = spec.height + 2 * margin, spec.width + 2 * margin
    horizon = margin + round(_HORIZON * spec.unit)
    picture = np.empty((height, width, 3), np.uint8)

    walls = (_building, _grove, _hoardings)
    picture[:horizon] = walls[rng.integers(len(walls))](rng, horizon, width)
    side, depth = _FLOOR_SIDE, height - horizon
    seen = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    far, near = 0.05 * width, 0.7 * width
    corners = [[-far, 0], [width + far, 0], [width + near, depth], [-near, depth]]
    laid = np.array(corners, np.float32)
    matrix = cv2.getPerspectiveTransform(seen, laid)
    texture = _floor_texture(rng)
    picture[horizon:] = cv2.warpPerspective(texture, matrix, (width, depth), flags=cv2.INTER_AREA)
    # a soft shadow where the wall stands
    fade = np.linspace(0.7, 1, max(2, depth // 12))[:, None, None]
    strip = picture[horizon : horizon + len(fade)]
    strip[:] = (strip * fade).astype(np.uint8)
    return picture, margin


def _pillar(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    half, top = rng.uniform(0.2, 0.26) * size, y - 1.5 * size
    colour = _tint(rng, (135, 140, 145), 25)
    for k in range(8):  # strips from light to dark make it round
        left, right = x + half * (k / 4 - 1), x + half * ((k + 1) / 4 - 1) + 0.5
        tone = 1.15 - 0.09 * abs(k - 2.2)
        canvas.polygon([(left, top), (right, top), (right, y), (left, y)], shade(colour, tone))
    for edge, tall in ((y, 0.1), (top + 0.08 * size, 0.08)):
        wide = 1.25 * half
        block = [(x - wide, edge - tall * size), (x + wide, edge - tall * size)]
        canvas.polygon([*block, (x + wide, edge), (x - wide, edge)], shade(colour, 0.85))


def _bush(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    colour = _tint(rng, (55, 105, 70), 14)
    wide, tall = rng.uniform(0.36, 0.5) * size, rng.uniform(0.75, 1.0) * size
    for k in range(110):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1) ** 0.5
        at_y = y - tall * (0.5 + 0.42 * distance * np.sin(angle))
        spot = (x + 0.85 * wide * distance * np.cos(angle), at_y)
        radius = size * rng.uniform(0.05, 0.14) * (1 - k / 180)
        tone = rng.uniform(0.75, 1.2) * (1.15 - 0.45 * (at_y - y + tall) / tall)
        canvas.ellipse(spot, (radius, radius), shade(colour, tone))


def _tree(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    bark = _tint(rng, (60, 80, 105), 12)
    trunk = [(x - 0.09 * size, y), (x - 0.05 * size, y - size), (x + 0.05 * size, y - size)]
    canvas.polygon([*trunk, (x + 0.1 * size, y)], shade(bark, 1))
    canvas.limb(
        [(x + 0.03 * size, y - 0.05 * size), (x + 0.02 * size, y - size)], 2, shade(bark, 0.7)
    )
    _bush(canvas, rng, x, y - 0.5 * size, 1.05 * size)


def _board(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    half, top, foot = rng.uniform(0.3, 0.4) * size, y - 1.2 * size, y - 0.08 * size
    colour, accent = _tint(rng, (130, 130, 130), 60), _tint(rng, (130, 130, 130), 70)
    for post in (x - 0.8 * half, x + 0.8 * half):
        canvas.limb([(post, foot), (post, y)], 0.06 * size, (60, 60, 62))
    frame = [(x - half, top), (x + half, top), (x + half, foot), (x - half, foot)]
    canvas.polygon(frame, (52, 54, 58))
    inner, edge = 0.9 * half, 0.05 * size
    panel = [(x - inner, top + edge), (x + inner, top + edge), (x + inner, foot - edge)]
    canvas.polygon([*panel, (x - inner, foot - edge)], shade(colour, 1))
    canvas.ellipse((x, y - 0.85 * size), (0.5 * inner, 0.5 * inner), shade(accent, 1))
    for line in range(3):
        at_y = y - (0.5 - 0.1 * line) * size
        end = x + inner * rng.uniform(0.2, 0.75)
        canvas.limb([(x - 0.75 * inner, at_y), (end, at_y)], 0.04 * size, shade(accent, 0.8))


def place_occluders(spec: SceneSpec) -> list[Occluder]:
    """Draw the level's pillars, bushes, trees and boards, spread over the image's width."""
    rng = spec.rng(4)
    number = rng.integers(*spec.level.occluders, endpoint=True)
    kinds = (_pillar, _bush, _tree, _board)
    columns = (rng.permutation(number) + rng.uniform(0.15, 0.85, number)) / number
    occluders = []
    for column in columns:
        foot_y = rng.uniform(0.72, 0.97) * spec.height
        size, x = float(spec.figure_height(foot_y)), column * spec.width
        left, top = int(x - 0.75 * size), int(foot_y - 1.75 * size)
        canvas = Canvas(left, top, int(1.5 * size) + 1, int(1.8 * size) + 1)
        kinds[rng.integers(len(kinds))](canvas, rng, x, foot_y, size)
        occluders.append(Occluder(_grained(canvas.finish(), rng), foot_y))
    return occluders


def _grained(sprite: Sprite, rng: np.random.Generator) -> Sprite:
    """Add fine texture to flat colours."""
    height, width = sprite.bgra.shape[:2]
    light = 1 + 0.07 * noise(rng, height, width, (max(2, height // 6), max(2, height // 2)))
    sprite.bgra[..., :3] = (sprite.bgra[..., :3] * light[..., None]).clip(0, sprite.bgra[..., 3:])
    return sprite
