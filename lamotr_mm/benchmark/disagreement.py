"""Frames in which trackers disagree about an id, cut out and put side by side."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import mmcv
import numpy as np
from mmdet.datasets import BaseVideoDataset
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lamotr_mm.datasets.synthetic.render import get_scene
from lamotr_mm.evaluation.association import identities
from lamotr_mm.io.frame_meta import frame_number, sequence_name
from lamotr_mm.io.mot_rows import BOX, FLAG, FRAME, ID
from lamotr_mm.registry import DATASETS
from lamotr_mm.visualization.draw_tracks import colour_of, draw_boxes

MATCH_IOU = 0.5
BEFORE, AFTER = 2, 1  # frames shown around the one of the disagreement
STRIPS, SHOWN = 3, 5  # scenes, and rows in each
APART = 10  # frames between two scenes of a sequence
HEIGHT = 190  # px of a cut-out
GREY = (150, 150, 150)

# frame -> target -> id of the track on it
Owners = dict[int, dict[int, int]]


class Scene(NamedTuple):
    """A frame and target on which trackers disagree.

    Attributes:
        sequence, frame, target: where; `frame` is a number from 1, `target` an id of the ground
            truth.
        switched: row -> (id before, id now) of those that change the id.
        kept: row -> id of those that don't.
    """

    sequence: str
    frame: int
    target: int
    switched: dict[str, tuple[int, int]]
    kept: dict[str, int]


def owners(truth: np.ndarray, tracks: np.ndarray) -> Owners:
    """Which track lies on each target, frame by frame (one to one, IoU 0.5).

    Args:
        truth, tracks: rows ``(N, 8)`` of a sequence (`lamotr_mm.io.mot_rows`).
    """
    found: Owners = {}
    for number in np.unique(truth[:, FRAME]).astype(int).tolist():
        targets, boxes = truth[truth[:, FRAME] == number], tracks[tracks[:, FRAME] == number]
        known = (_xyxy(targets[:, BOX]), targets[:, ID].astype(int), targets[:, FLAG] == 0)
        whose = identities(_xyxy(boxes[:, BOX]), known, MATCH_IOU)
        pairs = zip(whose.tolist(), boxes[:, ID].astype(int).tolist())
        found[number] = {target: track for target, track in pairs if target >= 0}
    return found


def changes(of_frames: Owners) -> dict[tuple[int, int], tuple[int, int]]:
    """(frame, target) -> (id now, id when it was last found), of targets found before."""
    last: dict[int, int] = {}
    found = {}
    for number, on in sorted(of_frames.items()):
        for target, track in on.items():
            if target in last:
                found[number, target] = (track, last[target])
        last |= on
    return found


def find_scenes(by_row: Mapping[str, Mapping[str, Owners]], count: int = STRIPS) -> list[Scene]:
    """Where most rows change an id that most others keep; scenes far from each other.

    Args:
        by_row: row -> sequence -> owners.
        count: scenes at most.
    """
    scenes = []
    for sequence in next(iter(by_row.values()), {}):
        of_rows = {row: changes(found[sequence]) for row, found in by_row.items()}
        for frame, target in sorted(set().union(*of_rows.values())):
            here = {r: c[frame, target] for r, c in of_rows.items() if (frame, target) in c}
            switched = {r: (before, now) for r, (now, before) in here.items() if now != before}
            kept = {r: now for r, (now, before) in here.items() if now == before}
            if switched and kept:
                scenes.append(Scene(sequence, frame, target, switched, kept))
    scenes.sort(key=lambda s: -min(len(s.switched), len(s.kept)) - 0.01 * len(s.kept))
    chosen: list[Scene] = []
    for scene in scenes:
        near = [s for s in chosen if s.sequence == scene.sequence]
        if all(abs(s.frame - scene.frame) >= APART for s in near) and len(chosen) < count:
            chosen.append(scene)
    return chosen


class Strip(NamedTuple):
    """A scene in pictures.

    Attributes:
        title: where it is.
        frames: numbers of the frames that are shown.
        event: number of the frame of the change.
        rows: (name of a row, what it does, data URIs of the frames).
    """

    title: str
    frames: list[int]
    event: int
    rows: list[tuple[str, str, list[str]]]


def strips(folders: Mapping[str, Path], config: Config) -> list[Strip]:
    """Scenes in which rows disagree.

    Args:
        folders: row -> folder of a test.
        config: whose test data the frames are of.
    """
    rows = {name: _read(folder) for name, folder in folders.items()}
    if len(rows) < 2:
        return []
    by_row = {
        name: {seq: owners(truth, tracks) for seq, (truth, tracks) in found.items()}
        for name, found in rows.items()
    }
    images = Images(config)
    return [_strip(scene, rows, images) for scene in find_scenes(by_row)]


def _read(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    with np.load(folder / 'rows.npz') as stored:
        names = [name.partition('/')[2] for name in stored.files if name.startswith('truth/')]
        return {name: (stored[f'truth/{name}'], stored[f'tracks/{name}']) for name in names}


def _strip(scene: Scene, rows: Mapping[str, dict], images: 'Images') -> Strip:
    truth = next(iter(rows.values()))[scene.sequence][0]
    present = set(images.numbers(scene.sequence))
    around = range(scene.frame - BEFORE, scene.frame + AFTER + 1)
    numbers = [number for number in around if number in present]
    target = truth[(truth[:, ID] == scene.target) & np.isin(truth[:, FRAME], numbers)]
    window = _window(_xyxy(target[:, BOX]), images.get(scene.sequence, scene.frame).shape)
    drawn = []
    # some of either kind
    half = SHOWN // 2 + 1
    kept, switched = (
        list(scene.kept)[:half],
        list(scene.switched)[: SHOWN - min(half, len(scene.kept))],
    )
    for name in [*kept, *switched]:
        tracks = rows[name][scene.sequence][1]
        now = scene.kept.get(name)
        told = (
            f'keeps id {now}'
            if now is not None
            else 'id {} becomes {}'.format(*scene.switched[name])
        )
        cut = [
            _cut(images.get(scene.sequence, n), tracks[tracks[:, FRAME] == n], target, n, window)
            for n in numbers
        ]
        drawn.append((name, told, cut))
    title = f'{scene.sequence}, frame {scene.frame}: target {scene.target}'
    return Strip(title, numbers, scene.frame, drawn)


def _cut(
    image: np.ndarray, tracks: np.ndarray, target: np.ndarray, number: int, window: tuple
) -> str:
    """Data URI of a JPEG: a part of a frame with its tracks; the one on the target stands out."""
    x1, y1, x2, y2 = window
    scale = HEIGHT / (y2 - y1)
    boxes = _xyxy(tracks[:, BOX])
    of_frame = target[target[:, FRAME] == number]
    known = (_xyxy(of_frame[:, BOX]), of_frame[:, ID].astype(int), np.zeros(len(of_frame), bool))
    on_it = identities(boxes, known, MATCH_IOU) >= 0
    part = cv2.resize(image[y1:y2, x1:x2], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    ids = tracks[:, ID].astype(int).tolist()
    colours = [colour_of(i) if mine else GREY for i, mine in zip(ids, on_it)]
    texts = [str(i) for i in ids]
    shown = draw_boxes(part, (boxes - [x1, y1, x1, y1]) * scale, colours, texts, ~on_it)
    encoded = cv2.imencode('.jpg', shown, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return f'data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}'


def _window(boxes_xyxy: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A part of 4:3 around boxes, about three times as high as they are, inside the image."""
    height, width = shape[:2]
    left, top = boxes_xyxy[:, :2].min(0)
    right, bottom = boxes_xyxy[:, 2:].max(0)
    tall = min(height, width * 3 // 4, int(max(2.2 * (bottom - top), 1.5 * (right - left))))
    wide = tall * 4 // 3
    x = int(np.clip((left + right - wide) / 2, 0, width - wide))
    y = int(np.clip((top + bottom - tall) / 2, 0, height - tall))
    return x, y, x + wide, y + tall


def _xyxy(boxes_xywh: np.ndarray) -> np.ndarray:
    return np.hstack([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]])


class Images:
    """Frames by sequence and number, of the data that a config tests on."""

    def __init__(self, config: Config) -> None:
        init_default_scope(config.get('default_scope', 'mmdet'))
        dataset: BaseVideoDataset = DATASETS.build(
            {**config.test_dataloader.dataset, 'pipeline': []}
        )
        videos = [dataset.get_data_info(video)['images'] for video in range(len(dataset))]
        self._infos = {(sequence_name(i), frame_number(i)): i for video in videos for i in video}

    def numbers(self, sequence: str) -> Sequence[int]:
        """Of the frames of a sequence."""
        return [number for name, number in self._infos if name == sequence]

    def get(self, sequence: str, number: int) -> np.ndarray:
        """``(H, W, 3)`` uint8 BGR."""
        info = self._infos[sequence, number]
        if 'scene' in info:
            return get_scene(info['scene']).render(info['frame_id']).image
        return mmcv.imread(info['img_path'])
