"""Boxes, identities and trails on frames, fast enough for video.

mmdet's TrackLocalVisualizer draws with Matplotlib: 48 ms for five boxes on a 768x576 frame (growing
with boxes and size), ten colours, no trails. OpenCV takes 1-2 ms.
"""

import colorsys
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

# Okabe and Ito's colours, told apart with every kind of colour blindness (without black); RGB
BASE_COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
# lightness of the first seven ids, the next seven, and so on
LIGHTNESS = (1.0, 1.35, 0.7)
MIN_TEXT = 10  # px; smaller text can't be read

Point = tuple[int, int]
Colour = tuple[int, int, int]  # BGR


def colour_of(track_id: int) -> tuple[int, int, int]:
    """BGR colour of a track: the same in every frame and run; 21 of them, neighbours far apart."""
    turn, place = divmod(int(track_id), len(BASE_COLOURS))
    red, green, blue = (channel / 255 for channel in BASE_COLOURS[place])
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    lightness = min(lightness * LIGHTNESS[turn % len(LIGHTNESS)], 0.85)
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return round(blue * 255), round(green * 255), round(red * 255)


def draw_tracks(
    image_bgr: np.ndarray,
    boxes_xyxy: np.ndarray,
    ids: np.ndarray,
    scores: np.ndarray | None = None,
    trails: Mapping[int, Sequence[tuple[float, float]]] | None = None,
) -> np.ndarray:
    """Draws one frame's tracks: a box and a label in the colour of the id, and a trail behind.

    Args:
        image_bgr: ``(H, W, 3)`` uint8; stays as it is.
        boxes_xyxy: ``(N, 4)`` px; may reach beyond the image.
        ids: ``(N,)`` integers.
        scores: ``(N,)`` probabilities, shown behind the id. Default: only the id.
        trails: past points (x, y) in px of each id, oldest first. Default: none.

    Returns:
        ``(H, W, 3)`` uint8, a drawn copy.

    Raises:
        ValueError: lengths differ, or a box is not finite.
    """
    boxes_xyxy = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    ids = np.asarray(ids).reshape(-1)
    if len(ids) != len(boxes_xyxy) or (scores is not None and len(scores) != len(ids)):
        raise ValueError(
            f'{len(boxes_xyxy)} boxes, {len(ids)} ids'
            + ('' if scores is None else f', {len(scores)} scores')
            + ': one of each per track'
        )
    if not np.isfinite(boxes_xyxy).all():
        broken = ids[~np.isfinite(boxes_xyxy).all(1)][0]
        raise ValueError(f'the box of track {broken} is not finite')
    image = np.ascontiguousarray(image_bgr).copy()
    for track_id, points in (trails or {}).items():
        _draw_trail(image, points, colour_of(track_id), line_width(image))
    texts = [str(track_id) for track_id in ids]
    if scores is not None:
        texts = [f'{text}  {score:.2f}' for text, score in zip(texts, scores)]
    return draw_boxes(image, boxes_xyxy, [colour_of(track_id) for track_id in ids], texts)


def draw_boxes(
    image_bgr: np.ndarray,
    boxes_xyxy: np.ndarray,
    colours: Sequence[tuple[int, int, int]],
    texts: Sequence[str],
    dashed: np.ndarray | None = None,
) -> np.ndarray:
    """Draws boxes and their labels.

    Args:
        image_bgr: ``(H, W, 3)`` uint8; stays as it is.
        boxes_xyxy: ``(N, 4)`` px, finite; may reach beyond the image.
        colours: BGR of each box.
        texts: label of each box, '' for none.
        dashed: ``(N,)`` bool, boxes with interrupted lines, behind the others. Default: none.

    Returns:
        ``(H, W, 3)`` uint8, a drawn copy.
    """
    image = np.ascontiguousarray(image_bgr).copy()
    width = line_width(image)
    dashed = np.zeros(len(boxes_xyxy), dtype=bool) if dashed is None else dashed
    # dashed ones behind the others; far to near: lower boxes are in front, their labels must stay
    # legible
    order = np.lexsort((boxes_xyxy[:, 3], ~dashed))
    corners = [_corners(boxes_xyxy[index], image.shape) for index in order]
    for index, (first, second) in zip(order, corners):
        if dashed[index]:
            _draw_dashed(image, first, second, colours[index], max(2, width))
            continue
        if width > 1:  # on a small image the outline would outweigh the colour
            cv2.rectangle(image, first, second, (30, 30, 30), width + 2)
        cv2.rectangle(image, first, second, colours[index], max(2, width))
    for index, (first, _) in zip(order, corners):
        if texts[index]:
            label = _label(texts[index], colours[index], max(MIN_TEXT, 6 * width + 2))
            _paste_label(image, label, first, width)
    return image


def put_caption(image_bgr: np.ndarray, text: str) -> np.ndarray:
    """A copy of ``image_bgr``, ``(H, W, 3)`` uint8, with white text on black, top left."""
    image = image_bgr.copy()
    put_label(image, text, (0, 0, 0), (0, 0))
    return image


