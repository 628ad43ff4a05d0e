"""Names by which files and people know a frame, from its metainfo."""

from pathlib import Path


def sequence_name(meta: dict) -> str:
    """Name of a frame's sequence.

    It is the metainfo ``sequence`` or ``video_name``, else the folder above that of the frames.

    Raises:
        ValueError: The metainfo has none of them.
    """
    for key in ('sequence', 'video_name'):
        if meta.get(key) is not None:
            return str(meta[key])
    name = Path(meta.get('img_path') or '').parent.parent.name
    if not name:
        raise ValueError(
            f'cannot name the sequence of img_path={meta.get("img_path")!r} '
            "(<sequence>/<folder>/<frame>): add 'sequence' or 'video_name' to the metainfo"
        )
    return name


def frame_number(meta: dict) -> int:
    """Number, from 1, of a frame in its sequence: ``mot_frame_id``, else ``frame_id + 1``."""
    number = meta.get('mot_frame_id')
    return int(meta['frame_id']) + 1 if number is None else int(number)
