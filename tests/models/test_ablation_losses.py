"""MOTR's label assignment on a frame by hand; the contrastive loss against float64 NumPy."""

import numpy as np
import pytest
import torch

from lamotr_mm.models import ContrastiveTrackingLoss, DecoupledTrackingLoss, SingleDecoderLoss
from lamotr_mm.models.clip_tracklets import ClipTracklets
from lamotr_mm.models.structures import Detections, FrameOutput
from lamotr_mm.models.targets import FrameTargets

# side by side, no two overlap
PLACES = torch.tensor([[x, 0.5, 0.1, 0.2] for x in (0.1, 0.3, 0.5, 0.7, 0.9)])


def make_frame(objects, tracklets, present, valid, asso_logits=None, layers=1):
    """``objects``, ``tracklets``: (score, place) of each query; the target of slot ``k`` is at
    place ``k``."""
    queries = [*objects, *tracklets]
    scores = torch.tensor([score for score, _ in queries])
    logits = scores.logit()[None, None, :, None].repeat(layers, 1, 1, 1)
    boxes = PLACES[[place for _, place in queries]][None, None].repeat(layers, 1, 1, 1)
    embeds = torch.zeros(1, len(queries), 8)
    if asso_logits is None:
        asso_logits = torch.full((1, len(objects), len(tracklets)), -9.0)
    output = FrameOutput(
        Detections(embeds, boxes[0], logits[:-1], boxes[:-1], embeds, boxes[0]),
        *(embeds, logits[-1:], boxes[-1:], asso_logits),
    )
    present, valid = (torch.tensor([flags], dtype=torch.bool) for flags in (present, valid))
    slots = len(tracklets)
    targets = FrameTargets(
        PLACES[None, :slots] * present[..., None],
        torch.zeros(1, slots, dtype=torch.int64),
        present,
        [(64, 64)],
        torch.zeros(1, 0, 4),
    )
    return output, valid, targets


# slot 0: tracked; 1: tracked, its tracklet is lost elsewhere; 2 and 3: newborn; 4: tracked, left
OBJECTS = [(0.6, 3), (0.7, 0), (0.5, 2), (0.7, 1)]
TRACKLETS = [(0.9, 0), (0.9, 4), (0.5, 2), (0.5, 3), (0.8, 4)]
PRESENT, VALID = [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]


def cls_loss(positive, negative):
    """Focal loss of scores with and without a target; weight 2, alpha 0.25, gamma 2."""
    return 2 * sum(-0.25 * (1 - p) ** 2 * np.log(p) for p in positive) + 2 * sum(
        -0.75 * p**2 * np.log(1 - p) for p in negative
    )


@pytest.mark.parametrize('layers', [1, 2])
def test_objects_learn_newborns_only(layers):
    """The objects on tracked targets (places 0 and 1) are background, however good they are."""
    frame = make_frame(OBJECTS, TRACKLETS, PRESENT, VALID, layers=layers)
    losses = SingleDecoderLoss().frame(*frame)
    assert losses.matched_object.tolist() == [[-1, -1, 2, 0, -1]]
    for head in ('d0.', '')[-layers:]:
        sums = {name: float(value) for name, value in losses.sums.items()}
        assert sums[f'{head}loss_det_cls'] == pytest.approx(cls_loss([0.5, 0.6], [0.7, 0.7]))
        assert sums[f'{head}loss_det_reg'] == pytest.approx(0, abs=1e-6)
        # tracklets by id: 0 and 1 have their targets, the second 0.6 off; 4 has left
        assert sums[f'{head}loss_tck_cls'] == pytest.approx(cls_loss([0.9, 0.9], [0.8]))
        assert sums[f'{head}loss_tck_reg'] == pytest.approx(5 * 0.6)
    assert losses.asso == 0
    assert losses.num_targets == 4
    assert [int(value) for value in losses.counts.values()] == [0, 0, 0]
    # LA-MOTR's objects learn all targets
    decoupled = DecoupledTrackingLoss().frame(*frame)
    assert decoupled.matched_object.tolist() == [[1, 3, 2, 0, -1]]
    assert float(decoupled.sums['loss_det_cls']) == pytest.approx(
        cls_loss([0.5, 0.6, 0.7, 0.7], [])
    )
    for name in ('loss_tck_cls', 'loss_tck_reg', 'loss_tck_box'):
        assert decoupled.sums[name] == losses.sums[name]


