"""VisDrone MOT (https://github.com/VisDrone/VisDrone2018-MOT-toolkit).

``annotations/<sequence>.txt`` has rows ``frame,id,left,top,width,height,score,category,truncation,
occlusion``: frames from 1, px, score 0 marks what is not evaluated. Category 0 are ignored regions,
11 are others, neither right nor wrong to find. Images are ``sequences/<sequence>/0000001.jpg``.
"""

from pathlib import Path

from lamotr_mm.io.mot_folder import MOTFormatError

from .video import AnnotatedVideo, Box, find_folder, numbered_images, text_rows

CATEGORIES = (
    'ignored regions',
    *('pedestrian', 'people', 'bicycle', 'car', 'van', 'truck'),
    *('tricycle', 'awning-tricycle', 'bus', 'motor', 'others'),
)
LABELS = CATEGORIES[1:-1]
_VISIBILITY = {0: 1.0, 1: 0.75, 2: 0.25}  # not, to a half, and more occluded: middle of the range


def read(src: Path, media: Path | None = None) -> list[AnnotatedVideo]:
    """Reads ``VisDrone2019-MOT-train`` or another part of the download.

    Raises:
        ValueError: There is no such folder.
        MOTFormatError: A row breaks the format, or a sequence has no images.
    """
    folder = find_folder(src, 'annotations')
    images = media or folder / 'sequences'
    return [
        AnnotatedVideo(
            name=file.stem,
            media=images / file.stem,
            boxes=[_box(file, number, fields) for number, fields in text_rows(file, ',')],
            labels=LABELS,
            files=numbered_images(images / file.stem, shift=0),
        )
        for file in sorted((folder / 'annotations').glob('[!.]*.txt'))
    ]


def _box(file: Path, number: int, fields: list[str]) -> Box:
    fields = fields[:10] if fields[10:] == [''] else fields  # some lines end with a comma
    try:
        if len(fields) != 10:
            raise ValueError(f'10 columns expected, got {len(fields)}')
        frame, track, x, y, w, h, score, category, _, occlusion = map(int, fields)
        if not 0 <= category < len(CATEGORIES):
            raise ValueError(f'category {category} is none of 0 to {len(CATEGORIES) - 1}')
    except ValueError as error:
        raise MOTFormatError(f'{file}:{number}: {error}') from error
    label = CATEGORIES[category]
    return Box(
        frame,
        track if label in LABELS else None,  # ids of regions and others need not be theirs alone
        label,
        *(x, y, w, h),
        ignored=label not in LABELS or score == 0,
        visibility=_VISIBILITY.get(occlusion, 0.0),
    )
