"""`DenseProposals` against mmdet's own detector, and what the object queries make of them."""

import pytest
import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy

from lamotr_mm.apis.benchmark import count_parameters, measure
from lamotr_mm.models.proposals import DenseProposals, Proposals
from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState

OBJECTS, PLACES = 9, 5
PROPOSALS = dict(
    type='lamotr_mm.DenseProposals',
    neck=dict(type='mmdet.FPN', in_channels=[32, 64], out_channels=16, num_outs=2),
    bbox_head=dict(
        type='mmdet.ATSSHead',
        num_classes=1,
        in_channels=16,
        feat_channels=32,
        stacked_convs=1,
        anchor_generator=dict(
            type='mmdet.AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=2,
            scales_per_octave=1,
            strides=[16, 32],
        ),
        bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='mmdet.GIoULoss'),
        loss_centerness=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True),
        test_cfg=dict(
            nms_pre=100,
            min_bbox_size=0,
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.6),
            max_per_img=PLACES,
        ),
    ),
)
TAKES = {'proposals': PROPOSALS, 'sotd_head.takes_proposals': True}
SHAPES = [(64, 96), (50, 81)]


@pytest.fixture
def model(build_tiny):
    return build_tiny(TAKES).double()


@pytest.fixture
def levels(model, images):
    with torch.no_grad():
        return model.backbone(images(1, 2)[0].double())


def test_boxes_and_scores_are_those_of_the_detector(model, levels):
    part = model.proposals
    found = part(levels, SHAPES)
    metas = [dict(img_shape=shape, scale_factor=(1.0, 1.0)) for shape in SHAPES]
    with torch.no_grad():
        outputs = part.bbox_head(part.neck(levels))
        outputs = [[level.float() for level in kind] for kind in outputs]
        results = part.bbox_head.predict_by_feat(*outputs, batch_img_metas=metas)
    assert found.boxes_cxcywh.shape == (2, PLACES, 4)
    for image, (result, (height, width)) in enumerate(zip(results, SHAPES)):
        assert len(result) > 2
        boxes = bbox_cxcywh_to_xyxy(found.boxes_cxcywh[image, : len(result)].float())
        size = boxes.new_tensor([width, height, width, height])
        torch.testing.assert_close(boxes * size, result.bboxes)
        torch.testing.assert_close(found.scores[image, : len(result)].float(), result.scores)
        assert (found.scores[image].diff() <= 0).all()


def test_empty_places_have_score_0(model, levels):
    model.proposals.bbox_head.test_cfg.score_thr = 2.0
    found = model.proposals(levels, SHAPES)
    assert not found.scores.any()
    assert found.scores.shape == (2, PLACES)


def test_it_stays_as_it_is_in_training(model, images, make_clip):
    boxes = [{1: [10.0 + t, 10, 40 + t, 40]} for t in range(3)]
    losses = model.train().loss(images(1, 3).double(), [make_clip(boxes)])
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert not any(p.requires_grad or p.grad is not None for p in model.proposals.parameters())
    head = model.sotd_head
    assert head.proposal_embedding.weight.grad.abs().sum() > 0
    assert head.proposal_score.weight.grad.abs().sum() > 0


def proposals_of(scores):
    """Boxes of 0.1 to 0.5 of the image, with these scores."""
    scores = torch.tensor([scores], dtype=torch.double)
    boxes = torch.linspace(0.1, 0.5, 4 * scores.shape[1]).double().reshape(1, -1, 4)
    return Proposals(boxes, scores)


def first_layer(model, features, proposals):
    """What enters the decoder: contents and anchors of the objects."""
    seen = {}

    def look(module, args):
        seen['query'], seen['anchors'] = args[:2]

    hook = model.sotd_head.decoder.register_forward_pre_hook(look)
    state = TrackletState.empty(1, 2, features.memory)
    model.sotd_head(features._replace(proposals=proposals), state)
    hook.remove()
    return seen['query'][0, :OBJECTS], seen['anchors'][0, :OBJECTS]


@pytest.fixture
def features(model, images):
    with torch.no_grad():
        return model.encode(images(1, 1)[0].double(), [(64, 96)])


def test_a_proposal_takes_the_place_of_a_learned_query(model, features):
    """By hand: content = embedding + W logit(score) + b, anchor = box; the others as learned."""
    head, proposals = model.sotd_head, proposals_of([0.75, 0.0, 0.5, 1.0])
    content, anchors = first_layer(model, features, proposals)
    learned = head.query_embedding.weight, head.anchor_embedding.weight.sigmoid()
    for place, logit in ((0, 3.0), (2, 1.0), (3, 999.0)):
        logit = torch.tensor(logit).double().log()  # of the odds 3:1, 1:1 and, cut off, 999:1
        map_ = head.proposal_score
        expected = head.proposal_embedding.weight[0] + map_.weight[:, 0] * logit + map_.bias
        torch.testing.assert_close(content[place], expected)
        torch.testing.assert_close(anchors[place], proposals.boxes_cxcywh[0, place])
    for place in (1, *range(4, OBJECTS)):
        torch.testing.assert_close(content[place], learned[0][place])
        torch.testing.assert_close(anchors[place], learned[1][place])


