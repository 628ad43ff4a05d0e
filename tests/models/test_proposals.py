"""`DenseProposals` against mmdet's own detector, and what the object queries make of them."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmcv.ops import nms
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from small_detector import PLACES, PROPOSALS, TAKES

from lamotr_mm.apis.benchmark import count_parameters, measure
from lamotr_mm.io.frames import open_frames
from lamotr_mm.models import proposals as proposals_module
from lamotr_mm.models.proposals import DenseProposals, Proposals, best_apart
from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState

OBJECTS = 9
SHAPES = [(64, 96), (50, 81)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def model(build_tiny):
    return build_tiny(TAKES).double()


@pytest.fixture
def levels(model, images):
    with torch.no_grad():
        return model.backbone(images(1, 2)[0].double())


@pytest.fixture(params=[False, True], ids=['mmcv', 'fixed shapes'])
def each_way(request, monkeypatch):
    """On a CPU and, but for the device, on a GPU."""
    monkeypatch.setattr(proposals_module, 'has_fixed_shapes', lambda tensor: request.param)


def detector_s(part, outputs, shapes):
    """What mmdet makes of the head's outputs, as boxes xyxy and score by image."""
    metas = [dict(img_shape=shape, scale_factor=(1.0, 1.0)) for shape in shapes]
    outputs = [[level.float() for level in kind] for kind in outputs]
    results = part.bbox_head.predict_by_feat(*outputs, batch_img_metas=metas)
    return [torch.cat([r.bboxes, r.scores[:, None]], 1) for r in results]


def ours(part, levels, shapes):
    """As :func:`detector_s`, filled places first; those that are not filled are 0."""
    found = part(levels, shapes)
    results = []
    for boxes, scores, (height, width) in zip(*found, shapes):
        assert boxes.shape == (part.places, 4) and (scores.diff() <= 0).all()
        assert not boxes[scores == 0].any()
        boxes = bbox_cxcywh_to_xyxy(boxes) * boxes.new_tensor([width, height] * 2)
        results.append(torch.cat([boxes, scores[:, None]], 1)[scores > 0].float())
    return results


def assert_alike(ours, reference):
    for one, two in zip(ours, reference, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-4)  # px; bound of the scores below
        torch.testing.assert_close(one[:, 4], two[:, 4], rtol=0, atol=1e-6)


@pytest.mark.usefixtures('each_way')
def test_boxes_and_scores_are_those_of_the_detector(model, levels):
    part = model.proposals
    with torch.no_grad():
        reference = detector_s(part, part.bbox_head(part.neck(levels)), SHAPES)
    assert all(len(boxes) > 2 for boxes in reference)
    assert_alike(ours(part, levels, SHAPES), reference)


def head_of(monkeypatch, places=40, kind='mmdet.ATSSHead', **test_cfg):
    """Proposals of five levels, three anchors a pixel, which take the head's outputs for levels."""
    init_default_scope('mmdet')
    head = PROPOSALS['bbox_head']
    anchors = dict(head['anchor_generator'], ratios=[0.5, 1.0, 2.0], strides=[8, 16, 32, 64, 128])
    head = dict(head, type=kind, anchor_generator=anchors)
    head['bbox_coder'] = dict(head['bbox_coder'], target_stds=[0.1, 0.2, 0.3, 0.4])
    head['test_cfg'] = {**head['test_cfg'], 'max_per_img': places, 'score_thr': 0.05, **test_cfg}
    if kind != 'mmdet.ATSSHead':
        head = {key: value for key, value in head.items() if key != 'loss_centerness'}
    part = DenseProposals(PROPOSALS['neck'], ConfigDict(head))
    monkeypatch.setattr(part.neck, 'forward', lambda levels: levels)
    monkeypatch.setattr(part.bbox_head, 'forward', lambda levels: levels)
    return part


