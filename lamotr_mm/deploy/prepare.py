"""Frames into the network's input, as mmcv's and mmdet's transforms do it, in NumPy."""

import cv2
import numpy as np

from .settings import Preprocessing


def resized_shape(
    shape: tuple[int, int], scale: tuple[int, int] | None, keep_ratio: bool
) -> tuple[int, int]:
    """(height, width) in px that ``mmcv.Resize`` makes of a frame of ``shape``.

    Args:
        shape: (height, width) in px.
        scale, keep_ratio: of :class:`Preprocessing`.
    """
    if scale is None:
        return shape
    if not keep_ratio:
        return scale[1], scale[0]
    factor = min(max(scale) / max(shape), min(scale) / min(shape))
    height, width = (int(side * factor + 0.5) for side in shape)
    return height, width


def prepare(image_bgr: np.ndarray, settings: Preprocessing) -> np.ndarray:
    """The input of ``encode`` for a frame.

    Args:
        image_bgr: ``(H, W, 3)`` uint8 BGR.
        settings: of the exported model.

    Returns:
        ``(1, 3, *settings.padded)`` float32.

    Raises:
        ValueError: it is no such array, or of a size for which the graphs are not made.
    """
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8:
        raise ValueError(
            f'a frame is {image_bgr.dtype} of shape {image_bgr.shape}: expected uint8 '
            '(height, width, 3) BGR'
        )
    height, width = resized_shape(image_bgr.shape[:2], settings.scale, settings.keep_ratio)
    if (height, width) != settings.img_shape:
        rows, columns = image_bgr.shape[:2]
        raise ValueError(
            f'a frame of {columns}x{rows} px becomes {width}x{height} px, the model is exported '
            f'for {settings.img_shape[1]}x{settings.img_shape[0]}: export it with '
            f'--frame {rows} {columns}'
        )
    image = cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_LINEAR)
    image = image[..., ::-1] if settings.rgb else image
    mean, std = (np.array(values, np.float32) for values in (settings.mean, settings.std))
    padded = np.zeros((1, 3, *settings.padded), np.float32)
    padded[0, :, :height, :width] = ((image.astype(np.float32) - mean) / std).transpose(2, 0, 1)
    return padded
