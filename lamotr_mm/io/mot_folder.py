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
        from_zero (bool): The names of the images count from 0: frame 1 is image 0.
        notes (tuple[str, ...]): How names were read that are not plain numbers from 1.
    """

    name: str
    folder: Path
    length: int
    fps: float
    width: int
    height: int
    frames: dict[int, Path]
    from_zero: bool = False
    notes: tuple[str, ...] = ()

    @property
    def gt_file(self) -> Path:
        """Where the boxes are, if there are any."""
        return self.folder / 'gt' / 'gt.txt'


def read_seqinfo(folder: Path) -> dict[str, str]:
    """Reads ``seqinfo.ini`` of a sequence; keys in lower case, {} where there is no such file.

    Raises:
        MOTFormatError: The file has no [Sequence] section (in letters of any case) or a number
            that is none.
    """
    path = folder / 'seqinfo.ini'
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding='utf-8-sig'), str(path))
        sections = {name.lower(): name for name in parser.sections()}
        info = dict(parser[sections['sequence']])
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


def has_suffix(file: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether a file is of a kind; macOS's ``._name``, metadata of ``name``, are of none."""
    return file.suffix.lower() in suffixes and not file.name.startswith('._')


def image_files(directory: Path) -> list[Path]:
    """Images of a folder in natural order: ``f2.jpg`` before ``f10.jpg``.

    Raises:
        MOTFormatError: There is no such folder, or no image in it.
    """
    if not directory.is_dir():
        raise MOTFormatError(f'{directory}: no such folder of frames')
    files = [file for file in directory.iterdir() if has_suffix(file, IMAGE_SUFFIXES)]
    if not files:
        raise MOTFormatError(
            f'{directory} has no images ({", ".join(IMAGE_SUFFIXES)}): put the frames there, or '
            'remove the folder and put a video file beside it'
        )
    return sorted(files, key=natural_key)


def natural_key(file: Path) -> list:
    """Sorts files so that ``f2`` comes before ``f10``."""
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


def list_frames(directory: Path) -> tuple[dict[int, Path], list[str]]:
    """Images of an annotated sequence, whose names are the numbers in ``gt.txt``: 000001.jpg, or
    with one prefix, frame_000001.jpg.

    Returns:
        tuple[dict[int, Path], list[str]]: {number in the name: file}, ascending, from 0 or more;
        what was assumed about the names.

    Raises:
        MOTFormatError: No images, names without a number or with several prefixes, or one number
            twice.
    """
    files = image_files(directory)
    frames: dict[int, Path] = {}
    prefix, notes = None, []
    for file in files:
        match = re.fullmatch(r'(.*?)([0-9]+)', file.stem)
        if match is None or prefix not in (None, match[1]):
            raise MOTFormatError(
                f'{file}: the name must be the frame number, such as 000001.jpg, or end with it '
                'after the same letters in all names'
            )
        prefix = match[1]
        earlier = frames.setdefault(int(match[2]), file)
        if earlier != file:
            raise MOTFormatError(f'{earlier} and {file.name} are both frame {int(match[2])}')
    if prefix:
        notes.append(f'frame numbers are what follows {prefix!r} in the names of the images')
    return dict(sorted(frames.items())), notes


def read_sequence(folder: Path) -> Sequence:
    """Reads what there is to know about a sequence with frames on disk (see `extract_frames`).

    ``seqinfo.ini`` may be missing: then length and size are those of the frames, at 30 fps.

    Raises:
        MOTFormatError: Frames are missing or unreadable, or their size is not that of
            ``seqinfo.ini``.
    """
    info = read_seqinfo(folder)
    frames, notes = list_frames(image_dir(folder))
    first = next(iter(frames.values()))
    from_zero = 0 in frames
    if from_zero:
        frames = {number + 1: file for number, file in frames.items()}
        notes.append(f'the names of the images count from 0: {first.name} is frame 1')
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
        from_zero=from_zero,
        notes=tuple(notes),
    )


def find_video(folder: Path) -> Path | None:
    """Returns the one video file of a sequence's folder, None where there is none.

    Raises:
        MOTFormatError: There are several.
    """
    videos = sorted(f for f in folder.iterdir() if has_suffix(f, VIDEO_SUFFIXES))
    if len(videos) > 1:
        raise MOTFormatError(
            f'{folder}: several videos: {", ".join(v.name for v in videos)}: leave only '
            'that of the sequence'
        )
    return videos[0] if videos else None
