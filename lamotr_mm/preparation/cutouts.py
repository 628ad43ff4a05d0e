"""Cut targets out of the frames of static cameras, by background subtraction."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from lamotr_mm.io.cocovid_json import load_cocovid
from lamotr_mm.io.cutouts import Cutout, write_runs
from lamotr_mm.io.files import new_folder

from .console import progress_bar

# frames that the background is the median of
BACKGROUND_FRAMES = 60
# difference from the background, of 255, above which a pixel is the target's
DIFFERENCE = 22
# a box of which the target fills less than these shares, of its area and height, is left out
LEAST_AREA, LEAST_HEIGHT = 0.35, 0.8
# of a box, hidden by others: in front of it, and all
MOST_HIDDEN, MOST_OVERLAP = 0.05, 0.3
# what surrounds a box in its picture, shares of its sides
MARGIN = np.array([0.08, 0.05])
# a run is at least so long and has no longer gap than this; frames
SHORTEST, LONGEST_GAP = 6, 3


def cut_out(ann_file: Path, data_root: Path, out: Path) -> list[dict]:
    """Fill ``out`` with the targets of all videos of a json.

    Taken are boxes in full view: nobody stands in front (whose box reaches lower in the image),
    and the target stands out from the background, the median over time.

    Args:
        ann_file: CocoVID json of one class.
        data_root: folder that its file names start from.
        out: folder to make; must not exist yet.

    Returns:
        For each video a summary.

    Raises:
        ValueError: the json has several classes, ``out`` exists, or a frame cannot be read.
    """
    content = load_cocovid(str(ann_file))
    if len(content['categories']) != 1:
        names = ', '.join(category['name'] for category in content['categories'])
        raise ValueError(f'{ann_file}: cutouts are of one class, this json has {names}')
    if out.exists():
        raise ValueError(f'{out} exists already: remove it, or choose another --out')
    boxes: dict[int, dict[int, np.ndarray]] = {}
    for annotation in content['annotations']:
        x, y, w, h = annotation['bbox']
        of_frame = boxes.setdefault(annotation['image_id'], {})
        of_frame[annotation['instance_id']] = np.array([x, y, x + w, y + h])
    runs, summaries = [], []
    with new_folder(out) as part:
        for video in content['videos']:
            images = [i for i in content['images'] if i['video_id'] == video['id']]
            images.sort(key=lambda image: image['frame_id'])
            found = list(_runs(_cut_video(images, boxes, data_root, part, video['name'])))
            runs += found
            summaries.append(
                dict(video=video['name'], runs=len(found), cutouts=sum(map(len, found)))
            )
        write_runs(part, runs)
    return summaries


def _cut_video(
    images: list[dict],
    boxes: dict[int, dict[int, np.ndarray]],
    data_root: Path,
    out: Path,
    name: str,
) -> dict[int, list[Cutout]]:
    """Cutouts of each id, in order of time."""
    (out / name).mkdir(parents=True)
    background = _background([data_root / image['file_name'] for image in images])
    tracks: dict[int, list[Cutout]] = {}
    with progress_bar(f'cutting out of {name}', len(images)) as advance:
        for image in images:
            frame = _read(data_root / image['file_name'])
            of_frame = boxes.get(image['id'], {})
            for target, box in of_frame.items():
                others = [other for key, other in of_frame.items() if key != target]
                if not _in_full_view(box, others, frame.shape):
                    continue
                cut = _cut(frame, background, box)
                if cut is None:
                    continue
                picture, corner = cut
                file = f'{name}/{target:04d}_{image["frame_id"]:06d}.png'
                if not cv2.imwrite(str(out / file), picture):
                    raise ValueError(f'{out / file} cannot be written')
                within = box - np.tile(corner, 2)
                tracks.setdefault(target, []).append(
                    Cutout(file, image['frame_id'], corner, tuple(within.round(2).tolist()))
                )
            advance()
    return tracks


def _background(files: list[Path]) -> np.ndarray:
    """``(H, W, 3)`` uint8, median over time."""
    step = max(1, len(files) // BACKGROUND_FRAMES)
    return np.median(np.stack([_read(file) for file in files[::step]]), 0).astype(np.uint8)


def _read(file: Path) -> np.ndarray:
    frame = cv2.imread(str(file))
    if frame is None:
        raise ValueError(f'{file} is missing or no image')
    return frame


def _in_full_view(box: np.ndarray, others: list[np.ndarray], shape: tuple[int, ...]) -> bool:
    """bool: whether nobody hides the target ``(4,)`` xyxy px, and the image does not cut it."""
    if (box[:2] < 1).any() or box[2] > shape[1] - 1 or box[3] > shape[0] - 1:
        return False
    for other in others:
        sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
        covered = np.prod(sides.clip(min=0)) / np.prod(box[2:] - box[:2])
        in_front = other[3] > box[3] - 2
        if covered > (MOST_HIDDEN if in_front else MOST_OVERLAP):
            return False
    return True


def _cut(
    frame: np.ndarray, background: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Picture ``(h, w, 4)`` uint8 BGRA of what differs from the background in a box, and its
    corner (x, y) px; None where that is not one thing that fills the box."""
    sides = box[2:] - box[:2]
    low = np.maximum(box[:2] - MARGIN * sides, 0).astype(int)
    high = np.minimum(box[2:] + MARGIN * sides, [frame.shape[1], frame.shape[0]]).astype(int)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    difference = cv2.absdiff(frame[window], background[window]).max(-1)
    mask = (cv2.GaussianBlur(difference, (3, 3), 0) > DIFFERENCE).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    size = max(3, int(sides[1] / 20) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc, iterations=2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    filled = stats[largest, cv2.CC_STAT_AREA] / np.prod(sides)
    if filled < LEAST_AREA or stats[largest, cv2.CC_STAT_HEIGHT] < LEAST_HEIGHT * sides[1]:
        return None
    alpha = cv2.GaussianBlur((labels == largest).astype(np.uint8) * 255, (3, 3), 0)
    return np.dstack([frame[window], alpha]), (int(low[0]), int(low[1]))


def _runs(tracks: dict[int, list[Cutout]]) -> Iterator[list[Cutout]]:
    """Tracks, parted at their gaps."""
    for track in tracks.values():
        frames = [cutout.frame for cutout in track]
        cuts = np.flatnonzero(np.diff(frames) > LONGEST_GAP) + 1
        bounds = [0, *cuts.tolist(), len(track)]
        for start, end in pairwise(bounds):
            if end - start >= SHORTEST:
                yield track[start:end]
