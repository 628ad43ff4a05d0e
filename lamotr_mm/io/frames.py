"""Frames of whatever a user names: lazily, one frame at a time. See :func:`open_frames`."""

import glob
import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from .frame_source import DEFAULT_FPS, FrameReadError, FrameSource
from .live import LiveSource
from .mot_folder import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    MOTFormatError,
    has_suffix,
    image_dir,
    image_files,
    natural_key,
    number_files,
    read_seqinfo,
)
from .video_end import VideoEnd

_logger = logging.getLogger(__name__)

# what is tracked: file, folder, pattern, address, camera, or images
Source = str | Path | int | np.ndarray | Sequence[str | Path] | Sequence[np.ndarray]


class VideoFile(FrameSource):
    """A video in any format that FFmpeg decodes; see :func:`open_frames`."""

    def __init__(self, path: Path | str, start: int | None = None, end: int | None = None) -> None:
        super().__init__(path, start, end)
        self.name = _file_of(path).stem
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
    """A folder of images, one image, or a list of them; see :func:`open_frames`.

    Args:
        path: the folder or image; of a list, what stands for it in messages and names.
        start, end: first and last frame.
        files: {frame number: file} of a list.
    """

    def __init__(
        self,
        path: Path,
        start: int | None = None,
        end: int | None = None,
        files: dict[int, Path] | None = None,
    ) -> None:
        super().__init__(path, start, end)
        info: dict[str, str] = {}
        try:
            if files is None:
                info, files = _list_folder(path) if path.is_dir() else ({}, {1: path})
        except MOTFormatError as error:
            raise FrameReadError(str(error)) from error
        self.name = info.get('name') or path.stem
        self.fps = float(info.get('framerate', DEFAULT_FPS))
        self._files = [
            (number, file)
            for number, file in files.items()
            if number >= self.start and (end is None or number <= end)
        ]
        self.num_frames = len(self._files)
        if not self._files:
            raise FrameReadError(
                f'{path} has frames {min(files)} to {max(files)}, none from '
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
            image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        except FileNotFoundError as error:
            raise FrameReadError(f'{file} (frame {number}) is missing') from error
        except Exception as error:  # OpenCV's own, e.g. of an empty file
            raise FrameReadError(f'{file} (frame {number}) cannot be decoded: {error}') from error
        if image is None:
            raise FrameReadError(
                f'{file} (frame {number}) cannot be decoded: cut off, or no image at all'
            )
        return image


class ImageArrays(FrameSource):
    """Images in memory; see :func:`open_frames`."""

    def __init__(
        self, images: Sequence[np.ndarray], start: int | None = None, end: int | None = None
    ) -> None:
        super().__init__('arrays', start, end)
        self.name, self.fps = 'arrays', DEFAULT_FPS
        self._images = images
        last = len(images) if end is None else min(end, len(images))
        self.num_frames = max(last - self.start + 1, 0)
        for number, image in self._read():
            if getattr(image, 'ndim', 0) != 3:
                raise FrameReadError(
                    f'{self._describe(number)} is no image: expected (height, width, 3) uint8 BGR'
                )
        first = images[0]
        self.size = (first.shape[1], first.shape[0])

    def _read(self) -> Iterator[tuple[int, np.ndarray]]:
        yield from list(enumerate(self._images, start=1))[self.start - 1 : self.end]


def open_frames(source: Source, start: int | None = None, end: int | None = None) -> FrameSource:
    """Opens whatever shows one video.

    - A video file, or the address of one (``https://host/video.mp4``).
    - A folder of jpg, png, bmp or webp images in natural order (``f2`` before ``f10``). Names that
      are numbers give the frame numbers (shifted by 1 where they start from 0); otherwise frames
      are counted from 1. A MOTChallenge sequence folder (``seqinfo.ini``, ``img1/``) is accepted,
      too, and gives its frame rate and name.
    - A pattern (``shots/*.png``), which names images, numbered as in a folder, or one video.
    - A list of image files, numbered from 1 in the given order; one image.
    - Arrays: ``(H, W, 3)`` uint8 BGR, a list of them, or ``(T, H, W, 3)``.
    - A camera's number (``0``, also as text) or a stream's address (``rtsp://...``, ``http://...``):
      a :class:`LiveSource`.

    Args:
        source: the input.
        start: first frame, in the input's own numbering from 1. Default: the first there is.
        end: last frame. Where the input is shorter, what there is is read, with a warning.

    Returns:
        :class:`FrameSource`. The first frame is decoded to learn the size.

    Raises:
        FileNotFoundError: there is nothing of this name.
        FrameReadError: no frames, or a corrupt one; raised while iterating as well.
        ValueError: ``start < 1`` or ``end < start``; a pattern or list of several videos.
    """
    if isinstance(source, np.ndarray):
        return ImageArrays([source] if source.ndim == 3 else list(source), start, end)
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _open_list(source, start, end)
    path = Path(str(source))
    if isinstance(source, int) or (str(source).isdecimal() and not path.exists()):
        return LiveSource(int(str(source)), start, end)
    if _is_address(source):
        is_file = _file_of(str(source)).suffix.lower() in VIDEO_SUFFIXES
        return (VideoFile if is_file else LiveSource)(str(source), start, end)
    if not path.exists():
        if glob.has_magic(str(source)):
            return _open_pattern(str(source), start, end)
        raise FileNotFoundError(f'{path}: no such video, image or folder')
    images = path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES
    return (ImageFolder if images else VideoFile)(path, start, end)


def _is_address(source: object) -> bool:
    return isinstance(source, str) and '://' in source


def _file_of(path: Path | str) -> PurePath:
    """The file behind an address, or the path itself."""
    return PurePosixPath(urlsplit(str(path)).path) if _is_address(path) else Path(path)


def _open_list(source: Sequence, start: int | None, end: int | None) -> FrameSource:
    if not len(source):
        raise FrameReadError('the list of frames is empty')
    if not isinstance(source[0], str | Path):
        return ImageArrays(source, start, end)
    files = [Path(file) for file in source]
    for file in files:
        if file.suffix.lower() not in IMAGE_SUFFIXES:
            raise FrameReadError(f'{file} is no image: a list names the images of one video')
    return ImageFolder(files[0].parent, start, end, dict(enumerate(files, start=1)))


def _open_pattern(pattern: str, start: int | None, end: int | None) -> FrameSource:
    found = sorted(map(Path, glob.glob(pattern, recursive=True)), key=natural_key)
    if not found:
        raise FileNotFoundError(f'{pattern}: no file fits this pattern')
    if len(found) == 1:
        return open_frames(found[0], start, end)
    if any(file.suffix.lower() not in IMAGE_SUFFIXES for file in found):
        raise FrameReadError(
            f'{pattern} fits {len(found)} files that are not all images: track one video at a time'
        )
    try:
        files = number_files(found)
    except MOTFormatError as error:
        raise FrameReadError(str(error)) from error
    return ImageFolder(found[0].parent, start, end, files)


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