def random_outputs(seed, images, size=(160, 256), kinds=(3, 12, 3), bias=0.0):
    """Of a head, for images of a (height, width), which is a multiple of 32."""
    random = torch.Generator().manual_seed(seed)
    shapes = [(-(-size[0] // stride), -(-size[1] // stride)) for stride in (8, 16, 32, 64, 128)]
    outputs = [
        [2 * torch.randn(images, channels, *shape, generator=random) for shape in shapes]
        for channels in kinds
    ]
    outputs[0] = [level + bias for level in outputs[0]]
    return outputs


@pytest.mark.usefixtures('each_way')
@pytest.mark.parametrize(
    ('bias', 'test_cfg', 'most'),
    [
        (0.0, {}, 40),
        (0.0, dict(nms_pre=7), 27),  # of each level
        (0.0, dict(nms_pre=1000, min_bbox_size=24), 40),
        (-8.0, {}, 17),  # few candidates
        (-20.0, {}, 0),
    ],
)
def test_random_maps_of_padded_images(monkeypatch, bias, test_cfg, most):
    part = head_of(monkeypatch, **test_cfg)
    shapes = [(160, 256), (131, 256), (160, 199), (97, 65)]
    outputs = random_outputs(3, 4, bias=bias)
    reference = detector_s(part, outputs, shapes)
    assert max(len(boxes) for boxes in reference) == most
    assert_alike(ours(part, outputs, shapes), reference)


@pytest.mark.usefixtures('each_way')
def test_a_head_without_centerness(monkeypatch):
    part = head_of(monkeypatch, kind='mmdet.RetinaHead', nms_pre=50)
    outputs = random_outputs(4, 2, kinds=(3, 12))
    shapes = [(160, 256), (100, 220)]
    assert_alike(ours(part, outputs, shapes), detector_s(part, outputs, shapes))


@pytest.mark.usefixtures('each_way')
def test_boxes_that_are_equal(monkeypatch):
    """Scores of a few values, each anchor three times: mmdet leaves the order of equal ones open,
    but not which boxes there are. Where two anchors are not equal, their IoU is 0.5 at most."""
    part = head_of(monkeypatch, places=400, nms_pre=1000)
    part.bbox_head.prior_generator.base_anchors = [
        anchors[[1, 1, 1]] for anchors in part.bbox_head.prior_generator.base_anchors
    ]
    logits, deltas, factors = random_outputs(5, 2, size=(64, 128))
    logits, factors = ([x[:, :1].round().repeat(1, 3, 1, 1) for x in y] for y in (logits, factors))
    outputs = logits, [delta * 0 for delta in deltas], factors
    shapes = [(64, 128), (64, 64)]
    reference = detector_s(part, outputs, shapes)
    found = ours(part, outputs, shapes)
    assert all(len(boxes[:, 4].unique()) < len(boxes) / 2 < 200 for boxes in reference)
    assert_alike(map(in_order, found), map(in_order, reference))


def in_order(boxes):
    return torch.from_numpy(boxes.numpy()[np.lexsort(boxes.numpy().T)])


def test_equal_boxes_in_fixed_steps():
    """By hand: the first of equal ones; IoU 0.5 is no more than 0.5."""
    boxes = torch.tensor(
        [[0.0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 9]]
    )
    scores = torch.tensor([0.5, 0.75, 0.5, 0.25, 0.25])
    best, found = best_apart(boxes[None], scores[None], 4, 0.5)
    assert best[0, :3].tolist() == boxes[[1, 0, 3]].tolist() and not best[0, 3].any()
    assert found.tolist() == [[0.75, 0.5, 0.25, 0]]
    assert scores.tolist() == [0.5, 0.75, 0.5, 0.25, 0.25], 'the argument is as it was'


def test_fixed_steps_are_mmcv_s_suppression():
    random = torch.Generator().manual_seed(0)
    corners = 100 * torch.rand(3, 500, 2, generator=random)
    sides = 5 + 30 * torch.rand(3, 500, 2, generator=random)
    boxes, scores = torch.cat([corners, corners + sides], 2), torch.rand(3, 500, generator=random)
    best, found = best_apart(boxes, scores, 60, 0.4)
    for image in range(3):
        reference, _ = nms(boxes[image], scores[image], 0.4)
        assert len(reference) > 60
        assert torch.equal(torch.cat([best[image], found[image, :, None]], 1), reference[:60])


@pytest.mark.usefixtures('each_way')
def test_real_frames(lamotr_data):
    """The detector of the demo weights on two frames of PETS and one of them at a smaller size."""
    config = Config.fromfile(ROOT / 'configs' / '_base_' / 'lamotr_person_small.py').model
    init_default_scope('mmdet')
    part = MODELS.build(dict(config.proposals, init_cfg=None))
    backbone = MODELS.build(dict(config.backbone, init_cfg=None))
    path = ROOT / 'demo' / 'weights' / 'lamotr_people.pth'
    weights = torch.load(path, weights_only=False)['state_dict']
    for module, prefix in ((backbone, 'backbone.'), (part, 'proposals.')):
        named = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        module.load_state_dict(named)
        module.eval()
    frames = [
        image for _, image in islice(open_frames(lamotr_data / 'pets09_s2l1' / 'video.avi'), 60)
    ]
    shapes = [(352, 469), (352, 469), (210, 280)]
    mean, std = (np.array(config.data_preprocessor[key]) for key in ('mean', 'std'))
    batch = np.zeros((3, 352, 480, 3))
    for image, frame, (height, width) in zip(batch, (frames[0], frames[59], frames[0]), shapes):
        image[:height, :width] = (cv2.resize(frame, (width, height))[..., ::-1] - mean) / std
    with torch.no_grad():
        levels = backbone(torch.from_numpy(batch).permute(0, 3, 1, 2).float())
        outputs = part.bbox_head(part.neck(levels))
        reference = detector_s(part, outputs, shapes)
    found = ours(part, levels, shapes)
    assert all(len(boxes) == 40 and boxes[0, 4] > 0.5 for boxes in reference)
    assert_alike(found, reference)


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


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(num_classes=2), 'num_classes=2 must be 1'),
        (dict(type='mmdet.PAAHead'), 'PAAHead has a predict_by_feat of its own'),
        (
            dict(bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder', add_ctr_clamp=True)),
            'clips boxes at the border and nothing else',
        ),
        (
            dict(test_cfg=dict(PROPOSALS['bbox_head']['test_cfg'], nms=dict(type='soft_nms'))),
            "nms=.*'soft_nms'.* must be",
        ),
    ],
)
def test_heads_that_decode_otherwise_are_refused(changed, message):
    init_default_scope('mmdet')
    with pytest.raises(ValueError, match=message):
        DenseProposals(PROPOSALS['neck'], PROPOSALS['bbox_head'] | changed)


def test_they_are_a_stage_of_their_own(model):
    ms = measure(model.eval().float(), (64, 96), 2, repeat=1)
    stages = ['backbone', 'neck', 'encoder', 'proposals', 'sotd', 'sgla', 'update', 'lifecycle']
    assert list(ms) == [*stages, 'total'] and ms['proposals'] > 0
    assert count_parameters(model)['proposals'] == 0, 'they are frozen'