def test_a_tracklet_that_lost_its_target_ends_and_its_target_is_newborn_in_the_next_frame():
    """Nobody else may take it in this frame: its object has learned to be background."""
    output, valid, targets = make_frame(OBJECTS, TRACKLETS, PRESENT, VALID)
    matched = SingleDecoderLoss().frame(output, valid, targets).matched_object
    decisions = ClipTracklets().decide(output, valid, targets, matched)
    assert decisions.present.int().tolist() == [[1, 0, 0, 0, 0]]
    assert decisions.born.int().tolist() == [[0, 0, 1, 1, 0]]
    assert decisions.valid.int().tolist() == [[1, 0, 1, 1, 1]]
    later = SingleDecoderLoss().frame(output, decisions.valid, targets)
    assert later.matched_object.tolist() == [[-1, 3, -1, -1, -1]]


def test_the_single_decoder_has_no_association_loss():
    frame = make_frame(OBJECTS, TRACKLETS, PRESENT, VALID, torch.randn(1, 4, 5))
    assert SingleDecoderLoss(det_weight=2.0).frame(*frame).asso == 0


# ---------------------------------------------------------------- contrastive


def contrastive(similarity, temperature, valid, positives):
    """Sum over the objects with a tracklet of -log softmax over the tracklets, one by one."""
    total = 0.0
    slots = np.flatnonzero(valid)
    for i, k in positives.items():
        powers = {j: np.exp(similarity[i, j] / temperature) for j in slots}
        total -= np.log(powers[k] / sum(powers.values()))
    return total


def test_contrastive_loss_equals_the_transcription():
    generator = torch.Generator().manual_seed(0)
    similarity = torch.rand(1, 4, 5, generator=generator, dtype=torch.float64) * 0.98 + 0.01
    logits = similarity.logit().float().requires_grad_()
    frame = make_frame(OBJECTS, TRACKLETS, PRESENT, VALID, logits)
    criterion = ContrastiveTrackingLoss(temperature=0.2, asso_weight=3.0)
    losses = criterion.frame(*frame)
    # objects 1 and 3 are on targets with tracklets, 0 and 2 on newborns; tracklets 0, 1, 4 entered
    expected = contrastive(similarity[0].numpy(), 0.2, VALID, {1: 0, 3: 1})
    assert float(losses.asso) == pytest.approx(3 * expected, rel=1e-5)
    assert losses.num_pairs == 2
    assert float(criterion.clip([losses])['loss_asso']) == pytest.approx(1.5 * expected, rel=1e-5)
    losses.asso.backward()
    taught = logits.grad[0] != 0
    assert taught.nonzero()[:, 0].unique().tolist() == [1, 3]
    assert taught.nonzero()[:, 1].unique().tolist() == [0, 1, 4]
    # what is not the association is as in LA-MOTR
    plain = DecoupledTrackingLoss().frame(*frame)
    assert torch.equal(plain.heads, losses.heads)
    assert torch.equal(plain.matched_object, losses.matched_object)


@pytest.mark.parametrize(('present', 'valid'), [([0] * 5, [1] * 5), ([1] * 5, [0] * 5)])
def test_contrastive_loss_without_pairs_is_0_and_in_the_graph(present, valid):
    logits = torch.randn(1, 4, 5, requires_grad=True)
    criterion = ContrastiveTrackingLoss()
    losses = criterion.clip(
        [criterion.frame(*make_frame(OBJECTS, TRACKLETS, present, valid, logits))]
    )
    losses['loss_asso'].backward()
    assert losses['loss_asso'] == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
