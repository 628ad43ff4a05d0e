"""Targets that were cut out of video along their tracks: PNGs with transparency and an index."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .files import replace_on_success

INDEX = 'cutouts.json'


class Cutout(NamedTuple):
    """A target in one frame.

    Attributes:
        file: PNG with transparency, below the folder of the index.
        frame: number of the frame within its video, from 0.
        corner: (x, y) of the picture in the frame, px.
        box_xyxy: of the target within the picture, px.
    """

    file: str
    frame: int
    corner: tuple[int, int]
    box_xyxy: tuple[float, float, float, float]


def write_runs(folder: Path, runs: list[list[Cutout]]) -> None:
    """Write the index; a run is one target, in order of time."""
    content = dict(runs=[[cutout._asdict() for cutout in run] for run in runs])
    with replace_on_success(folder / INDEX) as part:
        part.write_text(json.dumps(content))


def read_runs(folder: Path) -> list[list[Cutout]]:
    """Read the index.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no such index, or has no run.
    """
    file = folder / INDEX
    remedy = 'make it with tools/dataset_converters/cut_out_targets.py'
    if not file.is_file():
        raise FileNotFoundError(f'{file} does not exist: {remedy}')
    try:
        found = json.loads(file.read_text())['runs']
        runs = [[Cutout(**cutout) for cutout in run] for run in found]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{file} is no index of cutouts ({error}): {remedy}') from error
    if not runs:
        raise ValueError(f'{file} has no cutouts: {remedy}, from video with larger targets')
    return runs


def read_picture(folder: Path, cutout: Cutout) -> tuple[np.ndarray, np.ndarray]:
    """``(h, w, 3)`` float32 BGR in 0..255, and how much of each pixel is the target, ``(h, w, 1)``
    float32 in 0..1.

    Raises:
        ValueError: the file is missing or has no transparency.
    """
    picture = cv2.imread(str(folder / cutout.file), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
        raise ValueError(f'{folder / cutout.file} is missing or no PNG with transparency')
    colours, alpha = picture[..., :3], picture[..., 3:]
    return colours.astype(np.float32), alpha.astype(np.float32) / 255
