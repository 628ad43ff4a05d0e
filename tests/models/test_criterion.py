"""The decoupled loss against a NumPy float64 transcription with SciPy's assignment."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from lamotr_mm.models import DecoupledTrackingLoss
from lamotr_mm.models.structures import Detections, FrameOutput
from lamotr_mm.models.targets import FrameTargets

OBJECTS, SLOTS, CLASSES, DECODER, SGLA = 6, 4, 2, 3, 2
ALPHA, GAMMA = 0.25, 2
PARTS = ('cls', 'reg', 'box')

# ---------------------------------------------------------------- Sec. 3.3, DETR's costs


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def corners(boxes):
    return np.concatenate(
        [boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1
    )


def giou(a, b):
    """Of two boxes cxcywh ``(4,)``."""
    a, b = corners(a), corners(b)
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner
    hull = (np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2])).prod()
    return inner / union - (hull - union) / hull


def focal(logit, positive):
    p = sigmoid(logit)
    if positive:
        return -ALPHA * (1 - p) ** GAMMA * np.log(p)
    return -(1 - ALPHA) * p**GAMMA * np.log(1 - p)


def match(logits, boxes, labels, targets):
    """object -> target by costs 2 focal + 5 L1 + 2 GIoU; ``{}`` without targets."""
    cost = np.zeros((len(logits), len(targets)))
    for i in range(len(logits)):
        for k in range(len(targets)):
            score = logits[i, labels[k]]
            cost[i, k] = (
                2 * (focal(score, True) - focal(score, False))
                + 5 * np.abs(boxes[i] - targets[k]).sum()
                - 2 * giou(boxes[i], targets[k])
            )
    return dict(zip(*map(np.ndarray.tolist, linear_sum_assignment(cost))))


def unknown_queries(boxes, assigned, regions):
    """Queries without a target, of whose own box one region covers more than a half."""

    def covers(region, box):
        (x1, y1, x2, y2), (u1, v1, u2, v2) = corners(region), corners(box)
        width, height = min(x2, u2) - max(x1, u1), min(y2, v2) - max(y1, v1)
        return max(width, 0) * max(height, 0) > 0.5 * box[2] * box[3]

    return {
        i
        for i, box in enumerate(boxes)
        if i not in assigned and any(covers(region, box) for region in regions)
    }


def query_losses(logits, boxes, assigned, labels, targets, regions):
    """Sums of focal (x 2), L1 (x 5), GIoU (x 2) over one clip; ``assigned``: query -> target."""
    unknown = unknown_queries(boxes, assigned, regions)
    cls = sum(
        focal(logits[i, c], i in assigned and labels[assigned[i]] == c)
        for i in range(len(logits))
        for c in range(CLASSES)
        if i not in unknown
    )
    reg = sum(np.abs(boxes[i] - targets[k]).sum() for i, k in assigned.items())
    box = sum(1 - giou(boxes[i], targets[k]) for i, k in assigned.items())
    return dict(cls=2 * cls, reg=5 * reg, box=2 * box)


def frame_sums(output, valid, targets):
    """Loss name -> sum over the batch, and the number of valid pairs, of one frame."""
    sums, pairs = {}, 0
    heads = [
        (f'd{i}.', output.detections.logits[i], output.detections.boxes_cxcywh[i])
        for i in range(DECODER)
    ]
    heads += [('s0.', output.logits[0], output.boxes_cxcywh[0])]
    heads += [('', output.logits[1], output.boxes_cxcywh[1])]
    for clip in range(len(valid)):
        present = targets.present[clip].numpy()
        slots = np.flatnonzero(present)
        labels = targets.labels[clip].numpy()
        truth = targets.boxes_cxcywh[clip].double().numpy()
        regions = targets.ignored_cxcywh[clip].double().numpy()

        def matched(logits, boxes, slots=slots, labels=labels, truth=truth):
            found = match(logits[:OBJECTS], boxes[:OBJECTS], labels[slots], truth[slots])
            return {i: int(slots[k]) for i, k in found.items()}

        logits, boxes = (tensor[clip].double().numpy() for tensor in heads[-1][1:])
        final = matched(logits, boxes)
        active = np.flatnonzero(valid[clip].numpy())
        # by identity: the tracklet in slot k is matched with the target in slot k, if it is there
        identity = {n: int(k) for n, k in enumerate(active) if present[k]}
        for name, *tensors in heads:
            logits, boxes = (tensor[clip].double().numpy() for tensor in tensors)
            assigned = matched(logits, boxes) if name.startswith('d') else final
            objects = logits[:OBJECTS], boxes[:OBJECTS]
            tracklets = logits[OBJECTS + active], boxes[OBJECTS + active]
            groups = dict(
                det=query_losses(*objects, assigned, labels, truth, regions),
                tck=query_losses(*tracklets, identity, labels, truth, regions),
            )
            for group, values in groups.items():
                for part, value in values.items():
                    key = f'{name}loss_{group}_{part}'
                    sums[key] = sums.get(key, 0) + value
        scores = sigmoid(output.asso_logits[clip].double().numpy())
        entropy = 0
        # of the final boxes, which are the last ones of the loop above
        unknown = unknown_queries(objects[1], final, regions)
        unknown_slots = {active[n] for n in unknown_queries(tracklets[1], identity, regions)}
        for i in range(OBJECTS):
            for k in active:
                if i in unknown and k in unknown_slots:
                    continue
                same = final.get(i) == k and present[k]
                entropy -= np.log(scores[i, k] if same else 1 - scores[i, k])
        sums['loss_asso'] = sums.get('loss_asso', 0) + 10 * entropy
        pairs += OBJECTS * len(active)
    return sums, pairs


def reference_loss(frames):
    results = [frame_sums(*frame) for frame in frames]
    count = max(1, sum(int(targets.present.sum()) for _, _, targets in frames))
    losses = {
        name: sum(sums[name] for sums, _ in results) / count
        for name in results[0][0]
        if name != 'loss_asso'
    }
    losses['loss_asso'] = sum(sums['loss_asso'] / max(1, pairs) for sums, pairs in results)
    return losses


# ---------------------------------------------------------------- random frames


def random_output(clips, seed, grad=False):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    queries = OBJECTS + SLOTS
    tensors = [
        draw(DECODER, clips, queries, CLASSES),
        draw(DECODER, clips, queries, 4).sigmoid() * 0.8 + 0.1,
        draw(SGLA, clips, queries, CLASSES),
        draw(SGLA, clips, queries, 4).sigmoid() * 0.8 + 0.1,
        draw(clips, OBJECTS, SLOTS),
    ]
    for tensor in tensors:
        tensor.requires_grad_(grad)
    embeds, anchors = draw(clips, queries, 8), draw(clips, queries, 4).sigmoid()
    detections = Detections(embeds, anchors, tensors[0], tensors[1], embeds, anchors)
    return FrameOutput(detections, embeds, *tensors[2:])


def random_targets(present, seed, regions=0):
    generator = torch.Generator().manual_seed(seed)
    present = torch.tensor(present, dtype=torch.bool)
    boxes = torch.rand(*present.shape, 4, generator=generator) * 0.6 + 0.2
    labels = torch.randint(CLASSES, present.shape, generator=generator)
    shapes = [(48, 64), (200, 100)][: len(present)]
    ignored = torch.rand(len(present), regions, 4, generator=generator) * 0.5 + 0.5
    ignored[1:, 1:] = 0  # other clips have one region at most, and padding
    if regions == 1:
        ignored[0, 0] = torch.tensor([0.5, 0.5, 1, 1])  # the whole image
    return FrameTargets(boxes * present[..., None], labels * present, present, shapes, ignored)


def random_clip():
    """Three frames of two clips, 4 and 2 identities; some are absent, some tracklets ended. There
    are ignored regions in the second and third frame."""
    present = [
        [[1, 1, 0, 0], [1, 0, 0, 0]],
        [[1, 0, 1, 1], [0, 0, 0, 0]],
        [[1, 1, 1, 1], [1, 1, 0, 0]],
    ]
    valid = [
        [[0, 0, 0, 0], [0, 0, 0, 0]],
        [[1, 1, 0, 0], [1, 0, 0, 0]],
        [[1, 1, 0, 1], [1, 0, 0, 0]],
    ]
    return [
        (
            random_output(2, t),
            torch.tensor(valid[t], dtype=torch.bool),
            random_targets(present[t], t, regions=t),
        )
        for t in range(3)
    ]


def one_clip(frame, clip):
    """The same frame of one clip of the batch."""
    output, valid, targets = frame
    one = slice(clip, clip + 1)
    detections = output.detections
    return (
        FrameOutput(
            Detections(
                detections.embeds[one],
                detections.anchors_cxcywh[one],
                detections.logits[:, one],
                detections.boxes_cxcywh[:, one],
                detections.queries[one],
                detections.entering_cxcywh[one],
            ),
            output.embeds[one],
            output.logits[:, one],
            output.boxes_cxcywh[:, one],
            output.asso_logits[one],
        ),
        valid[one],
        FrameTargets(
            targets.boxes_cxcywh[one],
            targets.labels[one],
            targets.present[one],
            targets.img_shapes[one],
            targets.ignored_cxcywh[one],
        ),
    )


@pytest.fixture
def criterion():
    return DecoupledTrackingLoss()


def clip_losses(criterion, frames):
    losses = criterion.clip([criterion.frame(*frame) for frame in frames])
    return {name: float(value) for name, value in losses.items()}


# ---------------------------------------------------------------- tests


def test_equals_the_transcription(criterion):
    frames = random_clip()
    ours, reference = clip_losses(criterion, frames), reference_loss(frames)
    losses = {name for name in ours if 'loss' in name}
    assert losses == set(reference)
    assert len(losses) == (DECODER + SGLA) * 2 * len(PARTS) + 1
    for name in losses:
        assert ours[name] == pytest.approx(reference[name], rel=2e-5, abs=1e-6), name
    # the ignored regions of this clip leave out objects of every head, tracklets, and pairs
    everything = [(o, v, t._replace(ignored_cxcywh=torch.zeros(2, 0, 4))) for o, v, t in frames]
    for name, value in clip_losses(criterion, everything).items():
        if name.endswith(('det_cls', 'loss_asso')) or name == 'loss_tck_cls':
            assert ours[name] < value, name


def test_gradients_are_those_of_the_transcription(criterion):
    """Of a weighted sum of all losses, along a random direction of each input; by differences."""
    frames = random_clip()
    generator = torch.Generator().manual_seed(0)
    inputs = [leaves(output) for output, _, _ in frames]
    for tensors in inputs:
        for tensor in tensors:
            tensor.requires_grad_()
    losses = criterion.clip([criterion.frame(*frame) for frame in frames])
    names = [name for name in losses if 'loss' in name]
    weights = dict(zip(names, torch.rand(len(names), generator=generator).tolist()))
    sum(weights[name] * losses[name] for name in names).backward()

    for kind in range(len(inputs[0])):
        step = [torch.randn(tensors[kind].shape, generator=generator) for tensors in inputs]

        def reference(length, kind=kind, step=step):
            moved = []
            for (output, valid, targets), direction in zip(frames, step):
                values = [tensor.detach().double() for tensor in leaves(output)]
                values[kind] = values[kind] + length * direction
                decoder = output.detections._replace(logits=values[0], boxes_cxcywh=values[1])
                moved.append((FrameOutput(decoder, output.embeds, *values[2:]), valid, targets))
            return sum(weights[name] * value for name, value in reference_loss(moved).items())

        expected = (reference(1e-6) - reference(-1e-6)) / 2e-6
        slopes = [(tensors[kind].grad * d).sum() for tensors, d in zip(inputs, step)]
        assert float(sum(slopes)) == pytest.approx(expected, rel=1e-4, abs=1e-5), kind


def leaves(output):
    """What the losses are functions of."""
    return [
        *(output.detections.logits, output.detections.boxes_cxcywh),
        *(output.logits, output.boxes_cxcywh, output.asso_logits),
    ]


def test_weights_of_equation_1(criterion):
    weighted = DecoupledTrackingLoss(det_weight=3.0, tck_weight=0.5, asso_weight=4.0)
    frames = random_clip()
    before, after = clip_losses(criterion, frames), clip_losses(weighted, frames)
    factors = dict(det=3.0, tck=0.5, asso=0.4)
    for name in before:
        if 'loss' in name:
            group = name.split('loss_')[1].split('_')[0]
            assert after[name] == pytest.approx(before[name] * factors[group], rel=1e-5), name


def test_two_clips_add_up(criterion):
    """A batch of clips with different numbers of tracklets = the sums of its clips."""
    for frame in random_clip():
        batch = criterion.frame(*frame)
        clips = [criterion.frame(*one_clip(frame, clip)) for clip in range(2)]
        for name, value in batch.sums.items():
            expected = sum(float(clip.sums[name]) for clip in clips)
            assert float(value) == pytest.approx(expected, rel=1e-5, abs=1e-6), name
        assert batch.num_targets == sum(clip.num_targets for clip in clips)
        assert batch.num_pairs == sum(clip.num_pairs for clip in clips)
        assert torch.equal(batch.matched_object, torch.cat([c.matched_object for c in clips]))
        for name, value in batch.counts.items():
            assert value == sum(clip.counts[name] for clip in clips)


def test_padded_slots_contribute_nothing(criterion):
    """Neither to a value nor to a gradient, whatever they predict."""
    output = random_output(2, 0, grad=True)
    valid = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.bool)
    targets = random_targets([[1, 1, 0, 1], [1, 1, 1, 1]], 0)
    losses = criterion.frame(output, valid, targets)
    sum(losses.sums.values()).backward()
    for tensor in (output.detections.logits, output.detections.boxes_cxcywh):
        gradient = tensor.grad[:, :, OBJECTS:].abs().sum((0, 3))
        assert torch.equal(gradient > 0, valid & (targets.present | (tensor.shape[-1] == CLASSES)))
    assert torch.equal(output.asso_logits.grad.abs().sum(1) > 0, valid)
    assert int(losses.num_pairs) == OBJECTS * 3


def test_an_absent_tracklet_is_background(criterion):
    """Hand-worked: one object, one tracklet whose target is gone, all scores 0.5."""
    logits, boxes = torch.zeros(1, 1, 2, 1), torch.full((1, 1, 2, 4), 0.5)
    embeds = torch.zeros(1, 2, 8)
    output = FrameOutput(
        Detections(embeds, boxes[0], logits, boxes, embeds, boxes[0]),
        embeds,
        logits,
        boxes,
        torch.zeros(1, 1, 1),
    )
    targets = random_targets([[0]], 0)
    losses = clip_losses(criterion, [(output, torch.tensor([[True]]), targets)])
    background = 2 * 0.75 * 0.25 * np.log(2)
    assert losses['loss_det_cls'] == pytest.approx(background)  # at least one target
    assert losses['loss_tck_cls'] == pytest.approx(background)
    assert losses['loss_tck_reg'] == losses['loss_tck_box'] == losses['loss_det_reg'] == 0
    assert losses['loss_asso'] == pytest.approx(10 * np.log(2))  # the pair is no pair


def scene(regions, unmatched=(0.1, 0.1, 0.2, 0.2), tracklet=(0.1, 0.1, 0.2, 0.2), absent=True):
    """Two objects and a tracklet, all scores 0.5, in one layer. The first object is on the target
    of slot 0, the second has the box ``unmatched``; the tracklet is in slot 1, whose target is
    absent, or in slot 0."""
    found = [0.7, 0.7, 0.2, 0.2]
    boxes = torch.tensor([found, unmatched, tracklet, tracklet])[None, None]
    logits, embeds = torch.zeros(1, 1, 4, 1), torch.zeros(1, 4, 8)
    output = FrameOutput(
        Detections(embeds, boxes[0], logits, boxes, embeds, boxes[0]),
        embeds,
        logits,
        boxes,
        torch.zeros(1, 2, 2),
    )
    targets = FrameTargets(
        torch.tensor([[found, [0.0] * 4]]),
        torch.zeros(1, 2, dtype=torch.long),
        torch.tensor([[True, False]]),
        [(100, 100)],
        torch.tensor(regions, dtype=torch.float32).reshape(1, -1, 4),
    )
    return output, torch.tensor([[not absent, absent]]), targets


LOG2 = np.log(2)
FOUND, BACKGROUND = 2 * 0.25 * 0.25 * LOG2, 2 * 0.75 * 0.25 * LOG2  # weight * alpha * 0.5^2 * BCE
CROWD = [0.15, 0.1, 0.3, 0.2]  # cxcywh: x 0-0.3, y 0-0.2


@pytest.mark.parametrize(
    ('regions', 'box', 'left_out'),
    [
        ([], (0.1, 0.1, 0.2, 0.2), False),
        ([CROWD], (0.1, 0.1, 0.2, 0.2), True),  # inside: 1 of its area, IoU 0.67
        ([CROWD], (0.1, 0.1, 0.05, 0.05), True),  # a person in a crowd: IoU 0.04
        ([CROWD], (0.1, 0.19, 0.2, 0.2), True),  # y 0.09-0.29: 0.55 of it
        ([CROWD], (0.1, 0.21, 0.2, 0.2), False),  # y 0.11-0.31: 0.45 of it
        ([CROWD], (0.5, 0.5, 1.0, 1.0), False),  # around the crowd
        ([CROWD, [0.5, 0.1, 0.1, 0.1]], (0.5, 0.1, 0.1, 0.1), True),  # the second region
        ([[0.0] * 4], (0.1, 0.1, 0.2, 0.2), False),  # padding
    ],
)
def test_an_object_in_an_ignored_region_is_not_background(criterion, regions, box, left_out):
    losses = clip_losses(criterion, [scene(regions, unmatched=box)])
    expected = FOUND + (0 if left_out else BACKGROUND)
    for name in ('loss_det_cls', 'd0.loss_det_cls'):
        assert losses[name] == pytest.approx(expected), name


def test_an_absent_tracklet_in_an_ignored_region_is_not_background(criterion):
    """And its pair with an object there is no pair to learn from: who is it?"""
    losses = clip_losses(criterion, [scene([])])
    assert losses['loss_tck_cls'] == pytest.approx(BACKGROUND)
    assert losses['loss_asso'] == pytest.approx(10 * LOG2)  # mean of two pairs
    assert losses['asso_fp'] == 2
    losses = clip_losses(criterion, [scene([CROWD])])
    assert losses['loss_tck_cls'] == 0
    # the pair with the object on the target counts, the mean is over two as before
    assert losses['loss_asso'] == pytest.approx(10 * LOG2 / 2)
    assert losses['asso_fp'] == 1
    # an object in the region, a tracklet outside: they are not the same
    losses = clip_losses(criterion, [scene([CROWD], tracklet=(0.5, 0.5, 0.1, 0.1))])
    assert losses['loss_tck_cls'] == pytest.approx(BACKGROUND)
    assert losses['loss_asso'] == pytest.approx(10 * LOG2)


def test_what_has_a_target_is_never_left_out(criterion):
    """A region over the whole image: of objects and tracklets, those with a target stay."""
    whole = [[0.5, 0.5, 1.0, 1.0]]
    with_target = dict(tracklet=(0.7, 0.7, 0.2, 0.2), absent=False)
    losses = clip_losses(criterion, [scene(whole, **with_target)])
    assert losses['loss_det_cls'] == losses['loss_tck_cls'] == pytest.approx(FOUND)
    assert losses['loss_asso'] == pytest.approx(10 * LOG2)
    without = clip_losses(criterion, [scene([], **with_target)])
    assert without['loss_det_cls'] == pytest.approx(FOUND + BACKGROUND)
    for name in ('loss_det_reg', 'loss_det_box', 'loss_tck_reg', 'loss_tck_box', 'loss_asso'):
        assert losses[name] == without[name], name


def test_the_share_that_ignores_is_an_argument():
    strict = DecoupledTrackingLoss(ignore_iof_thr=0.6)
    losses = clip_losses(strict, [scene([CROWD], unmatched=(0.1, 0.19, 0.2, 0.2))])
    assert losses['loss_det_cls'] == pytest.approx(FOUND + BACKGROUND)


def test_matched_object_and_counts(criterion):
    """Targets 0, 2 are objects 4, 1; tracklets 0, 1 are valid, 1 is absent; hand-set scores."""
    output = random_output(1, 0)
    targets = random_targets([[1, 0, 1, 0]], 0)
    output.boxes_cxcywh[-1, 0, [4, 1]] = targets.boxes_cxcywh[0, [0, 2]]
    output.logits[-1, 0, :OBJECTS] = -4
    for found, slot in ((4, 0), (1, 2)):
        output.logits[-1, 0, found, targets.labels[0, slot]] = 4
    asso = torch.full((1, OBJECTS, SLOTS), -3.0)
    asso[0, 4, 0] = 3  # right
    asso[0, 2, 0] = asso[0, 0, 1] = 3  # wrong: another object; the target is absent
    asso[0, 1, 2] = asso[0, 5, 3] = 3  # padded: nobody counts them
    valid = torch.tensor([[True, True, False, False]])
    losses = criterion.frame(output._replace(asso_logits=asso), valid, targets)
    assert losses.matched_object.tolist() == [[4, -1, 1, -1]]
    counts = {name: int(value) for name, value in losses.counts.items()}
    assert counts == dict(asso_tp=1, asso_fp=2, asso_fn=0)
    low = DecoupledTrackingLoss(gate=0.99).frame(output._replace(asso_logits=asso), valid, targets)
    assert {n: int(v) for n, v in low.counts.items()} == dict(asso_tp=0, asso_fp=0, asso_fn=1)


def test_decoder_layers_are_matched_anew_and_sgla_layers_by_the_final_output(criterion):
    """Moving boxes of one head changes the matching of that head alone, or of all SGLA layers."""
    output, valid, targets = random_clip()[2]
    # in an ignored region a layer's classes would depend on its own boxes
    frame = output, valid, targets._replace(ignored_cxcywh=torch.zeros(2, 0, 4))
    before = criterion.frame(*frame).sums

    def changed(move):
        output, valid, targets = frame
        decoder, final = output.detections.boxes_cxcywh.clone(), output.boxes_cxcywh.clone()
        move(decoder, final)
        detections = output.detections._replace(boxes_cxcywh=decoder)
        other = output._replace(detections=detections, boxes_cxcywh=final)
        after = criterion.frame(other, valid, targets).sums
        return {n.split('loss')[0] for n in before if 'det_cls' in n and before[n] != after[n]}

    def swap(boxes):
        boxes[:, :OBJECTS] = boxes[:, :OBJECTS].flip(1)

    assert changed(lambda decoder, final: swap(decoder[1])) == {'d1.'}
    assert changed(lambda decoder, final: swap(final[0])) == set()
    assert changed(lambda decoder, final: swap(final[-1])) == {'s0.', ''}


def test_more_targets_than_objects(criterion):
    output = random_output(1, 0)
    few = FrameOutput(
        Detections(*(t[..., -2 - SLOTS :, :] for t in output.detections)),
        *(t[..., OBJECTS - 2 :, :] for t in (output.embeds, output.logits, output.boxes_cxcywh)),
        output.asso_logits[:, :2],
    )
    losses = criterion.frame(
        few, torch.zeros(1, SLOTS, dtype=torch.bool), random_targets([[1] * 4], 0)
    )
    assert sorted(losses.matched_object[0].tolist())[:2] == [-1, -1]
    assert sorted(losses.matched_object[0].tolist())[2:] == [0, 1]


@pytest.mark.parametrize('name', ['boxes_cxcywh', 'logits'])
def test_predictions_that_are_not_finite_are_named(criterion, name):
    output, valid, targets = random_clip()[2]
    broken = getattr(output, name).clone()
    broken[-1, 0, 0, 0] = float('nan')
    with pytest.raises(FloatingPointError, match='not finite'):
        criterion.frame(output._replace(**{name: broken}), valid, targets)


def test_early_association():
    """Hand-worked: what M(0) and M(1) say, 1 and 3 in logits of pairs that are none, as a share of
    the loss of S, which is 10 log 2."""
    logits, boxes = torch.zeros(1, 1, 2, 1), torch.full((1, 1, 2, 4), 0.5)
    embeds = torch.zeros(1, 2, 8)
    output = FrameOutput(
        Detections(embeds, boxes[0], logits, boxes, embeds, boxes[0]),
        *(embeds, logits, boxes, torch.zeros(1, 1, 1)),
        early_asso_logits=torch.tensor([1.0, 3.0]).view(2, 1, 1, 1),
    )
    frames = [(output, torch.tensor([[True]]), random_targets([[0]], 0))]
    early = (np.log1p(np.exp(1)) + np.log1p(np.exp(3))) / 2
    for weight in (0, 0.5):
        losses = clip_losses(DecoupledTrackingLoss(early_asso_weight=weight), frames)
        assert losses['loss_asso'] == pytest.approx(10 * (np.log(2) + weight * early))
    frames = [(output._replace(early_asso_logits=None), *frames[0][1:])]
    with pytest.raises(ValueError, match=r'early_asso_weight=0\.5 needs SGLA'):
        clip_losses(DecoupledTrackingLoss(early_asso_weight=0.5), frames)


def test_half_precision_is_lifted_to_single(criterion):
    """AMP hands over half-precision outputs; costs and losses are computed in single precision."""
    output, valid, targets = random_clip()[2]

    def cast(value, dtype):
        if isinstance(value, tuple):
            return type(value)(*(cast(item, dtype) for item in value))
        return None if value is None else value.to(dtype)

    half = cast(output, torch.float16)
    ours, expected = (criterion.frame(o, valid, targets) for o in (half, cast(half, torch.float32)))
    for name, value in ours.sums.items():
        assert value.dtype == torch.float32
        assert value == expected.sums[name]
