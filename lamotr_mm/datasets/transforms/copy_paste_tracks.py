"""Targets from elsewhere, pasted into a clip."""

import random
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import avoid_cache_randomness

from lamotr_mm.io.cutouts import Cutout, read_picture, read_runs
from lamotr_mm.registry import TRANSFORMS

# ids of pasted targets start above all others
FIRST_ID = 1_000_000
# height of a pasted target, in heights of the one that it is placed beside
HEIGHTS = 0.9, 1.2
# its foot beside the other's: to the sides in widths, below in heights, so that it is in front
SIDEWAYS, BELOW = 1.5, 0.15
# factors and summands of its colours, of 255
CONTRAST, BRIGHTNESS = (0.7, 1.3), 20
# a target of which less than this share is in the image is not in the frame
LEAST_SEEN = 0.3


class Pasted(NamedTuple):
    """One target in one frame: colours ``(h, w, 3)`` and transparency ``(h, w, 1)``, float32, (x,
    y) of their corner in the frame, and the box ``(4,)`` xyxy, px."""

    colours: np.ndarray
    alpha: np.ndarray
    corner: np.ndarray
    box_xyxy: np.ndarray


@avoid_cache_randomness
@TRANSFORMS.register_module()
class CopyPasteTracks(BaseTransform):
    """Pastes targets that were cut out along their tracks in front of those of a clip.

    Each walks as it did where it was cut out, forwards or backwards, perhaps mirrored, scaled to
    the size of a target that it crosses in one of the frames: crossings without end, of which the
    ids are known. Copy-paste of single images (Ghiasi et al., CVPR 2021), along tracks; the paper
    has no such augmentation.

    It stands outside ``TransformBroadcaster``, after ``LoadTrackAnnotations`` and before images are
    resized. Changes ``img``, ``gt_bboxes``, ``gt_bboxes_labels``, ``gt_instances_ids`` and
    ``gt_ignore_flags``, each a list over the frames; reads ``frame_id``. Those who are hidden
    behind a pasted target keep their boxes, as people who hide each other do. Draws from `random`,
    so `SeededPipelineMixin` makes it repeatable.

    Args:
        cutouts (str): Folder that ``tools/dataset_converters/cut_out_targets.py`` made, of
            training frames.
        prob (float): Probability that a clip gets any.
        most (int): Largest number of pasted targets.
        label (int): Their class. Defaults to 0.

    Raises:
        ValueError: ``prob`` is no probability, ``most`` is below 1, or the index is broken.
        FileNotFoundError: There is no index.
    """

    def __init__(self, cutouts: str, prob: float = 0.5, most: int = 4, label: int = 0) -> None:
        if not 0 <= prob <= 1 or most < 1:
            raise ValueError(
                f'CopyPasteTracks needs prob in 0..1 and most >= 1, got {prob} and {most}'
            )
        self.folder = Path(cutouts)
        self.prob = prob
        self.most = most
        self.label = label

    @cached_property
    def runs(self) -> list[list[Cutout]]:
        """Of all targets."""
        return read_runs(self.folder)

    def transform(self, results: dict) -> dict:
        """Pastes.

        Args:
            results (dict[str, list]): A loaded clip, per key a list over its frames.

        Returns:
            dict[str, list]: The clip.
        """
        if random.random() >= self.prob:
            return results
        steps = np.abs(np.diff(results['frame_id']))
        times = np.concatenate([[0], np.cumsum(steps)])
        runs = [run for run in self.runs if run[-1].frame - run[0].frame >= times[-1]]
        if not runs:
            return results
        targets = [
            self._place(random.choice(runs), times, results['gt_bboxes'])
            for _ in range(random.randint(1, self.most))
        ]
        # who stands lower in the image is nearer
        targets = sorted((t for t in targets if t), key=lambda target: target[0].box_xyxy[3])
        for number, target in enumerate(targets):
            for frame, pasted in enumerate(target):
                self._paste(results, frame, pasted, FIRST_ID + number)
        return results

    def _place(
        self, run: list[Cutout], times: np.ndarray, boxes_xyxy: list[np.ndarray]
    ) -> list[Pasted]:
        """A target in each frame; empty where there is nobody to cross."""
        if random.random() < 0.5:
            run = [cutout._replace(frame=-cutout.frame) for cutout in run[::-1]]
        frames = np.array([cutout.frame for cutout in run])
        wanted = random.uniform(frames[0], frames[-1] - times[-1]) + times
        cutouts = [run[int(np.abs(frames - time).argmin())] for time in wanted]
        meeting = random.randrange(len(times))
        others = boxes_xyxy[meeting]
        if not len(others):
            return []
        left, top, right, bottom = others[random.randrange(len(others))]
        box = cutouts[meeting].box_xyxy
        scale = (bottom - top) / (box[3] - box[1]) * random.uniform(*HEIGHTS)
        foot = np.array(
            [
                (left + right) / 2 + (right - left) * random.uniform(-SIDEWAYS, SIDEWAYS),
                bottom + (bottom - top) * random.uniform(0, BELOW),
            ]
        )
        mirror = np.array([random.choice([-1, 1]), 1])
        contrast = random.uniform(*CONTRAST)
        brightness = random.uniform(-BRIGHTNESS, BRIGHTNESS)
        start = _foot(cutouts[meeting])
        target = []
        for cutout in cutouts:
            at = foot + (_foot(cutout) - start) * scale * mirror
            pasted = self._draw(cutout, at, scale, mirror[0] < 0)
            colours = (pasted.colours * contrast + brightness).clip(0, 255)
            target.append(pasted._replace(colours=colours))
        return target

    def _draw(self, cutout: Cutout, foot: np.ndarray, scale: float, mirrored: bool) -> Pasted:
        """A cutout, scaled, with its foot ``(2,)`` in px where it is wanted."""
        colours, alpha = read_picture(self.folder, cutout)
        box = np.array(cutout.box_xyxy)
        if mirrored:
            colours, alpha = colours[:, ::-1], alpha[:, ::-1]
            box[[0, 2]] = colours.shape[1] - box[[2, 0]]
        height, width = colours.shape[:2]
        size = max(2, round(width * scale)), max(2, round(height * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        colours, alpha = (
            cv2.resize(np.ascontiguousarray(part), size, interpolation=how)
            for part in (colours, alpha)
        )
        box = box * scale
        corner = foot - [(box[0] + box[2]) / 2, box[3]]
        return Pasted(
            colours, alpha[..., None], corner.round().astype(int), box + np.tile(corner, 2)
        )

    def _paste(self, results: dict, frame: int, pasted: Pasted, number: int) -> None:
        """Into one frame, if enough of it is seen there."""
        image = results['img'][frame]
        size = np.array(image.shape[1::-1])
        box = pasted.box_xyxy.clip(0, np.tile(size, 2))
        area, seen = (np.prod(sides[2:] - sides[:2]) for sides in (pasted.box_xyxy, box))
        if seen < LEAST_SEEN * area:
            return
        low = pasted.corner.clip(0)
        high = np.minimum(pasted.corner + pasted.alpha.shape[1::-1], size)
        (x, y), (left, top), (right, bottom) = pasted.corner, low, high
        window = np.s_[top:bottom, left:right]
        within = np.s_[top - y : bottom - y, left - x : right - x]
        alpha = pasted.alpha[within]
        image = image.copy()
        image[window] = image[window] * (1 - alpha) + pasted.colours[within] * alpha
        results['img'][frame] = image
        added = dict(
            gt_bboxes=box[None],
            gt_bboxes_labels=[self.label],
            gt_instances_ids=[number],
            gt_ignore_flags=[False],
        )
        for key, value in added.items():
            old = results[key][frame]
            results[key][frame] = np.concatenate([old, np.asarray(value, dtype=old.dtype)])

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(cutouts={str(self.folder)!r}, prob={self.prob}, '
            f'most={self.most}, label={self.label})'
        )


def _foot(cutout: Cutout) -> np.ndarray:
    """Middle of the lower side of the box in its own video, (x, y) px."""
    left, _, right, bottom = cutout.box_xyxy
    x, y = cutout.corner
    return np.array([x + (left + right) / 2, y + bottom])