def test_without_detections_the_objects_are_the_learned_ones(model, features):
    state = TrackletState.empty(1, 2, features.memory)
    empty = model.sotd_head(features._replace(proposals=proposals_of([0.0, 0.0])), state)
    without = model.sotd_head(features._replace(proposals=None), state)
    for one, other in (
        (empty.logits[:, :, :OBJECTS], without.logits[:, :, :OBJECTS]),
        (empty.boxes_cxcywh, without.boxes_cxcywh),
        (empty.embeds, without.embeds),
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_at_initialisation_scores_and_boxes_are_the_detector_s(tiny_config, images):
    """In every layer of decoder and SGLA; tracklets have 0.5 and their anchors, learned queries
    0.01."""
    model = MODELS.build(tiny_config(TAKES))
    model.init_weights()
    model = model.double().eval()
    proposals = proposals_of([0.75, 0.0, 0.5, 1.0])
    with torch.no_grad():
        features = model.encode(images(1, 1)[0].double(), [(64, 96)])
        state = TrackletState.empty(1, 2, features.memory)
        state.anchor_cxcywh[:] = torch.tensor([0.4, 0.5, 0.1, 0.2])
        state.valid[:] = True
        output = model.decode_frame(features._replace(proposals=proposals), state)
    expected = torch.tensor([0.75, 0.01, 0.5, 0.999, *[0.01] * (OBJECTS - 4), 0.5, 0.5])
    for logits in (*output.detections.logits, *output.logits):
        scores = logits[0].sigmoid()
        torch.testing.assert_close(scores, expected.double()[:, None].expand_as(scores))
    taken = proposals.scores[0] > 0
    for boxes in (*output.detections.boxes_cxcywh, *output.boxes_cxcywh):
        torch.testing.assert_close(boxes[0, :4][taken], proposals.boxes_cxcywh[0][taken])
        torch.testing.assert_close(boxes[0, OBJECTS:], state.anchor_cxcywh[0])


def test_boxes_of_proposals_can_be_held(build_tiny, images, spread_parameters):
    """With weights that move boxes: those of proposals stay in every layer of decoder and SGLA;
    learned queries, tracklets and all scores are learned."""
    overrides = TAKES | {'sotd_head.holds_proposals': True}
    model = spread_parameters(build_tiny(overrides).double(), std=0.5)
    proposals = proposals_of([0.75, 0.0, 0.5, 1.0])
    with torch.no_grad():
        features = model.encode(images(1, 1)[0].double(), [(64, 96)])
        state = TrackletState.empty(1, 2, features.memory)
        state.anchor_cxcywh[:] = torch.tensor([0.4, 0.5, 0.1, 0.2])
        state.valid[:] = True
        output = model.decode_frame(features._replace(proposals=proposals), state)
        anchors = torch.cat(
            [model.sotd_head.anchor_embedding.weight.sigmoid(), *[state.anchor_cxcywh[0]]]
        )
    held = torch.zeros(OBJECTS + 2, dtype=torch.bool)
    held[[0, 2, 3]] = True
    every = [*output.detections.boxes_cxcywh, *output.boxes_cxcywh]
    for boxes in every:
        assert boxes[0, [0, 2, 3]].equal(proposals.boxes_cxcywh[0, [0, 2, 3]])
        assert ((boxes[0] - anchors).abs().amax(1)[~held] > 1e-3).all()
    scores = output.logits[-1, 0, [0, 2, 3], 0].sigmoid()
    assert ((scores - torch.tensor([0.75, 0.5, 0.999])).abs() > 1e-3).all()


def test_frames_of_a_clip_get_their_own(model, images):
    with torch.no_grad():
        features = model.encode(images(2, 3).flatten(0, 1).double(), [(64, 96)] * 6)
    second = features.by_frame(3)[1].proposals
    torch.testing.assert_close(second.scores, features.proposals.scores[[1, 4]])
    torch.testing.assert_close(second.boxes_cxcywh, features.proposals.boxes_cxcywh[[1, 4]])


@pytest.mark.parametrize(
    ('overrides', 'message'),
    [
        ({'proposals': PROPOSALS}, 'sotd_head.takes_proposals=False, but model.proposals is set'),
        ({'sotd_head.takes_proposals': True}, 'takes_proposals=True, but model.proposals is not'),
        ({'sotd_head.holds_proposals': True}, 'holds_proposals=True needs takes_proposals=True'),
        (TAKES | {'sotd_head.num_queries': 4}, r'max_per_img=5 must be at most .*num_queries=4'),
        (
            TAKES | {'sotd_head.type': 'lamotr_mm.DeformableSOTDHead'},
            'DeformableSOTDHead cannot take proposals',
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(tiny_config, overrides, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(tiny_config(overrides))


def test_one_class_only():
    head = PROPOSALS['bbox_head'] | dict(num_classes=2)
    with pytest.raises(ValueError, match='num_classes=2 must be 1'):
        DenseProposals(PROPOSALS['neck'], head)


def test_they_are_a_stage_of_their_own(model):
    ms = measure(model.eval().float(), (64, 96), 2, repeat=1)
    stages = ['backbone', 'neck', 'encoder', 'proposals', 'sotd', 'sgla', 'update', 'lifecycle']
    assert list(ms) == [*stages, 'total'] and ms['proposals'] > 0
    assert count_parameters(model)['proposals'] == 0, 'they are frozen'
