"""Single annotated scenes, such as PETS09-S2L1, cut by frames into splits."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lamotr_mm.io.extract_frames import extract_frames
from lamotr_mm.io.files import new_folder, replace_on_success
from lamotr_mm.io.mot_folder import (
    find_video,
    image_dir,
    list_frames,
    read_sequence,
    seqinfo_text,
)
from lamotr_mm.io.mot_gt import class_rule, read_gt

from .cocovid import Part, make_cocovid, write_json
from .console import progress_bar


@dataclass(frozen=True)
class Scene:
    """A sequence of MOT15, of which the first frames are used.

    Attributes:
        name: of the sequence, and of its folder in the output.
        length: frames that are used, from the first.
        full_length: frames in MOT15, whose ``gt.txt`` may be given.
        fps: frames per second.
    """

    name: str
    length: int
    full_length: int
    fps: int

    @property
    def gt_file(self) -> Path:
        """Within the folder of the sequence."""
        return Path('gt', 'gt.txt')


PETS = Scene('PETS09-S2L1', 600, 795, 7)
ADL = Scene('ADL-Rundle-6', 450, 525, 30)


def prepare_scenes(
    sources: dict[Scene, Path], splits: dict[str, dict[Scene, str]], out: Path
) -> dict[str, list[dict]]:
    """Fills a folder with ``NAME/`` for each scene and ``annotations/SPLIT.json``.

    Frames that are there already stay; the small files are written anew.

    Args:
        sources: folder of each scene, with ``gt/gt.txt`` and the frames, as ``img1/`` or as a
            video file.
        splits: name -> frames of each scene in it, as 'first-last', from 1, both included.
        out: folder to make or to complete.

    Returns:
        Per split the summaries of its scenes (see `make_cocovid`).

    Raises:
        ValueError: a source is no such sequence.
    """
    rule = class_rule('mot15')
    # a broken file should not cost the extraction
    for scene, src in sources.items():
        if not (src / scene.gt_file).is_file():
            raise ValueError(
                f'{src / scene.gt_file} does not exist: SRC is the folder of {scene.name}'
            )
        notes: list[str] = []
        read_gt(src / scene.gt_file, scene.full_length, rule, on_note=notes.append)
        if notes:
            raise ValueError(f'{src / scene.gt_file}: {notes[0]}, other than in the download')
    for scene, src in sources.items():
        _take_frames(scene, src, out / scene.name / 'img1')
        _write_texts(scene, src / scene.gt_file, out / scene.name)
    contents, summaries = {}, {}
    for split, parts in splits.items():
        taken = [Part(out / scene.name, frames) for scene, frames in parts.items()]
        content, summaries[split] = make_cocovid(taken, out, rule)
        contents[out / 'annotations' / f'{split}.json'] = content
    write_json(contents)
    return summaries


def print_summaries(summaries: dict[str, list[dict]], out: Path) -> None:
    """One line for each scene of each split, and where everything is."""
    for split, rows in summaries.items():
        for row in rows:
            scene = f' of {row["sequence"]}' if len(rows) > 1 else ''
            print(
                f'{split}: frames {row["frames"]}{scene}, {row["boxes"]} boxes of {row["ids"]} '
                'people'
            )
    print(f'ready: {out}')


def _take_frames(scene: Scene, src: Path, directory: Path) -> None:
    """Extracts or copies the first frames; the folder appears whole or not at all."""
    if directory.is_dir():
        return
    if image_dir(src).is_dir():
        _copy_frames(image_dir(src), directory, scene.length)
        return
    video = find_video(src)
    if video is None:
        raise ValueError(f'{src}: neither {image_dir(src).name}/ nor a video file is there')
    with progress_bar(f'frames of {scene.name}', scene.length) as advance:
        extract_frames(video, directory, scene.length, advance)


def _copy_frames(images: Path, directory: Path, length: int) -> None:
    """Copies the first frames of a folder."""
    frames, _ = list_frames(images)
    if 0 in frames:
        raise ValueError(f'{frames[0]}: the names must count from 1, as those of the download')
    missing = [n for n in range(1, length + 1) if n not in frames]
    if missing:
        raise ValueError(f'{images}: {len(missing)} frames are missing, the first is {missing[0]}')
    with new_folder(directory) as part, progress_bar('frames', length) as advance:
        for number in range(1, length + 1):
            shutil.copyfile(frames[number], part / frames[number].name)
            advance()


def _write_texts(scene: Scene, gt_file: Path, folder: Path) -> None:
    """Writes ``gt.txt`` and ``seqinfo.ini`` of the frames that are used."""
    lines = [line for line in gt_file.read_text(encoding='utf-8-sig').splitlines() if line.strip()]
    kept = [line for line in lines if float(line.split(',')[0]) <= scene.length]
    sequence = read_sequence(folder)
    info = seqinfo_text(scene.name, scene.fps, scene.length, sequence.width, sequence.height)
    texts = {folder / 'gt' / 'gt.txt': '\n'.join(kept) + '\n', folder / 'seqinfo.ini': info}
    for path, text in texts.items():
        with replace_on_success(path) as part:
            part.write_text(text)
