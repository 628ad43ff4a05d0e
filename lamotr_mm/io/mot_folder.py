"""MOTChallenge sequence folders: ``seqinfo.ini``, numbered images in ``img1/`` or a video file.

Format: https://motchallenge.net/instructions. The boxes in ``gt/gt.txt`` are read by `mot_gt`.
"""

import configparser
import re
from dataclasses import dataclass
from pathlib import Path

import cv2

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.mov', '.webm')
# keys of seqinfo.ini whose values are numbers, as the benchmarks spell them
_NUMBERS = ('frameRate', 'seqLength', 'imWidth', 'imHeight')


class MOTFormatError(ValueError):
    """A sequence breaks the format; the message names file, line and value."""


@dataclass(frozen=True)
class Sequence:
    """A sequence on disk.

    Attributes:
        name (str): Name of its folder.
        folder (Path): The folder.
        length (int): Number of its frames.
        fps (float): Frames per second.
        width (int): Width of the frames in px.
        height (int): Height of the frames in px.
        frames (dict[int, Path]): Image file by frame number (from 1), ascending.
    """

    name: str
    folder: Path
    length: int
    fps: float
    width: int
    height: int
    frames: dict[int, Path]

    @property
    def gt_file(self) -> Path:
        """Where the boxes are, if there are any."""
        return self.folder / 'gt' / 'gt.txt'


def read_seqinfo(folder: Path) -> dict[str, str]:
    """Reads ``seqinfo.ini`` of a sequence; keys in lower case, {} where there is no such file.

    Raises:
        MOTFormatError: The file has no [Sequence] section or a number that is none.
    """
    path = folder / 'seqinfo.ini'
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding='utf-8-sig'), str(path))
        info = dict(parser['Sequence'])
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise MOTFormatError(f'{path} is not a [Sequence] file: {error}') from error
    for key in _NUMBERS:
        text = info.get(key.lower(), '1')
        if not re.fullmatch(r'\d+(\.\d+)?', text) or float(text) == 0:
            raise MOTFormatError(f'{path}: {key}={text} must be a positive number')
    return info


def seqinfo_text(name: str, fps: float, length: int, width: int, height: int) -> str:
    """Content of the ``seqinfo.ini`` of a sequence with jpg frames of so many px in ``img1/``."""
    return (
        f'[Sequence]\nname={name}\nimDir=img1\nframeRate={fps:g}\nseqLength={length}\n'
        f'imWidth={width}\nimHeight={height}\nimExt=.jpg\n'
    )


def image_dir(folder: Path) -> Path:
    """Folder of a sequence's frames: imDir of ``seqinfo.ini``, else ``img1``."""
    return folder / read_seqinfo(folder).get('imdir', 'img1')


def image_files(directory: Path) -> list[Path]:
    """Images of a folder in natural order: ``f2.jpg`` before ``f10.jpg``.

    Raises:
        MOTFormatError: There is no such folder, or no image in it.
    """
    if not directory.is_dir():
        raise MOTFormatError(f'{directory}: no such folder of frames')
    files = [file for file in directory.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES]
    if not files:
        raise MOTFormatError(
            f'{directory} has no images ({", ".join(IMAGE_SUFFIXES)}): put the frames there, or '
            'remove the folder and put a video file beside it'
        )
    return sorted(files, key=_natural_key)


def _natural_key(file: Path) -> list:
    # digits and letters alternate, so that equal places compare like with like
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', file.name)]


def number_files(files: list[Path]) -> dict[int, Path]:
    """{frame number: file}, ascending: the numbers that the names are, shifted by 1 where they
    start from 0; 1, 2, ... in the given order where a name is no number.

    Raises:
        MOTFormatError: Two files are one frame.
    """
    if not all(re.fullmatch(r'[0-9]+', file.stem) for file in files):
        return dict(enumerate(files, start=1))
    shift = 1 if any(int(file.stem) == 0 for file in files) else 0
    frames: dict[int, Path] = {}
    for file in files:
        number = int(file.stem) + shift
        earlier = frames.setdefault(number, file)
        if earlier != file:
            raise MOTFormatError(f'{earlier} and {file.name} are both frame {number}')
    return dict(sorted(frames.items()))


def list_frames(directory: Path) -> dict[int, Path]:
    """Images of an annotated sequence, whose names must be the numbers in ``gt.txt``:
    {frame number: file}, ascending.

    Raises:
        MOTFormatError: No images, names that are no numbers, numbers below 1, or one number twice.
    """
    files = image_files(directory)
    for file in files:
        if not re.fullmatch(r'[0-9]+', file.stem) or int(file.stem) < 1:
            raise MOTFormatError(
                f'{file}: the name must be the frame number, counted from 1, such as 000001.jpg'
            )
    return number_files(files)


def read_sequence(folder: Path) -> Sequence:
    """Reads what there is to know about a sequence with frames on disk (see `extract_frames`).

    ``seqinfo.ini`` may be missing: then length and size are those of the frames, at 30 fps.

    Raises:
        MOTFormatError: Frames are missing or unreadable, or their size is not that of
            ``seqinfo.ini``.
    """
    info = read_seqinfo(folder)
    frames = list_frames(image_dir(folder))
    first = next(iter(frames.values()))
    image = cv2.imread(str(first))
    if image is None:
        raise MOTFormatError(f'{first}: not a readable image: extract or copy the frames again')
    height, width = image.shape[:2]
    stated = (int(float(info.get('imwidth', width))), int(float(info.get('imheight', height))))
    if stated != (width, height):
        raise MOTFormatError(
            f'{first}: the image has {width}x{height} px, seqinfo.ini says {stated[0]}x{stated[1]}'
        )
    return Sequence(
        name=folder.resolve().name,
        folder=folder,
        length=int(float(info.get('seqlength', max(frames)))),
        fps=float(info.get('framerate', 30)),
        width=width,
        height=height,
        frames=frames,
    )


def find_video(folder: Path) -> Path | None:
    """Returns the one video file of a sequence's folder, None where there is none.

    Raises:
        MOTFormatError: There are several.
    """
    videos = sorted(f for f in folder.iterdir() if f.suffix.lower() in VIDEO_SUFFIXES)
    if len(videos) > 1:
        raise MOTFormatError(
            f'{folder}: several videos: {", ".join(v.name for v in videos)}: leave only '
            'that of the sequence'
        )
    return videos[0] if videos else None
