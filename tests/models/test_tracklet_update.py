"""Eq. 2 and the fate of a slot, worked by hand."""

import pytest
import torch

from lamotr_mm.models import TrackletUpdate
from lamotr_mm.models.structures import Detections, FrameOutput
from lamotr_mm.models.tracklet_update import SlotDecisions
from lamotr_mm.tracking.state import TrackletState

OBJECT_EMBEDS = [[10.0, 20.0], [30.0, 40.0]]
TRACKLET_EMBEDS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 9.0]]
OLD = [[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0], [-7.0, -8.0], [-9.0, -9.0]]


def state_and_output():
    boxes = torch.arange(28).reshape(1, 1, 7, 4) / 100
    embeds = torch.tensor([OBJECT_EMBEDS + TRACKLET_EMBEDS], requires_grad=True)
    offsets = torch.zeros_like(boxes, requires_grad=True)
    boxes = boxes + offsets
    logits = torch.zeros(1, 1, 7, 1)
    output = FrameOutput(
        Detections(embeds, boxes[0], logits, boxes, embeds, boxes[0]),
        embeds,
        logits,
        boxes,
        torch.zeros(1, 2, 5),
    )
    state = TrackletState(
        query=torch.tensor([OLD]),
        anchor_cxcywh=-torch.arange(20).reshape(1, 5, 4) / 100,
        source=torch.tensor([[7, 8, 9, 10, 11]]),
        valid=torch.tensor([[True, True, False, True, False]]),
        memory=torch.zeros(1, 5, 0, 2),
    )
    return state, output, embeds, offsets


# slot 0 matched with object 1, slot 1 present but unmatched, slot 2 born from object 0, slot 3
# absent (frozen), slot 4 not in use
DECISIONS = SlotDecisions(
    object_index=torch.tensor([[1, -1, 0, -1, -1]]),
    present=torch.tensor([[True, True, False, False, False]]),
    born=torch.tensor([[False, False, True, False, False]]),
    valid=torch.tensor([[True, True, True, True, False]]),
)


@pytest.mark.parametrize(
    ('weight', 'mixed'), [(1.0, [1.0, 2.0]), (0.9, [3.9, 5.8]), (0.5, [15.5, 21.0])]
)
def test_equation_2_and_all_five_cases(weight, mixed):
    state, output, _, _ = state_and_output()
    after = TrackletUpdate(weight)(state, output, DECISIONS)
    torch.testing.assert_close(
        after.query[0], torch.tensor([mixed, [3.0, 4.0], [10.0, 20.0], [-7.0, -8.0], [-9.0, -9.0]])
    )
    boxes = output.boxes_cxcywh[-1][0]
    expected = [boxes[2], boxes[3], boxes[0], state.anchor_cxcywh[0, 3], state.anchor_cxcywh[0, 4]]
    torch.testing.assert_close(after.anchor_cxcywh[0], torch.stack(expected))
    assert after.source.tolist() == [[1, 8, 0, 10, 11]]
    assert after.valid.tolist() == [[True, True, True, True, False]]


def test_queries_carry_gradients_and_anchors_do_not():
    state, output, embeds, _ = state_and_output()
    after = TrackletUpdate(0.9)(state, output, DECISIONS)
    assert not after.anchor_cxcywh.requires_grad
    after.query.sum().backward()
    # objects 0 (born) and 1 (matched, 1 - w); tracklets 0 (w) and 1 (unmatched); the others none
    torch.testing.assert_close(
        embeds.grad[0, :, 0], torch.tensor([1.0, 0.1, 0.9, 1.0, 0.0, 0.0, 0.0])
    )


def test_next_anchor_from_the_matched_object():
    """Only a matched tracklet's anchor changes; its query and the other four cases do not."""
    state, output, _, _ = state_and_output()
    own = TrackletUpdate(0.9)(state, output, DECISIONS)
    after = TrackletUpdate(0.9, anchor='object')(state, output, DECISIONS)
    boxes = output.boxes_cxcywh[-1][0]
    torch.testing.assert_close(after.anchor_cxcywh[0, 0], boxes[1])
    torch.testing.assert_close(after.anchor_cxcywh[0, 1:], own.anchor_cxcywh[0, 1:])
    torch.testing.assert_close(after.query, own.query)
    assert not after.anchor_cxcywh.requires_grad
    with pytest.raises(ValueError, match=r"tracklet_update\.anchor='box'"):
        TrackletUpdate(anchor='box')


def test_it_has_no_parameters_and_needs_a_share():
    assert not list(TrackletUpdate(0.5).parameters())
    for weight in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r'tracklet_update\.weight='):
            TrackletUpdate(weight)


def test_empty_and_grown_slots():
    state = TrackletState.empty(2, 3, torch.zeros(1, 4, dtype=torch.double))
    assert state.query.shape == (2, 3, 4)
    assert state.query.dtype == torch.double
    assert state.memory.shape == (2, 3, 0, 4)  # Eq. 2 remembers nothing
    assert not state.valid.any()
    before = TrackletState(
        torch.randn(1, 2, 4),
        torch.rand(1, 2, 4),
        torch.tensor([[3, 4]]),
        torch.tensor([[True, False]]),
        torch.randn(1, 2, 3, 4),
    )
    grown = before.grow(5)
    assert grown.memory.shape == (1, 5, 3, 4)
    torch.testing.assert_close(grown.memory[:, :2], before.memory)
    assert grown.query.shape == grown.anchor_cxcywh.shape == (1, 5, 4)
    torch.testing.assert_close(grown.query[:, :2], before.query)
    torch.testing.assert_close(grown.anchor_cxcywh[:, :2], before.anchor_cxcywh)
    assert grown.source.tolist() == [[3, 4, 0, 0, 0]]
    assert grown.valid.tolist() == [[True, False, False, False, False]]
