"""Proposals on the host, against mmdet's `predict_by_feat` behind `DenseProposals`."""

import numpy as np
import pytest
import torch
from mmcv.ops import nms
from mmengine.config import ConfigDict

from lamotr_mm.deploy.graphs import dense_outputs
from lamotr_mm.deploy.settings import ProposalSettings
from lamotr_mm.deploy.suppression import propose
from lamotr_mm.models.proposals import DenseProposals

PLACES = 12


def detector(score_thr: float, nms_pre: int, min_size: float = 0) -> DenseProposals:
    """Random weights; mmdet's own biases would make all scores alike."""
    part = DenseProposals(
        neck=dict(type='mmdet.FPN', in_channels=[8, 8], out_channels=8, num_outs=2),
        bbox_head=dict(
            type='mmdet.ATSSHead',
            num_classes=1,
            in_channels=8,
            feat_channels=32,
            stacked_convs=1,
            anchor_generator=dict(
                type='mmdet.AnchorGenerator',
                ratios=[0.5, 1.0, 2.0],
                octave_base_scale=2,
                scales_per_octave=1,
                strides=[8, 16],
            ),
            bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
            loss_bbox=dict(type='mmdet.GIoULoss'),
            loss_centerness=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True),
            test_cfg=ConfigDict(
                nms_pre=nms_pre,
                min_bbox_size=min_size,
                score_thr=score_thr,
                nms=dict(type='nms', iou_threshold=0.5),
                max_per_img=PLACES,
            ),
        ),
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return part.eval()


@pytest.mark.parametrize(
    ('score_thr', 'nms_pre', 'min_size'),
    [(0.05, 1000, 0), (0.3, 20, 0), (0.3, 1000, 25), (0.9, 1000, -1), (2.0, 1000, 0)],
)
def test_those_of_the_detector(score_thr, nms_pre, min_size):
    part = detector(score_thr, nms_pre, min_size)
    generator = torch.Generator().manual_seed(1)
    levels = tuple(torch.randn(1, 8, h, 2 * h, generator=generator) for h in (8, 4))
    shape = (61, 121)
    with torch.no_grad():
        expected = part(levels, [shape])
        dense = [tensor.numpy() for tensor in dense_outputs(part, levels, shape)]
    settings = ProposalSettings((3 * 128, 3 * 32), score_thr, nms_pre, min_size, 0.5, PLACES)
    boxes, scores = propose(*dense, shape, settings)
    if score_thr < 0.9:
        assert (scores > 0).all()
    elif score_thr > 1:
        assert not scores.any() and not boxes.any()
    np.testing.assert_allclose(scores, expected.scores.numpy(), atol=1e-6)
    np.testing.assert_allclose(boxes, expected.boxes_cxcywh.numpy(), atol=1e-6)


def test_suppression_is_that_of_mmcv():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, (300, 2))
    boxes = np.hstack([corners, corners + rng.uniform(5, 30, (300, 2))]).astype(np.float32)
    scores = rng.permutation(np.linspace(0.01, 1, 300)).astype(np.float32)
    settings = ProposalSettings((300,), 0.0, 300, 0, 0.4, 300)
    found, kept = propose(boxes, scores, np.ones_like(scores), (100, 100), settings)
    expected, _ = nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4)
    count = int((kept > 0).sum())
    assert 20 < count < 300 and count == len(expected)
    np.testing.assert_array_equal(kept[0, :count], expected[:, 4].numpy())
    centres = found[0, :count, :2] * 100
    np.testing.assert_allclose(centres, (expected[:, :2] + expected[:, 2:4]).numpy() / 2, rtol=1e-5)
