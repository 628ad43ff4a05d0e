"""Frames of a video file, a folder of images or one image: lazily, one frame at a time."""

import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import mmcv
import numpy as np

from .mot_folder import (
    IMAGE_SUFFIXES,
    MOTFormatError,
    has_suffix,
    image_dir,
    image_files,
    number_files,
    read_seqinfo,
)
from .video_end import VideoEnd

_logger = logging.getLogger(__name__)

DEFAULT_FPS = 25.0  # of a folder that doesn't say


class FrameReadError(ValueError):
    """An input that can't be read; the message names the file, the frame and the remedy, if any."""


class FrameSource:
    """Frames of one video, in order. Iterating again starts again; one frame is held at a time.

    Iterating yields ``(frame_number, image)``: the number is the input's own, from 1; the image is
    ``(H, W, 3)`` uint8 BGR, the same size for all frames.

    Attributes:
        path: the input.
        name: short name of the video, for output files.
        fps: frames per second.
        size: ``(width, height)`` in px.
        num_frames: number of frames from ``start`` to ``end``, None where the input doesn't say.
    """

    path: Path
    name: str
    fps: float
    size: tuple[int, int]
    num_frames: int | None

    def __init__(self, path: Path, start: int | None, end: int | None) -> None:
        self.path = path
        self.start = 1 if start is None else start
        self.end = end
        if self.start < 1:
            raise ValueError(f'start={start}: frames are numbered from 1')
        if end is not None and end < self.start:
            raise ValueError(f'end={end} lies before start={self.start}')

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        number = None
        for number, image in self._read():
            if (image.shape[1], image.shape[0]) != self.size:
                raise FrameReadError(
                    f'{self._describe(number)} is {image.shape[1]}x{image.shape[0]} px, the frames '
                    f'before it are {self.size[0]}x{self.size[1]}: all must have one size'
                )
            yield number, image
        if number is None:
            raise FrameReadError(f'{self.path} has no frame at or after {self.start}')
        if self.end is not None and number < self.end:
            _logger.warning(f'{self.path} ends with frame {number}, before end={self.end}')

    def _read(self) -> Iterator[tuple[int, np.ndarray]]:
        raise NotImplementedError

    def _describe(self, number: int) -> str:
        return f'{self.path}: frame {number}'


