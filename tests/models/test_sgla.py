"""SGLA, which folds M, against two plain forms of Sec. 3.2 and the block of EGT that store it, in
float64: NumPy loops, and PyTorch for the gradients.
"""

import numpy as np
import pytest
import torch

from lamotr_mm.models import SGLA
from lamotr_mm.models.structures import Detections, FrameOutput

WIDTH, HEADS, LAYERS, OBJECTS = 12, 3, 3, 4


# ---------------------------------------------------------------- the paper, in loops


def linear(weights, name, x):
    return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']


def layer_norm(weights, name, x):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * weights[f'{name}.weight'] + weights[f'{name}.bias']


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference_layer(weights, prefix, embeds, asso, num_objects):
    """``O(l)``, ``M(l) + E_diff(l)`` of one frame without padding -> ``O(l+1)``, ``M(l+1)`` and
    what the attention was biased with, ``(heads, Nd, Nt)``.
    """
    count, tracklets = len(embeds), len(embeds) - num_objects
    size = WIDTH // HEADS
    q, k, v = (linear(weights, f'{prefix}.{name}_proj', embeds) for name in 'qkv')
    attention, biases = np.zeros((HEADS, count, count)), np.zeros((HEADS, *asso.shape[:2]))
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        logits = q[:, part] @ k[:, part].T / np.sqrt(size)
        for i in range(num_objects):
            for j in range(tracklets):
                bias = linear(weights, f'{prefix}.w_asso', asso[i, j])[head]
                logits[i, num_objects + j] += bias
                logits[num_objects + j, i] += bias
                biases[head, i, j] = bias
        attention[head] = softmax(logits)
    heads = [attention[h] @ v[:, h * size : (h + 1) * size] for h in range(HEADS)]
    embeds = embeds + linear(weights, f'{prefix}.out_proj', np.concatenate(heads, -1))
    embeds = layer_norm(weights, f'{prefix}.attn_norm', embeds)
    hidden = np.maximum(linear(weights, f'{prefix}.ffn.layers.0.0', embeds), 0)
    embeds = embeds + linear(weights, f'{prefix}.ffn.layers.1', hidden)
    embeds = layer_norm(weights, f'{prefix}.ffn_norm', embeds)

    asso = asso.copy()
    for i in range(num_objects):
        for j in range(tracklets):
            pair = (attention[:, i, num_objects + j] + attention[:, num_objects + j, i]) / 2
            asso[i, j] += linear(weights, f'{prefix}.w_upd', pair)
    return embeds, asso, biases


def reference_sgla(weights, embeds, anchors, num_objects, head):
    """One frame without padding: ``O``, bias, boxes and logits of each layer, and ``S``."""
    asso = np.zeros((num_objects, len(embeds) - num_objects, WIDTH))  # M(0)
    layers = []
    for layer in range(LAYERS):
        _, boxes = head(embeds, anchors)
        asso = asso.copy()
        for i in range(asso.shape[0]):
            for j in range(asso.shape[1]):
                difference = boxes[i] - boxes[num_objects + j]
                hidden = np.maximum(linear(weights, 'deviation_mlp.layers.0', difference), 0)
                asso[i, j] += linear(weights, 'deviation_mlp.layers.1', hidden)
        embeds, asso, bias = reference_layer(weights, f'layers.{layer}', embeds, asso, num_objects)
        layers.append((embeds, bias, *head(embeds, anchors)))
    return layers, sigmoid(linear(weights, 'score', asso)[..., 0])


