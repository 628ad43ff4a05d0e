"""SOTD: both decoders against plain PyTorch, and the symmetries of queries and padded slots."""

import math

import pytest
import torch
from torch.nn import functional as F

from lamotr_mm.models.structures import FrameFeatures
from lamotr_mm.tracking.state import TrackletState

SHAPES = [(4, 6), (2, 3)]
TOKENS = [24, 6]
TRACKLETS = 4


HEADS = ['lamotr_mm.SOTDHead', 'lamotr_mm.DeformableSOTDHead']


@pytest.fixture(params=HEADS)
def head(request, build_tiny):
    config = {'sotd_head.type': request.param, 'sotd_head.num_queries': 7}
    return build_tiny(config).sotd_head.double().eval()


def is_dab(head):
    return hasattr(head, 'anchor_embedding')


def position_embedding(head):
    return head.anchor_embedding if is_dab(head) else head.position_embedding


def features(frames=2, width=32, seed=0):
    """Random memory; the last column of every image is padding, except in image 0."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(frames, sum(TOKENS), dtype=torch.bool)
    ratios = torch.ones(frames, 2, 2, dtype=torch.double)
    for level, (height, columns) in enumerate(SHAPES):
        part = mask[1:, sum(TOKENS[:level]) : sum(TOKENS[: level + 1])]
        part.view(-1, height, columns)[..., -1] = True
        ratios[1:, level, 0] = (columns - 1) / columns
    return FrameFeatures(
        memory=torch.randn(frames, len(mask[0]), width, generator=generator, dtype=torch.double),
        padding_mask=mask,
        valid_ratios=ratios,
        spatial_shapes=torch.tensor(SHAPES),
        level_start_index=torch.tensor([0, TOKENS[0]]),
    )


def tracklets(frames=2, width=32, valid=None, seed=1):
    generator = torch.Generator().manual_seed(seed)
    if valid is None:
        valid = torch.ones(frames, TRACKLETS, dtype=torch.bool)
    return TrackletState(
        query=torch.randn(frames, TRACKLETS, width, generator=generator, dtype=torch.double),
        anchor_cxcywh=torch.rand(frames, TRACKLETS, 4, generator=generator, dtype=torch.double),
        source=torch.randint(7, (frames, TRACKLETS), generator=generator),
        valid=valid,
        memory=torch.zeros(frames, TRACKLETS, 0, width),
    )


def close(ours, reference, atol=1e-10):
    torch.testing.assert_close(ours, reference, rtol=0, atol=atol)


def take(found, queries, frames=slice(None)):
    """Detections of some queries of some frames, of which 7 are objects."""
    slots = torch.arange(found.embeds.shape[1])[queries]
    return found._replace(
        embeds=found.embeds[frames][:, queries],
        anchors_cxcywh=found.anchors_cxcywh[frames][:, queries],
        logits=found.logits[:, frames][:, :, queries],
        boxes_cxcywh=found.boxes_cxcywh[:, frames][:, :, queries],
        queries=found.queries[frames][:, queries],
        entering_cxcywh=found.entering_cxcywh[frames][:, slots[slots >= 7] - 7],
    )


# ---------------------------------------------------------------- symmetries


def test_permuted_object_queries_permute_the_objects(head):
    before = head(features(), tracklets())
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    with torch.no_grad():
        for embedding in (head.query_embedding, position_embedding(head)):
            embedding.weight.copy_(embedding.weight[order])
    state = tracklets()
    after = head(features(), state._replace(source=order.argsort()[state.source]))
    queries = torch.cat([order, torch.arange(7, 7 + TRACKLETS)])
    for ours, reference in zip(after, take(before, queries)):
        close(ours, reference)


def test_permuted_tracklets_permute_the_tracklets(head):
    state, order = tracklets(), torch.tensor([2, 0, 3, 1])
    valid = torch.tensor([[True, True, False, True], [True, False, True, True]])
    state = state._replace(valid=valid)
    after = head(features(), TrackletState(*(tensor[:, order] for tensor in state)))
    queries = torch.cat([torch.arange(7), 7 + order])
    for ours, reference in zip(after, take(head(features(), state), queries)):
        close(ours, reference)


def test_padded_slots_change_nothing(head):
    """Padded = unpadded, although the padded slots hold numbers (here those of former tracks)."""
    valid = torch.tensor([[False, True, False, True]]).expand(2, -1)
    padded = tracklets(valid=valid)
    unpadded = TrackletState(*(tensor[:, [1, 3]] for tensor in padded))
    queries = [*range(7), 8, 10]
    for ours, reference in zip(take(head(features(), padded), queries), head(features(), unpadded)):
        close(ours, reference)

    none = TrackletState(*(tensor[:, :0] for tensor in padded))
    empty = head(features(), padded._replace(valid=torch.zeros_like(valid)))
    for ours, reference in zip(take(empty, slice(7)), head(features(), none)):
        close(ours, reference)


def test_batched_equals_single(head):
    image, state = features(), tracklets()
    batched = head(image, state)
    for frame in range(2):
        one = slice(frame, frame + 1)
        single = head(
            image._replace(
                memory=image.memory[one],
                padding_mask=image.padding_mask[one],
                valid_ratios=image.valid_ratios[one],
            ),
            TrackletState(*(tensor[one] for tensor in state)),
        )
        for ours, reference in zip(take(batched, slice(None), one), single):
            close(ours, reference)


def test_objects_and_tracklets_attend_to_each_other(head):
    """Sec. 3.1 concatenates them: joint self-attention."""
    state = tracklets()
    other = state._replace(query=state.query + 1)
    before, after = head(features(), state), head(features(), other)
    assert (before.embeds[:, :7] - after.embeds[:, :7]).abs().max() > 1e-4


@pytest.mark.parametrize('valid', [[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]])
def test_separate_attention(head, valid):
    """Objects are what they are without tracklets, a tracklet what it is with fewer objects; and
    padded slots change nothing, are finite and get finite gradients.
    """
    head.separate_attention = True
    valid = torch.tensor([valid, valid], dtype=torch.bool)
    state, used = tracklets(valid=valid), valid[0].nonzero().flatten()
    state.query.requires_grad_()
    found = head(features(), state)
    sum(tensor.sum() for tensor in found).backward()
    assert torch.isfinite(state.query.grad).all()
    assert all(torch.isfinite(tensor).all() for tensor in found)

    head.separate_attention = False
    none = TrackletState(*(tensor[:, :0] for tensor in state))
    for ours, reference in zip(take(found, slice(7)), head(features(), none)):
        close(ours, reference)
    with torch.no_grad():  # what tracklets are among themselves: no object is anyone's key
        mask = head._self_attn_mask
        head._self_attn_mask = lambda valid: (
            (mask(valid) | (torch.arange(7 + valid.shape[1]) < 7))
            & ~torch.eye(7 + valid.shape[1], dtype=torch.bool)
        )
        alone = head(features(), TrackletState(*(tensor[:, used] for tensor in state)))
    for ours, reference in zip(take(found, 7 + used), take(alone, slice(7, None))):
        close(ours, reference)


def test_padded_pixels_change_nothing(head):
    image = features()
    memory = torch.where(image.padding_mask[..., None], image.memory + 100, image.memory)
    before, after = head(image, tracklets()), head(image._replace(memory=memory), tracklets())
    close(after.boxes_cxcywh, before.boxes_cxcywh)


def test_shared_head_gives_exactly_the_last_boxes(head):
    """O(0) = E: SGLA's first boxes are the decoder's own, not a second opinion."""
    found = head(features(), tracklets())
    logits, boxes = head.predict(found.embeds, found.anchors_cxcywh)
    assert torch.equal(logits, found.logits[-1])
    assert torch.equal(boxes, found.boxes_cxcywh[-1])
    assert not found.anchors_cxcywh.requires_grad
    # the anchors that entered the last layer are the boxes that left the one before
    assert torch.equal(found.anchors_cxcywh, found.boxes_cxcywh[-2])


def test_gradients_reach_content_and_first_anchors_through_each_layer(head):
    found = head(features(), tracklets())
    for layer in range(3):
        head.zero_grad()
        found.boxes_cxcywh[layer].sum().backward(retain_graph=True)
        assert head.query_embedding.weight.grad.abs().max() > 0
        assert position_embedding(head).weight.grad.abs().max() > 0
        # boxes are detached between the layers: an earlier branch learns from its own layer only
        for other, branch in enumerate(head.reg_branches):
            assert (branch[-1].weight.grad.abs().max() > 0) == (other == layer)


@pytest.mark.parametrize('kind', HEADS)
def test_checkpointing_changes_no_gradient(build_tiny, kind):
    gradients = []
    for with_cp in (False, True):
        config = {'sotd_head.type': kind, 'sotd_head.with_cp': with_cp}
        module = build_tiny(config).sotd_head.train().double()
        found = module(features(), tracklets())
        (found.embeds.sum() + found.boxes_cxcywh.sum() + found.logits.square().sum()).backward()
        gradients.append({name: p.grad for name, p in module.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize('kind', HEADS)
def test_boxes_stay_float32_under_autocast(build_tiny, kind):
    module = build_tiny({'sotd_head.type': kind, 'sotd_head.num_queries': 7}).sotd_head
    image, state = features(), tracklets()
    with torch.autocast('cpu', torch.bfloat16):
        found = module(
            image._replace(memory=image.memory.bfloat16(), valid_ratios=image.valid_ratios.float()),
            state._replace(query=state.query.float(), anchor_cxcywh=state.anchor_cxcywh.bfloat16()),
        )
    assert found.logits.dtype == torch.bfloat16
    assert found.boxes_cxcywh.dtype == found.anchors_cxcywh.dtype == torch.float32


def test_initial_boxes_are_the_anchors(build_tiny):
    """Zero offsets at initialisation: targets are learned from where the anchors are."""
    model = build_tiny()
    model.sotd_head.init_weights()
    found = model.sotd_head.double()(features(), tracklets())
    anchors = model.sotd_head.anchor_embedding.weight.sigmoid()
    for boxes in found.boxes_cxcywh:
        close(boxes[0, : len(anchors)], anchors, atol=1e-7)


def test_plain_first_boxes_have_the_learned_centre_and_one_size(build_tiny):
    """As published: linear layer of the position -> centre; sizes start at sigmoid(-2) = 0.12."""
    model = build_tiny({'sotd_head.type': 'lamotr_mm.DeformableSOTDHead'})
    model.sotd_head.init_weights()
    head = model.sotd_head.double()
    found = head(features(), tracklets())
    centres = head.decoder.reference_points(head.position_embedding.weight).sigmoid()
    close(found.boxes_cxcywh[0, 0, : len(centres), :2], centres, atol=1e-7)
    sizes = found.boxes_cxcywh[0, ..., 2:]
    close(sizes, torch.full_like(sizes, 0.12), atol=1e-7)


def test_plain_tracklet_takes_the_position_of_its_source(build_tiny):
    """A tracklet with an object's content, centre and position is decoded to that object."""
    config = {'sotd_head.type': 'lamotr_mm.DeformableSOTDHead', 'sotd_head.num_queries': 7}
    head = build_tiny(config).sotd_head.double().eval()
    source = torch.tensor([[5, 0, 2, 2], [1, 1, 6, 3]])
    centres = head.decoder.reference_points(head.position_embedding.weight).sigmoid()
    anchors = torch.cat([centres, torch.rand(7, 2, dtype=torch.double)], -1)
    state = tracklets()._replace(
        query=head.query_embedding.weight[source], anchor_cxcywh=anchors[source], source=source
    )
    found = head(features(), state)
    for frame in range(2):
        close(found.embeds[frame, 7:], found.embeds[frame, source[frame]])
        boxes = found.boxes_cxcywh[:, frame]
        close(boxes[:, 7:], boxes[:, source[frame]])