def put_label(
    image_bgr: np.ndarray, text: str, colour: tuple[int, int, int], corner: tuple[int, int]
) -> None:
    """Writes text on a patch of a BGR colour into ``image_bgr``, ``(H, W, 3)`` uint8, above the
    point ``corner``, (x, y) px; below it where there is no room above.
    """
    _paste_label(image_bgr, _label(text, colour, 13), corner, 0)


def line_width(image: np.ndarray) -> int:
    """Width of lines in px that suits the image's size: 2 for 768x576, 3 for 1920x1080."""
    return max(1, round(min(image.shape[:2]) / 360 + 0.3))


class TrackPainter:
    """Draws frame after frame and remembers the trails, which follow the boxes' bottom centres.

    Args:
        trail_frames: frames that a trail reaches back.
    """

    def __init__(self, trail_frames: int = 30) -> None:
        self.trail_frames = trail_frames
        self._trails: dict[int, deque] = {}

    def __call__(
        self,
        image_bgr: np.ndarray,
        boxes_xyxy: np.ndarray,
        ids: np.ndarray,
        scores: np.ndarray | None = None,
    ) -> np.ndarray:
        """The next frame, drawn; see :func:`draw_tracks`."""
        boxes_xyxy = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
        now = {int(i): ((x1 + x2) / 2, y2) for i, (x1, _, x2, y2) in zip(ids, boxes_xyxy)}
        for track_id in now.keys() - self._trails.keys():
            self._trails[track_id] = deque(maxlen=self.trail_frames)
        for track_id, trail in list(self._trails.items()):
            # a gap is remembered as None, so that trails end and no line jumps over it
            trail.append(now.get(track_id))
            if not any(trail):
                del self._trails[track_id]
        runs = {track_id: _last_run(self._trails[track_id]) for track_id in now}
        return draw_tracks(image_bgr, boxes_xyxy, ids, scores, runs)


def _last_run(trail: deque) -> list[tuple[float, float]]:
    points = list(trail)
    gaps = [index for index, point in enumerate(points) if point is None]
    return points[gaps[-1] + 1 :] if gaps else points


def _corners(box: np.ndarray, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corners in whole px, at most just outside the image (OpenCV overflows on huge values)."""
    height, width = shape[:2]
    x1, y1, x2, y2 = np.clip(box, -8, [width + 8, height + 8] * 2).round().astype(int).tolist()
    return (x1, y1), (x2, y2)


def _draw_dashed(
    image: np.ndarray, first: Point, second: Point, colour: Colour, thickness: int
) -> None:
    """A box of dashes; `first` and `second` are opposite corners."""
    (x1, y1), (x2, y2) = first, second
    dash = 4 * thickness
    for x in range(x1, x2, 2 * dash):
        for y in (y1, y2):
            cv2.line(image, (x, y), (min(x + dash, x2), y), colour, thickness)
    for y in range(y1, y2, 2 * dash):
        for x in (x1, x2):
            cv2.line(image, (x, y), (x, min(y + dash, y2)), colour, thickness)


def _draw_trail(image: np.ndarray, points: ArrayLike, colour: Colour, width: int) -> None:
    """Tapering, fading line; the newest end is full."""
    limit = 2.0 * max(image.shape[:2])
    clipped = np.clip(np.asarray(points, dtype=np.float64).reshape(-1, 2), -limit, limit)
    steps_at = np.round(clipped * 8).astype(int)  # 3 fractional bits: smooth at slow motion
    steps = len(steps_at) - 1
    for step in range(steps):
        age = (step + 1) / steps
        thickness = max(1, round((width + 1) * age))
        first, second = steps_at[step].tolist(), steps_at[step + 1].tolist()
        cv2.line(image, first, second, colour, thickness, cv2.LINE_AA, shift=3)


@lru_cache(maxsize=512)
def _label(text: str, colour: tuple[int, int, int], size: int) -> np.ndarray:
    """``(h, w, 3)`` uint8 BGR: text in black or white, whichever contrasts, on the colour."""
    font = _font(size)
    left, _, right, _ = font.getbbox(text)
    top, bottom = font.getbbox('0')[1::2]  # digits' height, so that all labels are equally high
    pad = max(2, size // 4)
    area = (int(right - left) + 2 * pad, int(bottom - top) + 2 * pad)
    patch = Image.new('RGB', area, colour[::-1])
    blue, green, red = colour
    ink = (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 115 else (255, 255, 255)
    ImageDraw.Draw(patch).text((pad - left, pad - top), text, font=font, fill=ink)
    return np.asarray(patch)[..., ::-1]


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Matplotlib, which mmengine needs, brings this font along
    file = Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans-Bold.ttf')
    return ImageFont.truetype(str(file), size)


def _paste_label(image: np.ndarray, patch: np.ndarray, corner: Point, width: int) -> None:
    """Puts the label on top of the box, or inside where there is no room above the box."""
    height, length = patch.shape[:2]
    x, y = corner[0] - width // 2, corner[1] - height - width // 2
    if y < 0:
        y = corner[1] + width
    x = int(np.clip(x, 0, max(0, image.shape[1] - length)))
    y = int(np.clip(y, 0, max(0, image.shape[0] - height)))
    region = image[y : y + height, x : x + length]
    region[:] = patch[: region.shape[0], : region.shape[1]]
