"""What the bytes of an image file say about its size, and whether they are all there."""

import io
from pathlib import Path
from typing import BinaryIO

import mmcv
from PIL import Image

EXIF_ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)


def stated_size(file: Path | BinaryIO) -> tuple[int, int]:
    """Width and height in px as OpenCV loads the image: upright, where its EXIF data says how.

    Raises:
        PIL.UnidentifiedImageError: The file is no image.
        OSError: It cannot be read.
    """
    with Image.open(file) as image:  # reads no further than the header
        return image.size[::-1] if _is_turned(image) else image.size


def _is_turned(image: Image.Image) -> bool:
    """Whether EXIF data asks for a quarter turn."""
    if image.format not in ('JPEG', 'MPO'):  # of a PNG, getexif would decode everything
        return False
    try:
        return image.getexif().get(EXIF_ORIENTATION) in QUARTER_TURNS
    except SyntaxError:  # broken EXIF data; OpenCV ignores it
        return False


def is_cut_off(data: bytes) -> bool:
    """Whether the end of an image file is missing; OpenCV fills that with grey and says nothing."""
    if data.startswith(b'\xff\xd8'):  # JPEG: an end marker must follow the last scan
        return data.rfind(b'\xff\xd9') < data.rfind(b'\xff\xda')
    if data.startswith(b'\x89PNG'):
        return b'IEND' not in data[-64:]
    return not data


def size_of(data: bytes, decode: bool) -> tuple[int, int] | None:
    """Width and height in px of an image as OpenCV loads it; None if it is cut off or no image.

    Args:
        data (bytes): Content of the file.
        decode (bool): Whether to decode it, which finds more; else its header is read.
    """
    if is_cut_off(data):
        return None
    if decode:
        image = mmcv.imfrombytes(data)
        return None if image is None else (image.shape[1], image.shape[0])
    try:
        return stated_size(io.BytesIO(data))
    except OSError:  # UnidentifiedImageError is one
        return None
