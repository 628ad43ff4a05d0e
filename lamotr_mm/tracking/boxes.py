"""Boxes on the host."""

import numpy as np


def pair_iou(boxes_xyxy: np.ndarray, others_xyxy: np.ndarray) -> np.ndarray:
    """IoU of every box ``(n, 4)`` with every other ``(m, 4)``, xyxy px -> ``(n, m)`` float32; of
    boxes without area: 0.
    """
    boxes, others = (np.asarray(part, np.float32) for part in (boxes_xyxy, others_xyxy))
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(min=0).prod(-1)
    area, others_area = ((part[:, 2:] - part[:, :2]).prod(-1) for part in (boxes, others))
    union = area[:, None] + others_area - shared
    return shared / np.maximum(union, np.float32(1e-6))
