"""Operations by part: hand-worked formulas, and PyTorch's own counter as a second opinion."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lamotr_mm.apis.benchmark import parts_of
from lamotr_mm.apis.flops import _Frame, count_flops, count_operations
from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.layers.deformable_attention import DeformableAttention
from lamotr_mm.models.sgla import SGLA
from lamotr_mm.models.structures import Detections

TINY = Path(__file__).parents[1] / 'robustness' / 'configs' / 'tiny.py'
SIZE = 64, 96
PRODUCTS = ('conv', 'linear', 'matmul', 'bmm', 'baddbmm', 'addmm')


@pytest.fixture(scope='module')
def model() -> LAMOTR:
    config = Config.fromfile(TINY, import_custom_modules=False)
    config.model.backbone.init_cfg = None
    return init_model(config)


def test_deformable_attention():
    width, heads, levels, points, queries = 32, 4, 2, 3, 7
    shapes = torch.tensor([[6, 8], [3, 4]])
    attention = DeformableAttention(width, heads, levels, points)
    values = 6 * 8 + 3 * 4

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, query, value, reference):
            return self.attention(
                query, value=value, reference_points=reference, spatial_shapes=shapes
            )

    inputs = [torch.rand(1, n, width) for n in (queries, values)]
    reference = torch.rand(1, queries, levels, 2)
    samples = queries * heads * levels * points
    projections = (
        values * width * width  # values
        + queries * width * heads * levels * points * 2  # offsets
        + queries * width * heads * levels * points  # weights
        + queries * width * width  # output
    )
    counter = count_operations(Attend(), (*inputs, reference))
    assert counter.by_operator()['linear'] == projections
    assert counter.total('attention') == projections + 5 * samples * (width // heads)


def test_sgla():
    """Two layers, with M folded into what reads it; the detection head stands outside."""
    width, heads, ffn, layers, objects, tracklets = 16, 4, 24, 2, 5, 3
    sgla = SGLA(width, heads, layers, ffn)

    class Associate(nn.Module):
        def __init__(self):
            super().__init__()
            self.sgla = sgla

        def forward(self, embeds, anchors):
            detections = Detections(embeds, anchors, anchors[None], anchors[None], embeds, anchors)
            valid = torch.ones(1, tracklets, dtype=torch.bool)
            output = self.sgla(detections, valid, lambda e, a: (e, a))
            return output.asso_logits, output.embeds

    both, pairs = objects + tracklets, objects * tracklets
    expected = layers * width * heads + width  # the biases that all pairs share
    for layer in range(layers):
        readers = (layers - layer) * heads + 1
        ahead = readers - heads
        expected += (
            4 * width * both  # relative deviation, first layer: of each box
            + readers * width * width  # W_2, folded into the readers
            + readers * width * pairs  # what they read of the hidden units
            + ahead * heads * width  # W_upd, folded into the readers
            + ahead * heads * pairs  # what they read of the attention
            + 4 * both * width * width  # query, key, value, output
            + 2 * both * both * width  # logits, weighted values
            + 2 * both * width * ffn
            + 2 * 5 * both * width  # two LayerNorms, 5 each element
        )
    counter = count_operations(Associate(), (torch.rand(1, both, width), torch.rand(1, both, 4)))
    assert counter.total('sgla') == expected


def test_products_agree_with_the_counter_of_pytorch(model):
    """Which runs the model as it is, and knows products only: 2 operations for a multiply-add."""
    frame, image = _Frame(model, slots=5), torch.rand(1, 3, *SIZE)
    ours = count_operations(frame, (image,)).by_operator()
    with torch.no_grad(), FlopCounterMode(display=False) as reference:
        frame(image)
    assert sum(ours[name] for name in PRODUCTS) == reference.get_total_flops() / 2 > 0


def test_no_product_is_left_out(model):
    counter = count_operations(_Frame(model, slots=5), (torch.rand(1, 3, *SIZE),))
    left_out = {name.removeprefix('aten::') for name in counter.unsupported_ops()}
    elementwise = {
        *('add', 'addcmul', 'cos', 'div', 'flip', 'hardtanh_', 'log', 'masked_fill_', 'meshgrid'),
        *('mul', 'new_ones', 'pow', 'reciprocal', 'repeat', 'resolve_conj', 'resolve_neg'),
        *('mT', 'numel', 'tensor_split'),
        'prim::PythonOp._PairReadout',  # what it does inside is in the trace as well
        *('rsub', 'sigmoid', 'sin', 'softmax', 'sub', 'sum', 'unflatten', 'max_pool2d', 'add_'),
    }
    assert left_out <= elementwise, left_out - elementwise


def test_parts_add_up_and_slots_count(model):
    few, same, more = (count_flops(model, SIZE, n) for n in (0, 4, 5))
    assert few == same  # the slots that a video starts with
    for counts in (few, more):
        assert list(counts) == [*parts_of(model), 'total']
        assert sum(counts[part] for part in parts_of(model)) == counts['total']
    for part in ('backbone', 'neck', 'encoder', 'update'):
        assert few[part] == more[part]
    for part in ('sotd', 'sgla'):
        assert few[part] < more[part]
    assert few['update'] == 0
