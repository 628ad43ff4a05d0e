"""Table 4's associations by hand, against float64 transcriptions; a step and a video of each."""

import numpy as np
import pytest
import torch

from lamotr_mm.models import (
    CombinedAssociation,
    FeatureAssociation,
    IoUAssociation,
    NoAssociation,
)
from lamotr_mm.models.association import EPS
from lamotr_mm.models.structures import Detections

OBJECTS, SLOTS, WIDTH, LAYERS = 5, 3, 8, 3


@pytest.fixture
def detections():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    queries = OBJECTS + SLOTS
    boxes = draw(LAYERS, 2, queries, 4).sigmoid() * 0.5 + 0.2
    boxes[-1, 0, OBJECTS] = boxes[-1, 0, 0]  # IoU 1
    boxes[-1, 0, OBJECTS + 1] = torch.tensor([0.05, 0.05, 0.01, 0.01])  # touches nobody
    embeds, anchors = draw(2, queries, WIDTH), draw(2, queries, 4).sigmoid()
    entering = anchors[:, OBJECTS:]
    return Detections(embeds, anchors, draw(LAYERS, 2, queries, 2), boxes, embeds, entering)


def associate(module, detections):
    valid = torch.ones(2, SLOTS, dtype=torch.bool)
    return module.double()(detections, valid, None)


def iou(a, b):
    """Of two boxes cxcywh."""
    overlap = [
        max(
            0.0,
            min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2)
            - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2),
        )
        for i in range(2)
    ]
    inner = overlap[0] * overlap[1]
    return inner / (a[2] * a[3] + b[2] * b[3] - inner)


def all_ious(detections):
    boxes = detections.boxes_cxcywh[-1].numpy()
    return np.array(
        [[[iou(a, b) for b in clip[OBJECTS:]] for a in clip[:OBJECTS]] for clip in boxes]
    )


def all_cosines(module, detections):
    first, second = ((layer.weight, layer.bias) for layer in module.reid_branch.layers)
    (w1, b1), (w2, b2) = ([p.detach().numpy() for p in layer] for layer in (first, second))
    features = np.maximum(detections.embeds.numpy() @ w1.T + b1, 0) @ w2.T + b2
    return np.array(
        [
            [[a @ b / np.sqrt((a @ a) * (b @ b)) for b in clip[OBJECTS:]] for a in clip[:OBJECTS]]
            for clip in features
        ]
    )


def appearance(module, detections):
    return (1 + all_cosines(module, detections)) / 2


KINDS = {
    'none': (NoAssociation, lambda module, d: np.zeros((2, OBJECTS, SLOTS))),
    'iou': (IoUAssociation, lambda module, d: all_ious(d)),
    'feature': (lambda: FeatureAssociation(WIDTH, 6), appearance),
    'combination': (
        lambda: CombinedAssociation(WIDTH, 6),
        lambda module, d: (appearance(module, d) + all_ious(d)) / 2,
    ),
}


@pytest.mark.parametrize('kind', KINDS)
def test_similarity_equals_the_transcription(kind, detections):
    torch.manual_seed(0)
    make, reference = KINDS[kind]
    module = make()
    similarity = associate(module, detections).asso_logits.sigmoid().detach().numpy()
    expected = reference(module.double(), detections).clip(EPS, 1 - EPS)
    np.testing.assert_allclose(similarity, expected, atol=2e-6)  # mmdet's IoU adds 1e-6
    if kind != 'none':
        assert similarity.std() > 0.03


def test_extremes_of_the_iou_have_finite_logits(detections):
    logits = associate(IoUAssociation(), detections).asso_logits
    assert torch.isfinite(logits).all()
    assert logits[0, 0, 0].sigmoid() > 0.9999
    assert (logits[0, :, 1].sigmoid() < 1e-5).all()


def test_the_last_decoder_layer_is_the_prediction(detections):
    """It has its loss once: the layers that are left for auxiliary losses are those before it."""
    output = associate(IoUAssociation(), detections)
    assert torch.equal(output.embeds, detections.embeds)
    for name in ('logits', 'boxes_cxcywh'):
        layers = torch.cat([getattr(output.detections, name), getattr(output, name)])
        assert torch.equal(layers, getattr(detections, name))
        assert len(getattr(output, name)) == 1
    assert output.num_objects == OBJECTS