class PlainSGLA(SGLA):
    """The paper's form in PyTorch: M is a tensor ``(B, Nd, Nt, d)``; and those of the ablations,
    all as one attention ``(Nd + Nt)^2`` in which some entries are closed.
    """

    def __init__(self, *args, queries='both', spatial_cue='difference', **kwargs):
        super().__init__(*args, queries=queries, spatial_cue=spatial_cue, **kwargs)
        self.queries, self.cue = queries, spatial_cue
        self.from_logits = kwargs.get('edge_update') == 'logits'

    @staticmethod
    def encode(mlp, objects, tracklets, scaled):
        """``E_diff`` of boxes ``(B, Nd, 1, 4)`` and ``(B, 1, Nt, 4)``."""
        first, second = mlp.layers
        difference = objects - tracklets
        if scaled:
            sizes = (boxes[..., 2:].clamp(min=1e-3).unbind(-1) for boxes in (objects, tracklets))
            (x, y), (x_0, y_0) = objects[..., :2].unbind(-1), tracklets[..., :2].unbind(-1)
            (w, h), (w_0, h_0) = sizes
            steps = [(x - x_0) / w_0, (y - y_0) / h_0]
            steps = [(1 + 4 * step.abs()).log() * step.sign() for step in steps]
            difference = torch.stack([*steps, (w / w_0).log(), (h / h_0).log()], -1)
        return second(first(difference).relu())

    def forward(self, detections, valid, head):
        embeds, anchors = detections.embeds, detections.anchors_cxcywh
        boxes, count = detections.boxes_cxcywh[-1], detections.embeds.shape[1] - valid.shape[1]
        asso = embeds.new_zeros(len(embeds), count, valid.shape[1], embeds.shape[-1])
        if self.anchor_mlp is not None:
            seen = detections.entering_cxcywh[:, None]
            asso = asso + self.encode(self.anchor_mlp, boxes[:, :count, None], seen, scaled=True)
        every_logits, every_box, early = [], [], []
        for layer in self.layers:
            early.append(self.score(asso)[..., 0])
            if self.cue != 'none':
                pair = boxes[:, :count, None], boxes[:, None, count:]
                asso = asso + self.encode(self.deviation_mlp, *pair, self.cue == 'scaled')
            embeds, pairs = self.attend(layer, embeds, layer.w_asso(asso), valid)
            asso = asso + layer.w_upd(pairs)
            logits, boxes = head(embeds, anchors)
            every_logits.append(logits)
            every_box.append(boxes)
        scores = self.score(asso)[..., 0]
        stacks = torch.stack(every_logits), torch.stack(every_box), scores, torch.stack(early)
        return FrameOutput(detections, embeds, *stacks)

    def attend(self, layer, embeds, bias, valid):
        """``(B, Nd, Nt, heads)`` bias -> ``O(l+1)`` and the mean of the blocks that are open."""
        count, total = bias.shape[1], embeds.shape[1]
        full = bias.new_zeros(len(embeds), total, total, HEADS)
        full[:, :count, count:], full[:, count:, :count] = bias, bias.transpose(1, 2)
        split = (len(embeds), total, HEADS, WIDTH // HEADS)
        q, k, v = (p(embeds).view(split) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
        logits = torch.einsum('bihc,bjhc->bijh', q, k) / split[-1] ** 0.5 + full
        is_object = torch.arange(total) < count
        asks = {'both': is_object | ~is_object, 'objects': is_object, 'tracklets': ~is_object}
        asks = asks[self.queries]
        is_open = torch.cat([torch.ones(len(embeds), count, dtype=torch.bool), valid], 1)
        is_open = is_open[:, None].expand(-1, total, -1)
        if self.queries != 'both':
            is_open = is_open & (is_object[:, None] != is_object)
        weights = (logits - logits.detach().amax(2, keepdim=True)).exp() * is_open[..., None]
        attention = weights / weights.sum(2, keepdim=True).clamp(min=1e-300)
        update = torch.einsum('bijh,bjhc->bihc', attention, v).flatten(2)
        after = layer.attn_norm(embeds + layer.out_proj(update))
        after = layer.ffn_norm(layer.ffn(after))
        source = logits if self.from_logits else attention
        blocks = []
        if self.queries != 'tracklets':
            blocks.append(source[:, :count, count:])
        if self.queries != 'objects':
            blocks.append(source[:, count:, :count].transpose(1, 2))
        return torch.where(asks[:, None], after, embeds), sum(blocks) / len(blocks)


# ---------------------------------------------------------------- ours


class SharedHead:
    """Classification and box branch; boxes are offsets from the anchors in logit space."""

    def __init__(self, seed=0):
        random = np.random.default_rng(seed)
        self.classify, self.move = random.normal(size=(WIDTH, 2)), random.normal(size=(WIDTH, 4))

    def numpy(self, embeds, anchors):
        return embeds @ self.classify, sigmoid(embeds @ self.move + np.log(anchors / (1 - anchors)))

    def torch(self, embeds, anchors):
        classify, move = torch.from_numpy(self.classify), torch.from_numpy(self.move)
        return embeds @ classify, (embeds @ move + anchors.logit()).sigmoid()


VARIANTS = {
    'paper': {},
    'no_cue': {'spatial_cue': 'none'},
    'scaled_cue': {'spatial_cue': 'scaled'},
    'objects_ask': {'queries': 'objects'},
    'tracklets_ask': {'queries': 'tracklets'},
    'anchor_cue': {'anchor_cue': True},
    'logits': {'edge_update': 'logits'},
    'objects_ask_logits': {'queries': 'objects', 'edge_update': 'logits'},
    'tracklets_ask_logits_no_cue': {
        'queries': 'tracklets',
        'edge_update': 'logits',
        'spatial_cue': 'none',
    },
}


def build(variant, spread_parameters):
    torch.manual_seed(0)
    module = SGLA(WIDTH, HEADS, LAYERS, ffn_dims=20, **variant)
    module.init_weights()
    return spread_parameters(module, std=0.3).double()


@pytest.fixture
def sgla(spread_parameters):
    return build({}, spread_parameters)


def detections(batch, tracklets, head, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, OBJECTS + tracklets)
    embeds = torch.randn(*shape, WIDTH, generator=generator, dtype=torch.double)
    anchors = torch.rand(*shape, 4, generator=generator, dtype=torch.double) * 0.8 + 0.1
    logits, boxes = head.torch(embeds, anchors)
    entering = torch.rand(batch, tracklets, 4, generator=generator, dtype=torch.double)
    return Detections(embeds, anchors, logits[None], boxes[None], embeds, entering)


def record_layers(module):
    """Lists that fill with each layer's inputs (embeds, bias) and outputs (embeds, pairs)."""
    inputs, outputs = [], []
    for layer in module.layers:
        layer.register_forward_hook(
            lambda _, args, result: (inputs.append(args[:2]), outputs.append(result))[0]
        )
    return inputs, outputs


@pytest.mark.parametrize(
    'valid', [[[1, 1, 1]], [[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]]]
)
def test_every_layer_equals_the_paper(sgla, valid):
    head = SharedHead()
    valid = torch.tensor(valid, dtype=torch.bool)
    frame = detections(*valid.shape, head)
    weights = {name: value.numpy() for name, value in sgla.state_dict().items()}
    inputs, outputs = record_layers(sgla)
    result = sgla(frame, valid, head.torch)

    for clip, mask in enumerate(valid):
        used = torch.cat([torch.ones(OBJECTS, dtype=torch.bool), mask])
        layers, scores = reference_sgla(
            weights,
            frame.embeds[clip, used].numpy(),
            frame.anchors_cxcywh[clip, used].numpy(),
            OBJECTS,
            head.numpy,
        )
        for index, (embeds, bias, logits, boxes) in enumerate(layers):
            for ours, reference in [
                (outputs[index][0][clip, used], embeds),
                (inputs[index][1][clip, :, :, mask], bias),
                (result.logits[index, clip, used], logits),
                (result.boxes_cxcywh[index, clip, used], boxes),
            ]:
                np.testing.assert_allclose(ours.detach().numpy(), reference, atol=1e-10)
        np.testing.assert_allclose(
            result.asso_logits[clip, :, mask].sigmoid().detach().numpy(), scores, atol=1e-12
        )
        np.testing.assert_allclose(
            result.embeds[clip, used].detach().numpy(), layers[-1][0], atol=1e-10
        )


def test_association_starts_from_zero(sgla):
    """M(0) = 0: what enters the first layer is the relative deviation encoding alone."""
    head = SharedHead()
    frame = detections(1, 2, head)
    inputs, _ = record_layers(sgla)
    sgla(frame, torch.ones(1, 2, dtype=torch.bool), head.torch)
    boxes = frame.boxes_cxcywh[-1]
    difference = boxes[:, :OBJECTS, None] - boxes[:, None, OBJECTS:]
    bias = sgla.layers[0].w_asso(sgla.deviation_mlp(difference)).permute(0, 3, 1, 2)
    torch.testing.assert_close(inputs[0][1], bias, rtol=1e-12, atol=1e-12)


MASKS = {
    'one_frame': [[1, 1, 1]],
    'padded_batch': [[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]],
    'no_tracklets': [[0, 0], [0, 0]],
    'no_slots': [[]],
}


@pytest.mark.parametrize('valid', MASKS.values(), ids=MASKS)
@pytest.mark.parametrize('variant', VARIANTS.values(), ids=VARIANTS)
def test_values_and_gradients_are_those_of_the_form_that_stores_m(
    spread_parameters, variant, valid
):
    """All outputs that anyone reads, and the gradient of everything that has one."""
    head, valid = SharedHead(), torch.tensor(valid, dtype=torch.bool)
    sgla = build(variant, spread_parameters)
    plain = PlainSGLA(WIDTH, HEADS, LAYERS, ffn_dims=20, **variant).double()
    plain.load_state_dict(sgla.state_dict())
    results = []
    for module in (sgla, plain):
        frame = detections(*valid.shape, head)
        leaves = [tensor.requires_grad_() for tensor in frame]
        output = module(frame, valid, head.torch)
        used = torch.cat([torch.ones(len(valid), OBJECTS, dtype=torch.bool), valid], 1)
        values = [
            output.embeds[used],
            output.logits[:, used],
            output.boxes_cxcywh[:, used],
            output.asso_logits.mT[valid],
            output.early_asso_logits.movedim(0, -1).transpose(1, 2)[valid],
        ]
        generator = torch.Generator().manual_seed(1)
        loss = sum((v * torch.randn(v.shape, generator=generator)).sum() for v in values)
        wanted = [*module.parameters(), leaves[0], leaves[1], leaves[3]]
        gradients = torch.autograd.grad(loss, wanted, materialize_grads=True)
        results.append([*values, *gradients])
    for ours, reference in zip(*results):
        scale = reference.detach().abs().max().item() if reference.numel() else 1
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-12 * max(1, scale))


@pytest.mark.parametrize('variant', VARIANTS.values(), ids=VARIANTS)
def test_nothing_as_wide_as_m_is_kept_for_the_backward_pass(variant):
    """M would have ``Nd * Nt * d`` numbers; neither it nor the MLP's hidden layer is there."""
    torch.manual_seed(0)
    module, objects, tracklets = SGLA(256, 8, 2, ffn_dims=8, **variant), 24, 16
    embeds = torch.randn(1, objects + tracklets, 256)
    anchors = torch.rand(1, objects + tracklets, 4)
    entering = anchors[:, objects:]
    frame = Detections(embeds, anchors, embeds[None, ..., :1], anchors[None], embeds, entering)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        valid = torch.ones(1, tracklets, dtype=torch.bool)
        module(frame, valid, lambda embeds, _: (embeds[..., :1], embeds[..., :4].sigmoid()))
    assert kept and max(tensor.numel() for tensor in kept.values()) < objects * tracklets * 256


@pytest.mark.parametrize('variant', VARIANTS.values(), ids=VARIANTS)
def test_without_valid_tracklets_everything_is_finite(spread_parameters, variant):
    head, sgla = SharedHead(), build(variant, spread_parameters)
    frame = detections(2, 3, head)
    frame.embeds.requires_grad_()
    result = sgla(frame, torch.zeros(2, 3, dtype=torch.bool), head.torch)
    assert result.num_objects == OBJECTS
    (result.embeds.sum() + result.asso_logits.sum()).backward()
    assert all(torch.isfinite(tensor).all() for tensor in (result.embeds, result.asso_logits))
    assert torch.isfinite(frame.embeds.grad).all()
    assert all(parameter.grad is not None for parameter in sgla.parameters())


@pytest.mark.parametrize('variant', VARIANTS.values(), ids=VARIANTS)
def test_padded_slots_change_nothing_and_get_no_gradient(spread_parameters, variant):
    head, sgla = SharedHead(), build(variant, spread_parameters)
    frame = detections(1, 3, head)
    frame.embeds.requires_grad_()
    valid = torch.tensor([[True, False, True]])
    result = sgla(frame, valid, head.torch)
    kept = result.embeds[:, [*range(OBJECTS), OBJECTS, OBJECTS + 2]]
    (kept.sum() + result.asso_logits[:, :, [0, 2]].sum()).backward()
    gradient = frame.embeds.grad[0].abs().sum(-1)
    assert gradient[OBJECTS + 1] == 0
    assert (gradient.take(torch.tensor([0, OBJECTS, OBJECTS + 2])) > 0).all()


def test_parameter_count_of_the_paper():
    """Table 7: what SGLA adds to DAB-Deformable-DETR, counted by hand from Sec. 3.2."""
    projections = 4 * (256 * 256 + 256)
    edges = (256 * 8 + 8) + (8 * 256 + 256)
    feed_forward = (256 * 1024 + 1024) + (1024 * 256 + 256)
    layer = projections + edges + feed_forward + 2 * 2 * 256
    deviation, score = (4 * 256 + 256) + (256 * 256 + 256), 256 + 1
    count = sum(parameter.numel() for parameter in SGLA().parameters())
    assert count == 4 * layer + deviation + score == 3_243_809


def test_parameters_of_the_ablations():
    """Table 5's rows and the rest have as many as the paper's; each cue has an MLP."""
    counts = {
        name: sum(parameter.numel() for parameter in SGLA(**variant).parameters())
        for name, variant in VARIANTS.items()
    }
    deviation = (4 * 256 + 256) + (256 * 256 + 256)
    for name, count in counts.items():
        cues = {'no_cue': 0, 'anchor_cue': 2}.get(name.removeprefix('tracklets_ask_logits_'), 1)
        assert count == 3_243_809 + (cues - 1) * deviation, name


def test_who_is_asked_stays_as_it_is(spread_parameters):
    """Table 5, as we read it: the side that gives keys and values keeps the decoder's embedding."""
    head, valid = SharedHead(), torch.ones(1, 3, dtype=torch.bool)
    frame = detections(1, 3, head)
    for name, asked in (('objects_ask', slice(OBJECTS, None)), ('tracklets_ask', slice(OBJECTS))):
        result = build(VARIANTS[name], spread_parameters)(frame, valid, head.torch)
        unchanged = (result.embeds == frame.embeds).all(-1)[0]
        assert unchanged[asked].all()
        assert unchanged.sum() == unchanged[asked].numel()


def test_the_scaled_cue_knows_no_size(spread_parameters):
    """The same boxes in a larger image: all sides and distances are halved, and moved."""
    sgla = build(VARIANTS['scaled_cue'], spread_parameters)
    boxes = torch.rand(1, 5, 4, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    boxes[..., 2:] += 0.1
    readers = torch.eye(WIDTH, dtype=torch.double)
    smaller = boxes / 2
    smaller[..., :2] += 0.1
    before, after = (sgla.deviation_mlp.read(b, 3, readers) for b in (boxes, smaller))
    torch.testing.assert_close(after, before)
    assert before.std() > 0.1


def test_the_anchor_cue_is_all_that_knows_where_tracklets_came_from(spread_parameters):
    """Other anchors before decoding, all else equal: other scores with the cue, none without."""
    head, valid = SharedHead(), torch.ones(1, 3, dtype=torch.bool)
    frame = detections(1, 3, head)
    moved = frame._replace(entering_cxcywh=frame.entering_cxcywh / 2)
    for variant, equal in (({}, True), (VARIANTS['anchor_cue'], False)):
        module = build(variant, spread_parameters)
        scores = [module(each, valid, head.torch).asso_logits for each in (frame, moved)]
        assert torch.equal(*scores) is equal


def test_unknown_variants_are_named():
    for key, value in (('queries', 'all'), ('spatial_cue', 'iou'), ('edge_update', 'softmax')):
        with pytest.raises(ValueError, match=rf'sgla\.{key}={value!r}'):
            SGLA(WIDTH, HEADS, 1, 16, **{key: value})


def test_scores_start_low():
    """Most pairs are no pair: the prior of S is 0.01."""
    torch.manual_seed(0)
    module = SGLA(WIDTH, HEADS, LAYERS, ffn_dims=20)
    module.init_weights()
    torch.testing.assert_close(module.score.bias.sigmoid(), torch.tensor([0.01]))


def test_width_must_fit_the_heads():
    with pytest.raises(ValueError, match='embed_dims=10 is no multiple of num_heads=4'):
        SGLA(10, 4, 1, 16)
