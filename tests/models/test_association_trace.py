"""The terms of S and the attention of tracklets, against the form that stores M, in float64."""

import numpy as np
import pytest
import torch

from lamotr_mm.models import SGLA, NoAssociation
from lamotr_mm.models.association_trace import AssociationTrace
from lamotr_mm.models.structures import Detections

WIDTH, HEADS, LAYERS, OBJECTS, SLOTS = 12, 3, 3, 5, 4
VALID = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=torch.bool)


def head(embeds, anchors):
    return embeds[..., :1], (anchors.logit() + 0.3 * embeds[..., -4:]).sigmoid()


def build(spread_parameters, **variant):
    torch.manual_seed(0)
    module = SGLA(WIDTH, HEADS, LAYERS, ffn_dims=20, **variant)
    module.init_weights()
    return spread_parameters(module, std=0.3).double()


@pytest.fixture
def sgla(spread_parameters):
    return build(spread_parameters)


@pytest.fixture
def detections():
    generator = torch.Generator().manual_seed(1)
    shape = (2, OBJECTS + SLOTS)
    embeds = torch.randn(*shape, WIDTH, generator=generator, dtype=torch.double)
    anchors = torch.rand(*shape, 4, generator=generator, dtype=torch.double) * 0.8 + 0.1
    logits, boxes = head(embeds, anchors)
    entering = anchors[:, OBJECTS:] / 2
    return Detections(embeds, anchors, logits[None], boxes[None], embeds, entering)


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def linear(layer, x):
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()
    return x @ layer.weight.detach().numpy().T + bias


def plain_terms(sgla, boxes, embeds, frame):
    """Shares of each layer in the score, and A's rows of tracklets, of M that is stored: NumPy.

    Args:
        boxes: ``(L, N, 4)``, those that enter each layer.
        embeds: ``(L, N, d)``, ``O(l)`` that enters each layer.
    """
    valid = VALID[frame].numpy()
    asso = np.zeros((OBJECTS, SLOTS, WIDTH))
    w = sgla.score.weight.detach().numpy()[0]
    spatial, attention, rows = [], [], []
    for layer, box, embed in zip(sgla.layers, boxes, embeds):
        difference = box[:OBJECTS, None] - box[None, OBJECTS:]
        first, second = sgla.deviation_mlp.layers
        encoding = linear(second, np.maximum(linear(first, difference), 0))
        asso = asso + encoding
        spatial.append(encoding @ w)
        bias, size = linear(layer.w_asso, asso), WIDTH // HEADS
        blocks, asked = np.zeros((OBJECTS, SLOTS, HEADS)), []
        for h in range(HEADS):
            part = slice(h * size, (h + 1) * size)
            q, k = (linear(proj, embed)[:, part] for proj in (layer.q_proj, layer.k_proj))
            logits = q @ k.T / np.sqrt(size)
            logits[:OBJECTS, OBJECTS:] += bias[..., h]
            logits[OBJECTS:, :OBJECTS] += bias[..., h].T
            logits[:, OBJECTS:][:, ~valid] = -np.inf
            a = softmax(logits)
            blocks[..., h] = (a[:OBJECTS, OBJECTS:] + a[OBJECTS:, :OBJECTS].T) / 2
            asked.append(a[OBJECTS:])
        update = linear(layer.w_upd, blocks)
        asso = asso + update
        attention.append(update @ w)
        rows.append(np.mean(asked, 0))
    return np.array(spatial), np.array(attention), np.array(rows), asso @ w


@pytest.mark.parametrize(
    'variant',
    [{}, {'anchor_cue': True}, {'spatial_cue': 'none'}, {'edge_update': 'logits'}],
    ids=['paper', 'anchor_cue', 'no_cue', 'logits'],
)
def test_terms_sum_to_the_logits(spread_parameters, detections, variant):
    sgla = build(spread_parameters, **variant)
    with AssociationTrace(sgla) as trace:
        output = sgla(detections, VALID, head)
    prior, spatial, attention = trace.terms()
    assert spatial.shape == attention.shape == (LAYERS, 2, OBJECTS, SLOTS)
    total = prior + spatial.sum(0) + attention.sum(0)
    torch.testing.assert_close(total, output.asso_logits, rtol=0, atol=1e-12)


def test_each_term_is_that_of_the_paper(sgla, detections):
    embeds = []
    for layer in sgla.layers:
        layer.register_forward_pre_hook(lambda _, args: embeds.append(args[0].detach().numpy()))
    with AssociationTrace(sgla) as trace:
        output = sgla(detections, VALID, head)
    prior, *terms = trace.terms()
    rows = trace.tracklet_attention()
    boxes = torch.cat([detections.boxes_cxcywh, output.boxes_cxcywh]).detach().numpy()
    torch.testing.assert_close(trace.boxes_cxcywh().numpy(), boxes, rtol=0, atol=0)
    for frame, valid in enumerate(VALID):
        *plain, asked, m = plain_terms(sgla, boxes[:-1, frame], np.array(embeds)[:, frame], frame)
        for ours, theirs in zip(terms, plain):
            np.testing.assert_allclose(
                ours[:, frame][..., valid], theirs[..., valid.numpy()], atol=1e-11
            )
        np.testing.assert_allclose(rows[:, frame, valid], asked[:, valid.numpy()], atol=1e-11)
        np.testing.assert_allclose(
            output.asso_logits[frame].detach()[..., valid],
            (m + prior.numpy())[..., valid.numpy()],
            atol=1e-11,
        )
    np.testing.assert_allclose(rows[:, VALID].sum(-1), 1, atol=1e-12)
    assert (rows[..., OBJECTS:].transpose(-1, -2)[:, ~VALID] == 0).all(), 'padding is no key'


def test_it_is_gone_after_the_block(sgla, detections):
    before = sgla(detections, VALID, head)
    with AssociationTrace(sgla) as trace:
        seen = sgla(detections, VALID, head)
        sgla(detections._replace(embeds=detections.embeds * 0.5), VALID, head)
        total = trace.output.asso_logits
        parts = trace.terms()
        torch.testing.assert_close(parts[0] + (parts[1] + parts[2]).sum(0), total)
    assert (before.asso_logits == seen.asso_logits).all(), 'watching changes nothing'
    for module in [sgla, *sgla.layers]:
        assert not module._forward_hooks and not module._forward_pre_hooks
    sgla(detections, VALID, head)
    assert trace.output.asso_logits is total, 'the last call that was watched'


def test_other_associations_are_refused(spread_parameters):
    with pytest.raises(ValueError, match=r"sgla\.queries='both'"):
        AssociationTrace(build(spread_parameters, queries='objects'))
    with pytest.raises(ValueError, match=r"sgla\.queries='both'"):
        AssociationTrace(NoAssociation())