# ---------------------------------------------------------------- the decoder in plain PyTorch


def linear(weights, name, x):
    return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']


def mlp(weights, name, x, layers=(0, 1)):
    for layer in layers[:-1]:
        x = linear(weights, f'{name}.{layer}', x).clamp(min=0)
    return linear(weights, f'{name}.{layers[-1]}', x)


def norm(weights, name, x):
    return F.layer_norm(x, x.shape[-1:], weights[f'{name}.weight'], weights[f'{name}.bias'])


def sine_of_box(box, width):
    """DAB-DETR, order y, x, w, h; each coordinate has d / 2 channels, sine and cosine in turns."""
    channels = []
    for coordinate in (box[1], box[0], box[2], box[3]):
        for channel in range(width // 2):
            angle = coordinate * 2 * math.pi / 10000 ** (2 * (channel // 2) / (width // 2))
            channels.append(torch.cos(angle) if channel % 2 else torch.sin(angle))
    return torch.stack(channels)


def self_attention(weights, name, content, position, heads, keys):
    width = content.shape[-1]
    q, k, v = (
        x @ w.T + b
        for x, w, b in zip(
            (content + position, content + position, content),
            weights[f'{name}.in_proj_weight'].chunk(3),
            weights[f'{name}.in_proj_bias'].chunk(3),
        )
    )
    size = width // heads
    out = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        attention = (q[:, part] @ k[keys][:, part].T / math.sqrt(size)).softmax(-1)
        out.append(attention @ v[keys][:, part])
    return linear(weights, f'{name}.out_proj', torch.cat(out, -1))


def bilinear(grid, x, y):
    """Value of ``grid (h, w, c)`` at (x, y) in pixels, pixel centres at integers, zero outside."""
    height, width, channels = grid.shape
    total = torch.zeros(channels, dtype=grid.dtype)
    for column in (math.floor(x), math.floor(x) + 1):
        for row in (math.floor(y), math.floor(y) + 1):
            if 0 <= column < width and 0 <= row < height:
                total += grid[row, column] * (1 - abs(x - column)) * (1 - abs(y - row))
    return total


def deformable_attention(weights, name, query, memory, mask, references, heads, points):
    """One image; ``references (N, levels, 4)`` cxcywh, or ``(N, levels, 2)``, as shares of each
    padded level.
    """
    count, width = query.shape
    levels, size = len(SHAPES), width // heads
    value = linear(weights, f'{name}.value_proj', memory).masked_fill(mask[:, None], 0)
    offsets = linear(weights, f'{name}.sampling_offsets', query)
    offsets = offsets.view(count, heads, levels, points, 2)
    attention = linear(weights, f'{name}.attention_weights', query)
    attention = attention.view(count, heads, levels * points).softmax(-1)
    attention = attention.view(count, heads, levels, points)
    out = torch.zeros(count, heads, size, dtype=query.dtype)
    for level, (rows, columns) in enumerate(SHAPES):
        start = sum(TOKENS[:level])
        grid = value[start : start + TOKENS[level]].view(rows, columns, heads, size)
        for n in range(count):
            centre, side = references[n, level, :2], references[n, level, 2:]
            for head in range(heads):
                for point in range(points):
                    at = offsets[n, head, level, point]
                    if len(side):
                        at = centre + at / points * side * 0.5
                    else:  # px of the level
                        at = centre + at / at.new_tensor([columns, rows])
                    x, y = float(at[0] * columns - 0.5), float(at[1] * rows - 0.5)
                    sample = bilinear(grid[:, :, head], x, y)
                    out[n, head] += attention[n, head, level, point] * sample
    return linear(weights, f'{name}.output_proj', out.flatten(1))


def inverse_sigmoid(x, eps):
    return torch.log(x.clamp(min=eps) / (1 - x).clamp(min=eps))


def reference_decoder(weights, content, start, keys, memory, mask, ratios, heads, points):
    """Embeddings, anchors that entered and boxes that left each layer, of one image.

    ``start``: anchors cxcywh (DAB), or learned positions and centres (plain).
    """
    learned, anchors = start if isinstance(start, tuple) else (None, start)
    layers = []
    for layer in range(3):
        name = f'decoder.layers.{layer}'
        references = anchors[:, None] * torch.cat([ratios, ratios], -1)[:, : anchors.shape[-1]]
        position = learned
        if learned is None:
            sine = torch.stack([sine_of_box(box, content.shape[-1]) for box in references[:, 0]])
            position = mlp(weights, 'decoder.ref_point_head.layers', sine)
            if layer > 0:
                position = position * mlp(weights, 'decoder.query_scale.layers', content)
        attended = self_attention(weights, f'{name}.self_attn.attn', content, position, heads, keys)
        content = norm(weights, f'{name}.norms.0', content + attended)
        attended = deformable_attention(
            weights,
            f'{name}.cross_attn',
            content + position,
            memory,
            mask,
            references,
            heads,
            points,
        )
        content = norm(weights, f'{name}.norms.1', content + attended)
        hidden = linear(weights, f'{name}.ffn.layers.0.0', content).clamp(min=0)
        hidden = linear(weights, f'{name}.ffn.layers.1', hidden)
        content = norm(weights, f'{name}.norms.2', content + hidden)
        boxes = mlp(weights, f'reg_branches.{layer}', content, (0, 2, 4))
        given = anchors.shape[-1]  # a centre or a box
        boxes[:, :given] += inverse_sigmoid(anchors, 1e-3 if learned is None else 1e-5)
        boxes = boxes.sigmoid()
        layers.append((content, anchors, boxes))
        anchors = boxes
    return layers


def test_decoder_equals_plain_pytorch(head):
    valid = torch.tensor([[True, False, True, True], [True, True, True, False]])
    image, state = features(), tracklets(valid=valid)
    # anchors at the border of the image meet the epsilon of the inverse sigmoid
    state.anchor_cxcywh[:, 0] = torch.tensor([0.0002, 0.9999, 0.3, 0.2], dtype=torch.double)
    weights = head.state_dict()
    content = torch.cat([weights['query_embedding.weight'].expand(2, -1, -1), state.query], 1)
    found = head(image, state)
    for frame in range(2):
        if is_dab(head):
            anchors = weights['anchor_embedding.weight'].sigmoid()
            start = torch.cat([anchors, state.anchor_cxcywh[frame]])
        else:
            positions = weights['position_embedding.weight']
            centres = linear(weights, 'decoder.reference_points', positions).sigmoid()
            start = (
                torch.cat([positions, positions[state.source[frame]]]),
                torch.cat([centres, state.anchor_cxcywh[frame, :, :2]]),
            )
        keys = torch.cat([torch.ones(7, dtype=torch.bool), valid[frame]])
        layers = reference_decoder(
            weights,
            content[frame],
            start,
            keys,
            image.memory[frame],
            image.padding_mask[frame],
            image.valid_ratios[frame],
            heads=4,
            points=2,
        )
        # mmdet computes the frequencies of the sine encoding in single precision
        for layer, (embeds, _, boxes) in enumerate(layers):
            close(found.boxes_cxcywh[layer, frame], boxes, atol=1e-5)
            logits = linear(weights, f'cls_branches.{layer}', embeds)
            close(found.logits[layer, frame], logits, atol=1e-5)
        close(found.embeds[frame], layers[-1][0], atol=1e-5)
        close(found.anchors_cxcywh[frame], layers[-1][1], atol=1e-5)
