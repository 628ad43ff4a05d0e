"""The frames of a video file as the numbered images of a sequence folder."""

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2

from .files import new_folder
from .frames import FrameReadError, open_frames
from .mot_folder import MOTFormatError


def extract_frames(
    video: Path,
    directory: Path,
    length: int | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Writes the frames of a video as ``000001.jpg``, ... (quality 95).

    The folder appears whole or not at all; where it exists, nothing is done.

    Args:
        video (Path): Video file of any codec that FFmpeg reads; phone video is turned upright.
        directory (Path): Folder to make.
        length (int, optional): Number of frames to take from the start; None: all.
        on_frame (Callable): Called after each frame.

    Raises:
        MOTFormatError: A frame can't be decoded or is damaged, or the video has no frames or fewer
            than `length`.
    """
    if directory.is_dir():
        return
    number = 0
    try:
        with new_folder(directory) as part:
            for number, image in itertools.islice(open_frames(video), length):
                file = part / f'{number:06d}.jpg'
                if not cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, 95]):
                    raise OSError(f'could not write {file}')
                on_frame()
            if length is not None and number < length:
                raise MOTFormatError(
                    f'{video}: has {number} frames, {length} are needed: fetch the whole '
                    'video, or correct seqLength where a seqinfo.ini gives it'
                )
    except FrameReadError as error:
        raise MOTFormatError(f'{video}: not a readable video: {error}') from error