class VideoFile(FrameSource):
    """A video in any format that FFmpeg decodes; see :func:`open_frames`."""

    def __init__(self, path: Path, start: int | None = None, end: int | None = None) -> None:
        super().__init__(path, start, end)
        self.name = path.stem
        with self._open() as container:
            stream = container.streams.video[0]
            self.fps = float(stream.average_rate or DEFAULT_FPS)
            self._announced = stream.frames
            self.size = self._first_size(container)
        self.num_frames = None
        if self._announced:
            last = self._announced if end is None else min(end, self._announced)
            self.num_frames = max(last - self.start + 1, 0)

    def _open(self) -> av.container.InputContainer:
        try:
            container = av.open(str(self.path))
        except av.FFmpegError as error:
            raise FrameReadError(
                f'{self.path} is no video or image that can be read: {error.strerror}'
            ) from error
        if not container.streams.video:
            container.close()
            raise FrameReadError(f'{self.path} has no picture, only sound or subtitles')
        container.streams.video[0].thread_type = 'AUTO'
        return container

    def _first_size(self, container: av.container.InputContainer) -> tuple[int, int]:
        """``(width, height)`` as shown: phones store portrait video lying on its side."""
        for _, frame in self._decode(container):
            upright = frame.rotation % 180 == 0
            return (frame.width, frame.height) if upright else (frame.height, frame.width)
        raise FrameReadError(f'{self.path} has no frames')

    def _decode(
        self, container: av.container.InputContainer
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        number, end = 0, VideoEnd(container)
        stream = container.streams.video[0]
        try:
            for packet in container.demux():
                end.add_packet(packet)
                for frame in stream.decode(packet) if packet.stream is stream else ():
                    number += 1
                    if frame.is_corrupt:
                        raise FrameReadError(self._corrupt(number, 'damaged data'))
                    end.add_frame(frame)
                    yield number, frame
        except av.FFmpegError as error:
            raise FrameReadError(self._corrupt(number + 1, str(error.strerror))) from error
        if missing := end.missing():
            _logger.warning(
                f'{self.path} ends after frame {number}, {missing}: is the file cut off?'
            )

    def _corrupt(self, number: int, why: str) -> str:
        remedy = f'; frames up to {number - 1} are good (end={number - 1})' if number > 1 else ''
        return f'{self._describe(number)} of the video cannot be decoded: {why}{remedy}'

    def _read(self) -> Iterator[tuple[int, np.ndarray]]:
        # frames before the start are decoded, not sought: a seek can't count them in every format
        with self._open() as container:
            for number, frame in self._decode(container):
                if self.end is not None and number > self.end:
                    return
                if number >= self.start:
                    image = frame.to_ndarray(format='bgr24')
                    turns = round(frame.rotation / 90)
                    yield number, np.ascontiguousarray(np.rot90(image, turns)) if turns else image


class ImageFolder(FrameSource):
    """A folder of images, or one image; see :func:`open_frames`."""

    def __init__(self, path: Path, start: int | None = None, end: int | None = None) -> None:
        super().__init__(path, start, end)
        try:
            info, numbered = _list_folder(path) if path.is_dir() else ({}, {1: path})
        except MOTFormatError as error:
            raise FrameReadError(str(error)) from error
        self.name = info.get('name') or path.stem
        self.fps = float(info.get('framerate', DEFAULT_FPS))
        self._files = [
            (number, file)
            for number, file in numbered.items()
            if number >= self.start and (end is None or number <= end)
        ]
        self.num_frames = len(self._files)
        if not self._files:
            raise FrameReadError(
                f'{path} has frames {min(numbered)} to {max(numbered)}, none from '
                f'start={self.start}' + ('' if end is None else f' to end={end}')
            )
        self._warn_of_gaps()
        first = self._load(*self._files[0])
        self.size = (first.shape[1], first.shape[0])

    def _warn_of_gaps(self) -> None:
        numbers = [number for number, _ in self._files]
        for before, after in pairwise(numbers):
            if after != before + 1:
                missing = numbers[-1] - numbers[0] + 1 - len(numbers)
                _logger.warning(
                    f'{self.path}: {missing} frame(s) missing, the first is {before + 1}'
                )
                return

    def _read(self) -> Iterator[tuple[int, np.ndarray]]:
        for number, file in self._files:
            yield number, self._load(number, file)

    def _describe(self, number: int) -> str:
        return f'{dict(self._files)[number]} (frame {number})'

    def _load(self, number: int, file: Path) -> np.ndarray:
        """``(H, W, 3)`` uint8 BGR, as mmdet loads images in training: grey is repeated, alpha
        is dropped, 16 bits are cut to 8."""
        try:
            image = mmcv.imfrombytes(file.read_bytes(), flag='color', backend='cv2')
        except FileNotFoundError as error:
            raise FrameReadError(f'{file} (frame {number}) is missing') from error
        except Exception as error:  # OpenCV's own, e.g. of an empty file
            raise FrameReadError(f'{file} (frame {number}) cannot be decoded: {error}') from error
        if image is None:
            raise FrameReadError(
                f'{file} (frame {number}) cannot be decoded: cut off, or no image at all'
            )
        return image


def open_frames(path: str | Path, start: int | None = None, end: int | None = None) -> FrameSource:
    """Opens a video file, a folder of images or a single image.

    A folder holds jpg, png, bmp or webp images in natural order (``f2`` before ``f10``). Names that
    are numbers give the frame numbers (shifted by 1 where they start from 0); otherwise frames are
    counted from 1. A MOTChallenge sequence folder (``seqinfo.ini``, ``img1/``) is accepted, too,
    and gives its frame rate and name.

    Args:
        path: the input.
        start: first frame, in the input's own numbering from 1. Default: the first there is.
        end: last frame. Where the input is shorter, what there is is read, with a warning.

    Returns:
        :class:`FrameSource`. The first frame is decoded to learn the size.

    Raises:
        FileNotFoundError: ``path`` doesn't exist.
        FrameReadError: no frames, or a corrupt one; raised while iterating as well.
        ValueError: ``start < 1`` or ``end < start``.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such video, image or folder')
    images = path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES
    return (ImageFolder if images else VideoFile)(path, start, end)


def _list_folder(path: Path) -> tuple[dict[str, str], dict[int, Path]]:
    """``seqinfo.ini``, {} where there is none, and the images of a sequence folder, of the folder
    of its frames, or of any folder.
    """
    info = read_seqinfo(path)
    if not info and image_dir(path.parent) == path:
        info = read_seqinfo(path.parent)
    frames = image_dir(path)
    folder = frames if frames.is_dir() and not _has_images(path) else path
    return info, number_files(image_files(folder))


def _has_images(folder: Path) -> bool:
    return any(has_suffix(file, IMAGE_SUFFIXES) for file in folder.iterdir())
