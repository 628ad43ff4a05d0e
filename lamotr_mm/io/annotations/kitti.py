"""KITTI tracking (https://www.cvlibs.net/datasets/kitti/eval_tracking.php, its development kit).

``label_02/0000.txt`` has a row for each box, separated by spaces: frame (from 0), track id, type,
truncated, occluded, alpha, left, top, right, bottom (px, from 0; width is right - left, as in the
kit's evaluation), and 7 columns in three dimensions. ``DontCare`` (id -1) is a region in which
nothing was annotated. Images are ``image_02/0000/000000.png``, 10 per second.
"""

from pathlib import Path

from lamotr_mm.io.mot_folder import MOTFormatError

from .video import AnnotatedVideo, Box, find_folder, numbered_images, text_rows

LABELS = ('Car', 'Pedestrian', 'Cyclist', 'Van', 'Truck', 'Person', 'Tram', 'Misc')
# neither right nor wrong to find where the other, but not they, are to be tracked; as in the kit
NEAR = {'Van': 'Car', 'Person': 'Pedestrian'}
_SYNONYMS = {'Person_sitting': 'Person'}  # the kit's name, and that in the files
_COLUMNS = (17, 18)  # 18 with a score
_VISIBILITY = {0: 1.0, 1: 0.5, 2: 0.25}  # fully visible, partly and largely occluded; 3: unknown


def read(src: Path, media: Path | None = None) -> list[AnnotatedVideo]:
    """Reads ``training``, or the folder that it is in.

    Raises:
        ValueError: There is no such folder.
        MOTFormatError: A row breaks the format, or a sequence has no images.
    """
    folder = find_folder(src, 'label_02')
    images = media or folder / 'image_02'
    return [
        AnnotatedVideo(
            name=file.stem,
            media=images / file.stem,
            boxes=[_box(file, number, fields) for number, fields in text_rows(file, None)],
            labels=LABELS,
            files=numbered_images(images / file.stem, shift=1),
            fps=10,
        )
        for file in sorted((folder / 'label_02').glob('[!.]*.txt'))
    ]


def _box(file: Path, number: int, fields: list[str]) -> Box:
    try:
        if len(fields) not in _COLUMNS:
            raise ValueError(f'17 columns expected, got {len(fields)}')
        frame, track, occluded = int(fields[0]), int(fields[1]), int(fields[4])
        left, top, right, bottom = map(float, fields[6:10])
    except ValueError as error:
        raise MOTFormatError(f'{file}:{number}: {error}') from error
    label = _SYNONYMS.get(fields[2], fields[2])
    region = label == 'DontCare'
    if not region and (track < 0 or label not in LABELS):
        raise MOTFormatError(f'{file}:{number}: {label} with id {track} is no target of KITTI')
    return Box(
        frame + 1,
        None if region else track,
        label,
        *(left, top, right - left, bottom - top),
        ignored=region,
        visibility=_VISIBILITY.get(occluded, 0.0),
    )
