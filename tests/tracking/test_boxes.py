"""IoU on the host, against mmdet's."""

import numpy as np
from mmdet.evaluation.functional import bbox_overlaps

from lamotr_mm.tracking.boxes import pair_iou


def test_against_mmdet():
    rng = np.random.default_rng(0)
    for count, others in ((7, 5), (5, 7), (1, 3), (0, 3), (3, 0)):
        boxes, more = (
            np.sort(rng.uniform(0, 40, (n, 2, 2)), 1).reshape(n, 4) for n in (count, others)
        )
        found = pair_iou(boxes, more)
        assert found.dtype == np.float32 and found.shape == (count, others)
        assert np.array_equal(found, bbox_overlaps(boxes, more))


def test_by_hand():
    boxes = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [5, 5, 5, 9]])
    found = pair_iou(boxes, boxes)
    assert np.allclose(found[:2, :2], [[1, 1 / 3], [1 / 3, 1]])
    assert found[2].tolist() == [0, 0, 0]  # no area
