"""From a still image to a clip with motion."""

import random

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import avoid_cache_randomness

from lamotr_mm.registry import TRANSFORMS

# what differs between the frames afterwards
CHANGED_KEYS = ('img', 'gt_bboxes', 'gt_bboxes_labels', 'gt_instances_ids', 'gt_ignore_flags')


@avoid_cache_randomness
@TRANSFORMS.register_module()
class RepeatedRandomShift(BaseTransform):
    """Moves a clip that repeats one image, as if the camera panned.

    A shift is drawn once per clip, so that its motion is constant, as with one interval between
    the frames of a video. Each frame is the frame before it with so many px cut off at the left or
    right and at the upper or lower side, resized back to the image's size. Boxes follow, clipped to
    what is left; those wholly outside are dropped with their labels and ids, as mmdet's
    ``RandomCrop`` does. Then the clip may be reversed in time: targets that left now enter.

    It stands outside ``TransformBroadcaster``, after ``LoadTrackAnnotations`` and before images are
    resized. Changes ``img``, ``gt_bboxes``, ``gt_bboxes_labels``, ``gt_instances_ids`` and
    ``gt_ignore_flags``, each a list over the frames. Clips of different frames (by ``img_path``)
    are left as they are. Draws from `random`, so `SeededPipelineMixin` makes it repeatable.

    Args:
        max_shift (int): Largest shift between neighbouring frames along each axis, in px of the
            image; at most half the image's side. Defaults to 50.
        reverse_prob (float): Probability that the clip is reversed. Defaults to 0.5.

    Raises:
        ValueError: ``max_shift`` is negative or ``reverse_prob`` is no probability.
    """

    def __init__(self, max_shift: int = 50, reverse_prob: float = 0.5) -> None:
        if max_shift < 0 or not 0 <= reverse_prob <= 1:
            raise ValueError(
                'RepeatedRandomShift needs max_shift >= 0 and reverse_prob in 0..1, '
                f'got {max_shift} and {reverse_prob}'
            )
        self.max_shift = max_shift
        self.reverse_prob = reverse_prob

    def transform(self, results: dict) -> dict:
        """Makes the clip's frames anew from its first one.

        Args:
            results (dict[str, list]): A loaded clip, per key a list over its frames.

        Returns:
            dict[str, list]: The clip.
        """
        if len(set(results['img_path'])) > 1:
            return results
        height, width = results['img'][0].shape[:2]
        shift_x, shift_y = self._draw_shift(width), self._draw_shift(height)
        frames = [{key: results[key][0] for key in CHANGED_KEYS if key in results}]
        while len(frames) < len(results['img']):
            frames.append(shift_frame(frames[-1], shift_x, shift_y))
        if random.random() < self.reverse_prob:
            frames.reverse()
        results.update({key: [frame[key] for frame in frames] for key in frames[0]})
        return results

    def _draw_shift(self, side: int) -> int:
        largest = min(self.max_shift, side // 2)
        return random.randint(-largest, largest)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(max_shift={self.max_shift}, reverse_prob={self.reverse_prob})'
        )


def shift_frame(frame: dict, shift_x: int, shift_y: int) -> dict:
    """Cuts off the left (`shift_x` > 0) or right and the upper (`shift_y` > 0) or lower side, and
    resizes what is left to the size before.

    Args:
        frame (dict): ``img`` (H, W, 3) uint8, ``gt_bboxes`` (n, 4) float32 xyxy px, other ``gt_*``
            arrays (n,).
        shift_x, shift_y (int): px, below the image's sides.

    Returns:
        dict: The new frame; `frame` stays as it is.
    """
    height, width = frame['img'].shape[:2]
    left, top = max(shift_x, 0), max(shift_y, 0)
    crop = frame['img'][top : height + min(shift_y, 0), left : width + min(shift_x, 0)]
    crop_height, crop_width = crop.shape[:2]
    shifted = dict(img=mmcv.imresize(crop, (width, height)))
    boxes_xyxy = frame['gt_bboxes'] - np.array([left, top, left, top], np.float32)
    boxes_xyxy = boxes_xyxy.clip(0, np.array([crop_width, crop_height] * 2, np.float32))
    inside = (boxes_xyxy[:, :2] < boxes_xyxy[:, 2:]).all(1)
    scale = np.array([width / crop_width, height / crop_height] * 2, np.float32)
    shifted['gt_bboxes'] = boxes_xyxy[inside] * scale
    for key in frame.keys() - shifted.keys():
        shifted[key] = frame[key][inside]
    return shifted
