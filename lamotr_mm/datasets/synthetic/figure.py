"""Articulated people: outfits and how a walking figure is drawn."""

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from .scene import SceneSpec
from .sprite import Canvas, Colour, Sprite, shade

PATTERNS = ('plain', 'hoops', 'stripes', 'checks', 'dots', 'sash')
# px of a shirt's texture and the part of the figure it covers, in figure heights
_TEXTURE = (72, 60)
_SHIRT_WIDTH, _SHIRT_TOP = 0.36, -0.86
# points in figure heights -> image px, (n, 2)
Place = Callable[[list[tuple[float, float]]], np.ndarray]
_SKINS = ((135, 172, 224), (105, 145, 200), (75, 108, 160), (50, 72, 110), (155, 190, 238))
_HAIRS = ((30, 32, 38), (38, 60, 95), (70, 120, 180), (110, 112, 118), (25, 40, 62))


class Outfit(NamedTuple):
    """How a figure looks: BGR colours, the shirt as a texture ``(h, w, 4)`` uint8, body width
    factor.
    """

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    texture: np.ndarray
    girth: float
    cap: bool


def _vivid(
    rng: np.random.Generator, saturation: tuple[int, int], value: tuple[int, int]
) -> np.ndarray:
    hsv = [rng.integers(180), rng.integers(*saturation), rng.integers(*value)]
    return cv2.cvtColor(np.array([[hsv]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].astype(float)


def _shirt(shirt: np.ndarray, accent: np.ndarray, pattern: str, repeats: float) -> np.ndarray:
    """The texture of a shirt: a pattern, darker towards the sides so that the body looks round."""
    height, width = _TEXTURE
    v, u = np.mgrid[:height, :width].astype(np.float32)
    u, v = u / width, v / height
    row, column = (v * repeats) % 1 < 0.5, (u * repeats) % 1 < 0.5
    drawn = {
        'plain': np.zeros_like(row),
        'hoops': row,
        'stripes': column,
        'checks': row ^ column,
        'dots': ((v * repeats) % 1 - 0.5) ** 2 + ((u * repeats) % 1 - 0.5) ** 2 < 0.09,
        'sash': np.abs(u - v) < 0.14,
    }[pattern]
    texture = np.where(drawn[..., None], accent, shirt)
    texture = texture * (1.12 - 1.3 * np.abs(u - 0.46) ** 1.5)[..., None]
    opaque = np.full((height, width, 1), 255.0)
    return np.concatenate([texture, opaque], -1).clip(0, 255).astype(np.uint8)


def dress(spec: SceneSpec, number: int) -> list[Outfit]:
    """Outfits of ``number`` figures: as many kinds as the level has, each figure with its own
    slight deviation."""
    rng, level = spec.rng(2), spec.level
    kinds = []
    for kind in range(level.outfits):
        kinds.append(
            dict(
                shirt=_vivid(rng, (90, 230), (110, 245)),
                accent=_vivid(rng, (10, 200), (60, 255)),
                trousers=_vivid(rng, (20, 150), (40, 190)),
                shoes=_vivid(rng, (0, 60), (20, 230)),
                skin=np.array(_SKINS[rng.integers(len(_SKINS))], float),
                hair=np.array(_HAIRS[rng.integers(len(_HAIRS))], float),
                pattern=PATTERNS[(kind + rng.integers(len(PATTERNS))) % len(PATTERNS)],
                repeats=rng.uniform(3.5, 6.5),
                cap=rng.random() < 0.25,
            )
        )
    order = rng.permutation(level.outfits)
    return [
        _individual(rng, kinds[order[i % level.outfits]], level.colour_jitter)
        for i in range(number)
    ]


def _individual(rng: np.random.Generator, kind: dict, jitter: float) -> Outfit:
    def vary(name: str) -> np.ndarray:
        return (kind[name] + rng.normal(0, jitter, 3)).clip(0, 255)

    shirt = vary('shirt')
    repeats = kind['repeats'] * (1 + 0.01 * jitter * rng.uniform(-1, 1))
    return Outfit(
        skin=shade(vary('skin'), 1),
        hair=shade(vary('hair'), 1),
        shirt=shade(shirt, 1),
        trousers=shade(vary('trousers'), 1),
        shoes=shade(vary('shoes'), 1),
        texture=_shirt(shirt, vary('accent'), kind['pattern'], repeats),
        girth=rng.uniform(0.9, 1.12),
        cap=bool(kind['cap']),
    )


def draw_figure(
    outfit: Outfit, foot_x: float, foot_y: float, height: float, phase: float, heading: float
) -> Sprite:
    """Draw a walking figure.

    Args:
        foot_x, foot_y: image px of the point between the feet.
        height: image px from the ground to the top of the head.
        phase: of the gait in radians.
        heading: horizontal share of the velocity, -1 to 1; 0 walks towards the viewer.
    """
    left, top = math.floor(foot_x - 0.5 * height), math.floor(foot_y - 1.08 * height)
    canvas = Canvas(left, top, math.ceil(height) + 2, math.ceil(1.2 * height) + 2)
    facing, side = math.copysign(1, heading), abs(heading)
    bob = -0.012 * math.cos(2 * phase)

    def place(points: list[tuple[float, float]]) -> np.ndarray:
        return np.array(points) * (facing * height, height) + (foot_x, foot_y + bob * height)

    def leg(step: float, hip_x: float, tone: float) -> None:
        swing = (0.1 + 0.48 * side) * math.sin(step)
        knee_bend = (0.1 + 0.5 * side) * max(0.0, math.cos(step)) + 0.06
        hip = (hip_x, -0.47)
        knee = (hip[0] + 0.23 * math.sin(swing), hip[1] + 0.23 * math.cos(swing))
        shin = swing - knee_bend
        heel = (knee[0] + 0.22 * math.sin(shin), knee[1] + 0.22 * math.cos(shin))
        toe = (heel[0] + 0.02 + 0.05 * side, heel[1] + 0.012)
        thickness = 0.085 * outfit.girth * height
        canvas.limb(place([hip, knee, heel]), thickness, shade(outfit.trousers, tone))
        canvas.limb(place([heel, toe]), 0.055 * height, shade(outfit.shoes, tone))

    def arm(step: float, shoulder_x: float, tone: float) -> None:
        swing = (0.12 + 0.6 * side) * math.sin(step) + 0.25 * shoulder_x / 0.13 * (1 - side)
        shoulder = (shoulder_x, -0.79)
        elbow = (shoulder[0] + 0.16 * math.sin(swing), shoulder[1] + 0.16 * math.cos(swing))
        fore = swing + 0.15 + 0.45 * side
        hand = (elbow[0] + 0.15 * math.sin(fore), elbow[1] + 0.15 * math.cos(fore))
        canvas.limb(place([elbow, hand]), 0.045 * height, shade(outfit.skin, tone))
        canvas.limb(place([shoulder, elbow]), 0.068 * height, shade(outfit.shirt, tone))

    hips, shoulders = 0.05 * (1 - side) + 0.012, (0.13 - 0.06 * side) * outfit.girth
    arm(phase, -shoulders, 0.72)
    leg(phase + math.pi, -hips, 0.72)
    leg(phase, hips, 1.0)
    _draw_torso(canvas, outfit, place, side, height)
    _draw_head(canvas, outfit, place, side, facing, height)
    arm(phase + math.pi, shoulders * (1 - 0.7 * side), 0.94)
    return canvas.finish()


def _draw_torso(canvas: Canvas, outfit: Outfit, place: Place, side: float, height: float) -> None:
    chest = (0.145 - 0.035 * side) * outfit.girth
    waist = 0.8 * chest
    outline = [(-0.06, -0.85), (0.06, -0.85), (chest, -0.8), (chest, -0.72), (waist, -0.56)]
    outline += [(waist * 1.08, -0.43), (-waist * 1.08, -0.43), (-waist, -0.56)]
    outline += [(-chest, -0.72), (-chest, -0.8)]
    canvas.limb(place([(0, -0.84), (0, -0.9)]), 0.07 * height, shade(outfit.skin, 0.85))
    centre_x, _ = place([(0, 0)])[0]
    corner = (centre_x - _SHIRT_WIDTH / 2 * height, place([(0, _SHIRT_TOP)])[0][1])
    scale = _SHIRT_WIDTH * height / _TEXTURE[1]
    canvas.textured_polygon(place(outline), outfit.texture, corner, scale)


def _draw_head(
    canvas: Canvas, outfit: Outfit, place: Place, side: float, facing: float, height: float
) -> None:
    centre = place([(0.015 * side, -0.925)])[0]
    canvas.ellipse(centre, (0.062 * height, 0.074 * height), outfit.skin)
    crown = place([(-0.004 * side, -0.935)])[0]
    back = 40 * side
    angles = (180 - back, 360) if facing > 0 else (180, 360 + back)
    if not outfit.cap:
        canvas.ellipse(crown, (0.066 * height, 0.072 * height), outfit.hair, angles)
        return
    canvas.ellipse(crown, (0.068 * height, 0.072 * height), outfit.shirt, (180, 360))
    canvas.limb(place([(0.03, -0.94), (0.05 + 0.06 * side, -0.935)]), 0.025 * height, outfit.shirt)
