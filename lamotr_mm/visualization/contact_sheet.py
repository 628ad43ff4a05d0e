"""One picture of a whole run: frames spread evenly over it, in a grid."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lamotr_mm.io.files import replace_on_success

from .draw_tracks import put_caption

GAP = 6  # px between tiles
BACKGROUND = 24  # grey level


class EvenSample:
    """Keeps ``count`` evenly spread frames of a run whose length isn't known beforehand.

    Every ``stride``-th frame is kept; when there are four times too many, every other one goes and
    the stride doubles. So at most ``4 * count`` small pictures are held.

    Args:
        count: frames wanted.
        width: width of the kept pictures in px.
    """

    def __init__(self, count: int = 12, width: int = 480) -> None:
        if count < 1:
            raise ValueError(f'count={count}: at least one frame')
        self.count = count
        self.width = width
        self._kept: list[tuple[int, np.ndarray]] = []
        self._stride = 1
        self._seen = 0

    def add(self, frame_number: int, image: np.ndarray) -> None:
        """Offers the next frame: its number and ``(H, W, 3)`` uint8 BGR, which is scaled down."""
        if self._seen % self._stride == 0:
            if len(self._kept) == 4 * self.count:
                self._kept = self._kept[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._kept.append((frame_number, _scale(image, self.width)))
        self._seen += 1

    def frames(self) -> list[tuple[int, np.ndarray]]:
        """``(frame number, picture)``: at most ``count``, the first one included."""
        wanted = min(self.count, len(self._kept))
        return [
            self._kept[i] for i in np.linspace(0, len(self._kept) - 1, wanted).round().astype(int)
        ]


def contact_sheet(
    frames: Sequence[tuple[int | str, np.ndarray]], columns: int | None = None
) -> np.ndarray:
    """A grid of frames in reading order, each with its number.

    Args:
        frames: (frame number, or another caption, ``(h, w, 3)`` uint8 BGR); all pictures of one
            size.
        columns: tiles in a row. Default: as many as make the sheet about 3:2.

    Returns:
        ``(H, W, 3)`` uint8 BGR.

    Raises:
        ValueError: no frames, or frames of several sizes.
    """
    sizes = {image.shape for _, image in frames}
    if len(sizes) != 1:
        raise ValueError(f'a contact sheet needs frames of one size, got {sorted(sizes) or "none"}')
    height, width = frames[0][1].shape[:2]
    if columns is None:
        columns = min(len(frames), max(1, round((1.5 * len(frames) * height / width) ** 0.5)))
    rows = -(-len(frames) // columns)
    sheet = np.full(
        (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), BACKGROUND, np.uint8
    )
    for index, (number, image) in enumerate(frames):
        row, column = divmod(index, columns)
        y, x = GAP + row * (height + GAP), GAP + column * (width + GAP)
        caption = number if isinstance(number, str) else f'frame {number}'
        sheet[y : y + height, x : x + width] = put_caption(image, caption)
    return sheet


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Writes ``image``, ``(H, W, 3)`` uint8 BGR, as PNG; the file is whole or absent."""
    encoded = cv2.imencode('.png', image)[1]
    with replace_on_success(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _scale(image: np.ndarray, width: int) -> np.ndarray:
    if image.shape[1] <= width:
        return image.copy()
    height = round(image.shape[0] * width / image.shape[1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
