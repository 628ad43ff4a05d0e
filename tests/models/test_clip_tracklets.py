"""Which tracklets a training clip carries on, worked by hand."""

import pytest
import torch

from lamotr_mm.models.clip_tracklets import ClipTracklets
from lamotr_mm.models.structures import Detections, FrameOutput
from lamotr_mm.models.targets import FrameTargets

OBJECTS = 4
GOOD, BAD = 0.9, 0.3  # scores
BOX = [0.5, 0.5, 0.4, 0.4]
NEAR = [0.55, 0.5, 0.4, 0.4]  # IoU .35 / .45 = 0.78
FAR = [0.7, 0.5, 0.4, 0.4]  # IoU .2 / .6 = 0.33


def frame(objects, tracklets, present, label=0):
    """Output and targets of one frame; queries are (score, box), every target's box is ``BOX``."""
    queries = [*objects, *tracklets]
    scores = torch.tensor([[score for score, _ in queries]])
    logits = torch.full((1, 1, len(queries), 2), -9.0)
    logits[..., label] = scores.logit()
    boxes = torch.tensor([[[box for _, box in queries]]])
    embeds = torch.zeros(1, len(queries), 8)
    output = FrameOutput(
        Detections(embeds, boxes[0], logits, boxes, embeds, boxes[0]),
        embeds,
        logits,
        boxes,
        torch.zeros(1, len(objects), len(tracklets)),
    )
    present = torch.tensor([present], dtype=torch.bool)
    targets = FrameTargets(
        torch.tensor([[BOX] * len(tracklets)]) * present[..., None],
        torch.full(present.shape, label) * present,
        present,
        [(64, 64)],
        torch.zeros(1, 0, 4),
    )
    return output, targets


def decide(module, output, valid, targets, matched):
    decisions = module.decide(
        output, torch.tensor([valid], dtype=torch.bool), targets, torch.tensor([matched])
    )
    return {name: value[0].int().tolist() for name, value in decisions._asdict().items()}


IDLE = (0.01, BOX)


@pytest.mark.parametrize('label', [0, 1])
def test_thresholds_of_carrying_on_and_rebirth(label):
    """Score and IoU of the tracklet, else of its object."""
    tracklets = [(GOOD, NEAR), (BAD, NEAR), (GOOD, FAR), (GOOD, FAR)]
    objects = [(GOOD, FAR), (GOOD, NEAR), (GOOD, BOX), (BAD, BOX)]
    output, targets = frame(objects, tracklets, [1, 1, 1, 1], label)
    result = decide(ClipTracklets(), output, [1, 1, 1, 1], targets, [0, 1, 2, 3])
    # 0 is carried on without its (bad) object, 1 and 2 are born again, 3 is excluded
    assert result == dict(
        object_index=[-1, 1, 2, -1], present=[1, 0, 0, 0], born=[0, 1, 1, 0], valid=[1, 1, 1, 0]
    )
    tolerant = decide(
        ClipTracklets(score_thr=0.2, iou_thr=0.3), output, [1, 1, 1, 1], targets, [0, 1, 2, 3]
    )
    assert tolerant == dict(
        object_index=[0, 1, 2, 3], present=[1, 1, 1, 1], born=[0, 0, 0, 0], valid=[1, 1, 1, 1]
    )


def test_newborns_unmatched_and_absent():
    # slot 0: new, its object is good; 1: new, no object; 2: absent tracklet; 3: absent, no tracklet
    output, targets = frame([(GOOD, BOX)] * OBJECTS, [IDLE] * 4, [1, 1, 0, 0])
    result = decide(ClipTracklets(), output, [0, 0, 1, 0], targets, [2, -1, -1, -1])
    assert result == dict(
        object_index=[2, -1, -1, -1], present=[0, 0, 0, 0], born=[1, 0, 0, 0], valid=[1, 0, 1, 0]
    )


