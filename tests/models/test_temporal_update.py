"""TAN and TIM against transcriptions of MOTR's and MeMOTR's equations, a tracklet at a time."""

import math

import pytest
import torch

from lamotr_mm.models import TemporalAggregation, TemporalInteraction, TrackletUpdate
from lamotr_mm.models.structures import Detections, FrameOutput
from lamotr_mm.models.tracklet_update import SlotDecisions
from lamotr_mm.tracking.state import TrackletState

WIDTH, HEADS, OBJECTS, SLOTS = 8, 2, 4, 7
# slots 0 to 6: matched with object 1, present without one, born from object 3, absent, in no use,
# matched with object 0, present with a score below 0.5 although matched with object 2
DECISIONS = SlotDecisions(
    object_index=torch.tensor([[1, -1, 3, -1, -1, 0, 2]]),
    present=torch.tensor([[True, True, False, False, False, True, True]]),
    born=torch.tensor([[False, False, True, False, False, False, False]]),
    valid=torch.tensor([[True, True, True, True, False, True, True]]),
)
FOUND, WEAK, LOST, UNUSED = [0, 1, 2, 5], 6, 3, 4


def build(kind, spread_parameters, **kwargs):
    torch.manual_seed(0)
    update = kind(WIDTH, HEADS, 12, **kwargs)
    update.init_weights()
    return spread_parameters(update, std=0.3).double()