def test_boxes_get_no_gradient_from_the_similarity(detections):
    """A box is where its object is, not where it would be most like a tracklet."""
    detections.boxes_cxcywh.requires_grad_()
    detections.embeds.requires_grad_()
    associate(CombinedAssociation(WIDTH, 6), detections).asso_logits.sum().backward()
    assert detections.boxes_cxcywh.grad is None
    assert (detections.embeds.grad != 0).any()


# ---------------------------------------------------------------- as a part of the model

CARRY_ALL = {'clip_tracklets.score_thr': 0.0, 'clip_tracklets.iou_thr': -1.0}
FEATURES = dict(_delete_=True, embed_dims=32, feature_dims=16)
BYTE = {'lifecycle.type': 'lamotr_mm.TwoStageLifecycle', 'out_score_thr': 0.0, 'out_min_area': 0.0}
CONTRASTIVE = {'criterion.type': 'lamotr_mm.ContrastiveTrackingLoss', **BYTE}
ROWS = {
    'iou': {'sgla': dict(_delete_=True, type='lamotr_mm.IoUAssociation'), **BYTE},
    'feature': {'sgla': dict(FEATURES, type='lamotr_mm.FeatureAssociation'), **CONTRASTIVE},
    'combination': {'sgla': dict(FEATURES, type='lamotr_mm.CombinedAssociation'), **CONTRASTIVE},
    'single decoder': {
        'sgla': dict(_delete_=True, type='lamotr_mm.NoAssociation'),
        'criterion': dict(_delete_=True, type='lamotr_mm.SingleDecoderLoss'),
        'out_score_thr': 0.0,
        'out_min_area': 0.0,
    },
}
BOXES = {1: [8, 8, 40, 40], 2: [50, 10, 90, 50], 3: [20, 30, 60, 60]}


@pytest.mark.parametrize('frames', [[(1, 2), (2, 3), (1, 3)], [(1,), (1,)], [(), ()], [(), (1,)]])
@pytest.mark.parametrize('row', ROWS)
def test_every_parameter_gets_a_gradient(row, frames, build_tiny, make_clip, images):
    """With and without targets and tracklets: DDP finds no unused parameter."""
    model = build_tiny({**CARRY_ALL, **ROWS[row], 'backbone.frozen_stages': 1}).train()
    clip = make_clip([{i: BOXES[i] for i in ids} for ids in frames])
    losses = model.loss(images(1, len(frames)), [clip])
    loss = sum(value for name, value in losses.items() if 'loss' in name)
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
    assert losses['tck_total'] == {3: 3, 2: len(frames[0])}[len(frames)]
    if row in ('feature', 'combination') and len(frames) == 3:
        assert losses['loss_asso'] > 0
        assert model.sgla.reid_branch.layers[0].weight.grad.abs().max() > 0
    else:
        assert losses['loss_asso'] == 0 or row == 'iou'


@pytest.mark.parametrize('row', ROWS)
def test_identities_go_on_over_frames(row, build_tiny, make_clip, images):
    """Where nothing moves and every query is sure, tracks keep their ids."""
    model = build_tiny({**ROWS[row], 'lifecycle.birth_iou': 0.6}).eval()
    with torch.no_grad():
        for branch in model.sotd_head.cls_branches:
            branch.bias.fill_(4.0)
        for branch in model.sotd_head.reg_branches:  # boxes stay where they were
            for parameter in branch[-1].parameters():
                parameter.zero_()
    clip = model.predict(images(1, 1).repeat(1, 3, 1, 1, 1), [make_clip([{}, {}, {}])])[0]
    ids = [set(frame.pred_track_instances.instances_id.tolist()) for frame in clip]
    assert ids[0]
    assert ids[0] <= ids[1]
    assert ids[0] <= ids[2]
    matched = len(clip[1].association['matches'])
    assert matched == (0 if row == 'single decoder' else len(ids[0]))
