"""Clips as a model gets them: augmented frames side by side with their boxes and ids."""

from collections.abc import Sequence

import numpy as np
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from lamotr_mm.io.frame_meta import frame_number, sequence_name

from .contact_sheet import BACKGROUND, GAP, contact_sheet
from .draw_tracks import colour_of, draw_boxes, put_caption

IGNORED_COLOUR = (255, 255, 255)
LINE = 20  # px, height of a line of the caption


def draw_clip(
    inputs: Tensor,
    sample: TrackDataSample,
    classes: Sequence[str] = ('object',),
    original_boxes: bool = False,
) -> np.ndarray:
    """A clip's frames side by side below a caption.

    Targets have boxes and labels in the colour of their id, ignored boxes are dashed and white. The
    caption says video, frame numbers and interval, and with several classes the ids of each.

    Args:
        inputs: ``(T, 3, H, W)`` uint8 BGR, as ``PackTrackInputs`` packs it.
        sample: the clip's annotation; each frame has ``gt_instances`` and ``ignored_instances``.
        classes: names by label.
        original_boxes: whether boxes are px of the original images (test pipelines load them after
            resizing) instead of px of the inputs.

    Returns:
        ``(h, w, 3)`` uint8 BGR.
    """
    tiles = []
    for image, frame in zip(inputs.numpy().transpose(0, 2, 3, 1), sample):
        meta = frame.metainfo
        scale = np.ones(2)
        if original_boxes:
            scale = np.divide(meta['img_shape'][:2], meta['ori_shape'][:2])[::-1]
        picture = _draw_frame(image, frame, np.tile(scale, 2))
        tiles.append((frame_number(meta), picture))
    sheet = contact_sheet(tiles, columns=len(tiles))
    strip = np.full((LINE, sheet.shape[1] - GAP, 3), BACKGROUND, np.uint8)
    lines = np.concatenate([put_caption(strip, text) for text in _caption(sample, classes)])
    above_left = ((GAP, 0), (GAP, 0), (0, 0))
    return np.concatenate([np.pad(lines, above_left, constant_values=BACKGROUND), sheet])


def _caption(sample: TrackDataSample, classes: Sequence[str]) -> list[str]:
    """Lines of text above a clip."""
    metas = [frame.metainfo for frame in sample]
    numbers = [frame_number(meta) for meta in metas]
    height, width = metas[0]['img_shape'][:2]
    text = f'{sequence_name(metas[0])}   frame {", ".join(map(str, numbers))}'
    if len(numbers) > 1:
        text += f'   interval {numbers[1] - numbers[0]}'
    text += f'   {width}x{height} px'
    if metas[0].get('flip'):
        text += '   flipped'
    if any(len(frame.ignored_instances) for frame in sample):
        text += '   dashed: ignored'
    lines = [text]
    if len(classes) > 1:
        ids: dict[str, set[int]] = {name: set() for name in classes}
        for frame in sample:
            targets = frame.gt_instances
            for label, number in zip(targets.labels.tolist(), targets.instances_ids.tolist()):
                ids[classes[label]].add(number)
        parts = [f'{name}: {" ".join(map(str, sorted(found)))}' for name, found in ids.items()]
        lines.append('   '.join(part for part in parts))
    return lines


def _draw_frame(image_bgr: np.ndarray, frame: DetDataSample, scale: np.ndarray) -> np.ndarray:
    """A copy with targets and ignored boxes; `scale` of x, y, x, y brings them into the image."""
    targets, ignored = frame.gt_instances, frame.ignored_instances
    boxes_xyxy = [get_box_tensor(part.bboxes).numpy() for part in (targets, ignored)]
    ids = targets.instances_ids.tolist()
    return draw_boxes(
        image_bgr,
        np.concatenate(boxes_xyxy) * scale,
        [colour_of(number) for number in ids] + [IGNORED_COLOUR] * len(ignored),
        [str(number) for number in ids] + [''] * len(ignored),
        dashed=np.repeat([False, True], [len(ids), len(ignored)]),
    )