def scene(memories, batch=1, seed=0):
    """State and output of one frame; every tracklet but `WEAK` is confident."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.double)

    queries = OBJECTS + SLOTS
    boxes, logits = draw(1, batch, queries, 4).sigmoid(), draw(1, batch, queries, 2)
    logits[..., 1] = 0.1
    logits[:, :, OBJECTS + WEAK] = -0.1
    detections = Detections(
        draw(batch, queries, WIDTH),
        boxes[0],
        logits,
        boxes,
        draw(batch, queries, WIDTH),
        boxes[0, :, OBJECTS:],
    )
    output = FrameOutput(
        detections, draw(batch, queries, WIDTH), logits, boxes, draw(batch, OBJECTS, SLOTS)
    )
    state = TrackletState(
        detections.queries[:, OBJECTS:].clone(),
        draw(batch, SLOTS, 4).sigmoid(),
        torch.randint(OBJECTS, (batch, SLOTS), generator=generator),
        torch.ones(batch, SLOTS, dtype=torch.bool),
        draw(batch, SLOTS, memories, WIDTH),
    )
    return state, output


def repeated(batch):
    return SlotDecisions(*(tensor.expand(batch, -1) for tensor in DECISIONS))


# ---------------------------------------------------------------- the two papers


class Reference:
    """Weights of an update, and what both papers have in common; one clip."""

    def __init__(self, update):
        self.weights = {name: value.detach() for name, value in update.named_parameters()}

    def linear(self, name, x):
        return self.weights[f'{name}.weight'] @ x + self.weights[f'{name}.bias']

    def mlp(self, name, x):
        return self.linear(f'{name}.layers.1', self.linear(f'{name}.layers.0', x).clamp(min=0))

    def ffn(self, name, x):
        return self.linear(f'{name}.layers.1', self.linear(f'{name}.layers.0.0', x).clamp(min=0))

    def norm(self, name, x):
        x = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
        return x * self.weights[f'{name}.weight'] + self.weights[f'{name}.bias']

    def position(self, box_cxcywh):
        """DAB's encoding, order y, x, w, h; sine and cosine in turn."""
        half, numbers = WIDTH // 2, []
        for value in (box_cxcywh[i] for i in (1, 0, 2, 3)):
            for i in range(half):
                angle = value * 2 * math.pi / 10000 ** (2 * (i // 2) / half)
                numbers.append(angle.cos() if i % 2 else angle.sin())
        return self.mlp('position_head', torch.stack(numbers))

    def attend(self, q, keys, values):
        """One query to a list of keys, head by head."""
        w_q, w_k, w_v = self.weights['attention.in_proj_weight'].split(WIDTH)
        b_q, b_k, b_v = self.weights['attention.in_proj_bias'].split(WIDTH)
        heads = []
        for part in torch.arange(WIDTH).split(WIDTH // HEADS):
            asked = (w_q @ q + b_q)[part]
            logits = [(w_k @ k + b_k)[part] @ asked / (WIDTH // HEADS) ** 0.5 for k in keys]
            shares = torch.stack(logits).softmax(0)
            heads.append(sum(s * (w_v @ v + b_v)[part] for s, v in zip(shares, values)))
        return self.linear('attention.out_proj', torch.cat(heads))

    def block(self, q, keys, values, own):
        x = self.norm('attention_norm', own + self.attend(q, keys, values))
        return self.norm('ffn_norm', x + self.ffn('ffn', x))


def story(state, output, clip, anchor):
    """Of each slot: what it was seen as, what entered the frame, its next anchor."""
    seen, entered, anchors = [], [], []
    for slot in range(SLOTS):
        born = slot == 2
        query = 3 if born else OBJECTS + slot
        seen.append(output.embeds[clip, query])
        entered.append(output.detections.queries[clip, query])
        found = slot in anchor
        anchors.append(
            output.boxes_cxcywh[-1, clip, query] if found else state.anchor_cxcywh[clip, slot]
        )
    return seen, entered, anchors


def reference_tan(update, state, output, clip):
    ours = Reference(update)
    seen, entered, anchors = story(state, output, clip, [*FOUND, WEAK])
    live = [slot for slot in range(SLOTS) if slot != UNUSED]
    where = [o + ours.position(a) for o, a in zip(seen, anchors)]
    queries = state.query[clip].clone()
    for slot in [*FOUND, WEAK]:
        x = ours.block(where[slot], [where[s] for s in live], [seen[s] for s in live], seen[slot])
        queries[slot] = ours.norm('query_norm', entered[slot] + ours.ffn('query_ffn', x))
    return queries, torch.stack(anchors)


def reference_tim(update, state, output, clip, rate):
    ours = Reference(update)
    seen, entered, anchors = story(state, output, clip, FOUND)
    live = [slot for slot in range(SLOTS) if slot != UNUSED]
    long_term, last = (list(memory) for memory in state.memory[clip].unbind(1))
    long_term[2], last[2] = entered[2], seen[2]
    where = [ours.position(anchor) for anchor in anchors]
    keys = [m + p for m, p in zip(long_term, where)]
    queries, memory = state.query[clip].clone(), state.memory[clip].clone()
    for slot in FOUND:
        trusted = ours.mlp('confidence', seen[slot]).sigmoid() * seen[slot]
        short_term = ours.mlp('short_term', torch.cat([trusted, last[slot]]))
        x = ours.block(
            short_term + where[slot], [keys[s] for s in live], [seen[s] for s in live], seen[slot]
        )
        y = ours.norm('memory_norm', long_term[slot] + x)
        queries[slot] = ours.norm('query_norm', y + ours.ffn('query_ffn', y))
        memory[slot, 0] = (1 - rate) * long_term[slot] + rate * seen[slot]
        memory[slot, 1] = seen[slot]
    return queries, torch.stack(anchors), memory


def close(ours, reference):
    torch.testing.assert_close(ours, reference, rtol=0, atol=1e-12)


def test_tan_equals_motr(spread_parameters):
    update = build(TemporalAggregation, spread_parameters)
    state, output = scene(0, batch=2)
    after = update(state, output, repeated(2))
    for clip in range(2):
        queries, anchors = reference_tan(update, state, output, clip)
        close(after.query[clip], queries)
        close(after.anchor_cxcywh[clip], anchors)
    assert after.memory.shape == (2, SLOTS, 0, WIDTH)


@pytest.mark.parametrize('rate', [0.01, 0.4])
def test_tim_equals_memotr(spread_parameters, rate):
    update = build(TemporalInteraction, spread_parameters, rate=rate)
    state, output = scene(2, batch=2)
    after = update(state, output, repeated(2))
    for clip in range(2):
        queries, anchors, memory = reference_tim(update, state, output, clip, rate)
        close(after.query[clip], queries)
        close(after.anchor_cxcywh[clip], anchors)
        close(after.memory[clip], memory)


# ---------------------------------------------------------------- what Eq. 2 does as well

BOTH = pytest.mark.parametrize('kind', [TemporalAggregation, TemporalInteraction])


@BOTH
def test_slots_and_their_padding_are_those_of_equation_2(spread_parameters, kind):
    every = {'score_thr': 0.0} if kind is TemporalInteraction else {}
    update = build(kind, spread_parameters, anchor='object', **every)
    state, output = scene(kind.memories)
    after = update(state, output, DECISIONS)
    plain = TrackletUpdate(anchor='object')(state, output, DECISIONS)
    for name in ('anchor_cxcywh', 'source', 'valid'):
        assert getattr(after, name).equal(getattr(plain, name)), name
    for slot in (LOST, UNUSED):
        assert after.query[0, slot].equal(state.query[0, slot])
        assert after.memory[0, slot].equal(state.memory[0, slot])

    live = [slot for slot in range(SLOTS) if slot != UNUSED]
    queries = [*range(OBJECTS), *(OBJECTS + slot for slot in live)]
    fewer = output._replace(
        detections=output.detections._replace(
            queries=output.detections.queries[:, queries],
            entering_cxcywh=output.detections.entering_cxcywh[:, live],
        ),
        embeds=output.embeds[:, queries],
        logits=output.logits[:, :, queries],
        boxes_cxcywh=output.boxes_cxcywh[:, :, queries],
        asso_logits=output.asso_logits[..., live],
    )
    unpadded = update(
        TrackletState(*(tensor[:, live] for tensor in state)),
        fewer,
        SlotDecisions(*(tensor[:, live] for tensor in DECISIONS)),
    )
    close(unpadded.query, after.query[:, live])
    close(unpadded.memory, after.memory[:, live])


@BOTH
def test_gradients(spread_parameters, kind):
    """Into what was seen, and the object query of a newborn; none into the long-term memory and
    the anchors."""
    update = build(kind, spread_parameters)
    state, output = scene(kind.memories)
    leaves = (output.embeds, output.detections.queries, output.boxes_cxcywh, state.memory)
    for leaf in leaves:
        leaf.requires_grad_()
    after = update(state, output, DECISIONS)
    assert not after.anchor_cxcywh.requires_grad
    (after.query.square().sum() + after.memory.sum()).backward()
    embeds, queries = output.embeds.grad[0].abs().sum(-1), output.detections.queries.grad
    assert embeds[OBJECTS:].count_nonzero() == SLOTS - 2  # not those of slots 2 and 4
    assert embeds[:OBJECTS].nonzero().flatten().tolist() == [3]
    assert output.boxes_cxcywh.grad is None
    if kind is TemporalAggregation:
        assert queries[0, 3].abs().sum() > 0
    else:
        assert queries is None or not queries.any()
        long_term, last = state.memory.grad[0, 0]
        assert last.abs().sum() > 0
        assert not long_term.any()


@BOTH
def test_without_tracklets_everything_is_finite(spread_parameters, kind):
    update = build(kind, spread_parameters)
    state, output = scene(kind.memories)
    none = SlotDecisions(
        torch.full((1, SLOTS), -1), *(torch.zeros(1, SLOTS, dtype=torch.bool) for _ in range(3))
    )
    output.embeds.requires_grad_()
    after = update(state, output, none)
    assert after.query.equal(state.query)
    after.query.sum().backward()
    for tensor in (output.embeds, *update.parameters()):
        assert torch.isfinite(tensor.grad).all()


def test_parameters():
    """By hand; TIM makes MeMOTR's published 50.13M of the paper's detector (Table 7)."""

    def linear(inputs, outputs):
        return inputs * outputs + outputs

    norm, attention = 2 * 256, 4 * linear(256, 256)
    position = linear(512, 256) + linear(256, 256)

    def count(update):
        return sum(parameter.numel() for parameter in update.parameters())

    ffn = linear(256, 1024) + linear(1024, 256)
    assert count(TemporalAggregation()) == position + attention + 2 * ffn + 3 * norm == 1_512_960
    ffn = linear(256, 2048) + linear(2048, 256)
    memories = 2 * linear(256, 256) + linear(512, 512) + linear(512, 256) + norm
    tim = count(TemporalInteraction())
    assert tim == position + attention + 2 * ffn + 3 * norm + memories == 3_089_664
    assert round((47_044_814 + tim) / 1e6, 2) == 50.13


def test_rates_are_shares():
    with pytest.raises(ValueError, match=r'tracklet_update\.rate=1\.5'):
        TemporalInteraction(WIDTH, HEADS, 8, rate=1.5)