def test_a_slot_without_a_tracklet_is_not_carried_on_by_what_it_predicts():
    output, targets = frame([IDLE] * OBJECTS, [(GOOD, BOX)], [1])
    assert decide(ClipTracklets(), output, [0], targets, [0])['valid'] == [0]


def test_dropped_tracklets_end_and_absent_ones_stay():
    output, targets = frame([(GOOD, BOX)] * OBJECTS, [(GOOD, BOX)] * 3, [1, 1, 0])
    result = decide(ClipTracklets(drop_prob=1.0), output, [1, 0, 1], targets, [0, 1, -1])
    assert result['valid'] == [0, 0, 1]
    assert result['born'] == [0, 0, 0]

    torch.manual_seed(0)
    module = ClipTracklets(drop_prob=0.25)
    kept = sum(
        sum(decide(module, output, [1, 1, 0], targets, [0, 1, -1])['valid']) for _ in range(1000)
    )
    assert kept / 2000 == pytest.approx(0.75, abs=0.04)


def test_missed_tracklets_are_frozen_with_their_target_there():
    """As lost ones at inference: kept, but neither found nor born; others are as without it."""
    objects = [(GOOD, BOX)] * OBJECTS
    # 0: found; 1: bad, so born again from its object; 2: absent; 3: new
    output, targets = frame(objects, [(GOOD, BOX), (BAD, BOX), (GOOD, BOX), IDLE], [1, 1, 0, 1])
    result = decide(ClipTracklets(miss_prob=1.0), output, [1, 1, 1, 0], targets, [0, 1, -1, 3])
    assert result == dict(
        object_index=[0, 1, -1, 3], present=[0, 0, 0, 0], born=[0, 1, 0, 1], valid=[1, 1, 1, 1]
    )
    torch.manual_seed(0)
    module = ClipTracklets(miss_prob=0.25)
    found = [decide(module, output, [1, 1, 1, 0], targets, [0, 1, -1, 3]) for _ in range(1000)]
    assert sum(r['present'][0] for r in found) / 1000 == pytest.approx(0.75, abs=0.05)
    assert all(r['valid'] == [1, 1, 1, 1] and r['born'] == [0, 1, 0, 1] for r in found)
    # a dropped one is gone, missed or not
    both = ClipTracklets(miss_prob=1.0, drop_prob=1.0)
    assert decide(both, output, [1, 1, 1, 0], targets, [0, 1, -1, 3])['valid'] == [0, 0, 1, 0]


def test_false_positives_take_spare_slots_for_one_frame():
    """The best objects without a target are inserted as newborns; next frame they are gone."""
    objects = [(0.2, BOX), (GOOD, BOX), (0.6, FAR), (0.4, FAR)]
    spare = ClipTracklets(false_positive_prob=1.0, spare_slots=2)
    output, targets = frame(objects, [IDLE] * 3, [1, 0, 0])
    result = decide(spare, output, [0, 0, 0], targets, [1, -1, -1])
    assert result == dict(
        object_index=[1, 2, 3], present=[0, 0, 0], born=[1, 1, 1], valid=[1, 1, 1]
    )
    never = ClipTracklets(spare_slots=2)
    result = decide(never, output, [1, 1, 1], targets, [1, -1, -1])
    assert result == dict(
        object_index=[1, -1, -1], present=[0, 0, 0], born=[1, 0, 0], valid=[1, 0, 0]
    )


def test_false_positives_need_slots():
    with pytest.raises(ValueError, match='spare_slots >= 1'):
        ClipTracklets(false_positive_prob=0.3)


def test_decisions_carry_no_gradient():
    output, targets = frame([(GOOD, BOX)] * OBJECTS, [(GOOD, BOX)], [1])
    output.boxes_cxcywh.requires_grad_()
    decisions = ClipTracklets().decide(output, torch.tensor([[True]]), targets, torch.tensor([[0]]))
    assert not any(tensor.requires_grad for tensor in decisions)
