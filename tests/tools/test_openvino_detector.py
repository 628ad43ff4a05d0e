"""`openvino_detector.py`: a miniature IR written by hand, and the detector of the Model Zoo."""

import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lamotr_mm.models import FoldedMobileNetV2
from lamotr_mm.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
MEAN = np.array([123.675, 116.28, 103.53])
STD = np.array([58.395, 57.12, 57.375])
# MobileNetV2's table: expansion, channels, blocks, first stride; the first row expands here by 1
TABLE = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
TAPS = (2, 4, 6)


def load_tool():
    path = ROOT / 'tools' / 'model_converters' / 'openvino_detector.py'
    spec = importlib.util.spec_from_file_location('tool_openvino_detector', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def tool():
    return load_tool()


class Writer:
    """An IR, layer by layer, and beside it what the layers compute, in float64.

    Args:
        image: ``(1, 3, h, w)`` raw BGR.
    """

    def __init__(self, image):
        self.net = ET.Element('net', name='miniature', version='11')
        self.layers, self.edges = (
            ET.SubElement(self.net, 'layers'),
            ET.SubElement(self.net, 'edges'),
        )
        self.blob, self.values, self.shared = b'', {}, {}
        self.rng = np.random.default_rng(0)
        self.last = self.layer('Parameter', image)

    def layer(self, kind, value, inputs=(), name=None, **data):
        """Returns the number of the new layer, whose output is ``value``."""
        number = len(self.layers)
        name = name or f'{kind}{number}'
        element = ET.SubElement(self.layers, 'layer', id=str(number), name=name)
        element.set('type', kind)
        ET.SubElement(element, 'data', {key: str(text) for key, text in data.items()})
        for port, source in enumerate(inputs):
            edge = {'from-layer': source, 'from-port': 9, 'to-layer': number, 'to-port': port}
            ET.SubElement(self.edges, 'edge', {key: str(text) for key, text in edge.items()})
        self.values[number] = value
        return number

    def constant(self, value, name=None):
        """Half precision in the file, converted by a layer, as the Model Zoo has it."""
        value = np.asarray(value, np.float16)
        place = dict(offset=len(self.blob), size=value.nbytes, element_type='f16')
        self.blob += value.tobytes()
        shape = ', '.join(map(str, value.shape))
        number = self.layer('Const', None, shape=shape, **place)
        value = torch.from_numpy(value.astype(np.float64))
        return self.layer('Convert', value, [number], name=name)

    def convolution(self, source, channels, kernel=1, stride=1, groups=1, clamp=True):
        """Convolution, bias and clamp; returns the last layer."""
        entered = self.values[source].shape[1]
        fan = entered // groups * kernel * kernel
        shape = (channels, entered // groups, kernel, kernel)
        weight = self.rng.normal(0, (2 / fan) ** 0.5, shape)
        stored = weight if groups == 1 else weight.reshape(groups, -1, *shape[1:])
        constant = self.constant(stored)
        pad = kernel // 2
        value = F.conv2d(
            self.values[source],
            self.values[constant].reshape(shape),
            stride=stride,
            padding=pad,
            groups=groups,
        )
        number = self.layer(
            'Convolution' if groups == 1 else 'GroupConvolution',
            value,
            [source, constant],
            strides=f'{stride}, {stride}',
            pads_begin=f'{pad}, {pad}',
            pads_end=f'{pad}, {pad}',
        )
        number = self.add(number, self.constant(self.rng.normal(0, 0.3, (1, channels, 1, 1))))
        if clamp:
            value = self.values[number].clamp(0, 6)
            number = self.layer('Clamp', value, [number], min=0, max=6)
        return number

    def named(self, source, weight, bias=None, *, name, stride=1):
        """Convolution of the neck or the head, whose weight has a name in the graph.

        Args:
            weight: ``(out, in, k, k)``.
            bias: ``(out,)``; None: group norm with a channel a group and ReLU follow.
        """
        if name not in self.shared:
            self.shared[name] = self.constant(weight, f'{name}.weight')
        constant = self.shared[name]
        pad = weight.shape[-1] // 2
        value = F.conv2d(self.values[source], self.values[constant], stride=stride, padding=pad)
        number = self.layer('Convolution', value, [source, constant], strides=f'{stride}, {stride}')
        if bias is not None:
            return self.add(number, self.constant(bias.reshape(1, -1, 1, 1)))
        shape = (1, len(weight), 1, 1)
        mean, square = (v.mean((2, 3), keepdim=True) for v in (value, value.square()))
        value = (value - mean) / (square - mean.square() + 1e-5).sqrt()
        number = self.layer('MVN', value, [number])
        scale = self.constant(self.rng.uniform(0.5, 1.5, shape))
        number = self.layer('Multiply', value * self.values[scale], [number, scale])
        number = self.add(number, self.constant(self.rng.normal(0, 0.3, shape)))
        return self.layer('ReLU', self.values[number].relu(), [number])

    def add(self, first, second):
        value = self.values[first] + self.values[second]
        return self.layer('Add', value, [first, second], auto_broadcast='numpy')

    def write(self, path):
        ET.ElementTree(self.net).write(path)
        path.with_suffix('.bin').write_bytes(self.blob)


def neck_and_head(ir, taps):
    """Writes FPN and ATSS head on three levels; returns (class, box, centre) maps of five levels,
    three classes and three anchors a place."""

    def random(channels, entered, kernel=3):
        return ir.rng.normal(0, (1 / entered) ** 0.5 / kernel, (channels, entered, kernel, kernel))

    def bias(channels):
        return ir.rng.normal(0, 0.3, channels)

    laterals = [
        ir.named(tap, random(32, channels, 1), bias(32), name=f'neck.lateral_convs.{i}.conv')
        for i, (tap, channels) in enumerate(zip(taps, (32, 96, 320)))
    ]
    for i in (1, 0):
        below = ir.values[laterals[i]]
        value = F.interpolate(ir.values[laterals[i + 1]], size=below.shape[-2:], mode='nearest')
        coarse = ir.layer('Interpolate', value, [laterals[i + 1]])
        laterals[i] = ir.add(laterals[i], coarse)
    levels = []
    for i in range(5):
        source, stride = (laterals[i], 1) if i < 3 else (levels[-1], 2)
        name = f'neck.fpn_convs.{i}.conv'
        levels.append(ir.named(source, random(32, 32), bias(32), name=name, stride=stride))
    shared = {f'{branch}_convs.{i}': random(32, 32) for branch in ('cls', 'reg') for i in range(4)}
    shared |= {'atss_cls': random(9, 32), 'atss_centerness': random(3, 32)}
    biases = {'atss_cls': bias(9), 'atss_centerness': bias(3)}
    boxes, offsets = random(12, 32), bias(12)
    # the norms are shared as well: each level draws the same numbers
    state, maps = ir.rng.bit_generator.state, []
    for factor, level in zip((1, 0.9, 1.1, 0.8, 0.5), levels):
        ir.rng.bit_generator.state = state
        last = {}
        for branch in ('cls', 'reg'):
            last[branch] = level
            for i in range(4):
                name = f'{branch}_convs.{i}'
                last[branch] = ir.named(last[branch], shared[name], name=f'bbox_head.{name}.conv')
        ends = [
            ir.named(last[branch], shared[name], biases[name], name=f'bbox_head.{name}')
            for branch, name in (('cls', 'atss_cls'), ('reg', 'atss_centerness'))
        ]
        name = f'Multiply{factor}'
        folded = ir.named(last['reg'], boxes * factor, offsets * factor, name=name)
        maps.append([ir.values[end] for end in (ends[0], folded, ends[1])])
    return [list(kind) for kind in zip(*maps)]


def miniature(image, path):
    """Writes the network with random weights; returns what its three taps compute, and the maps of
    the head."""
    ir = Writer(image)
    scale = ir.constant([[[[1 / 255]]]])
    scaled = ir.values[ir.last] * ir.values[scale]
    last = ir.layer('Multiply', scaled, [ir.last, scale])
    last = ir.convolution(last, 32, kernel=3, stride=2)
    numbers = []
    for stage, (expansion, channels, blocks, first_stride) in enumerate(TABLE):
        for block in range(blocks):
            entered, width = last, ir.values[last].shape[1]
            stride = first_stride if block == 0 else 1
            last = ir.convolution(last, width * expansion)
            last = ir.convolution(last, width * expansion, 3, stride, groups=width * expansion)
            last = ir.convolution(last, channels, clamp=False)
            if block > 0:
                last = ir.add(entered, last)
        if stage in TAPS:
            numbers.append(last)
    maps = neck_and_head(ir, numbers)
    ir.write(path)
    return [ir.values[number] for number in numbers], maps


def normalised(image_bgr):
    """As the configs' data preprocessor does: RGB, mean and deviation of ImageNet."""
    rgb = (image_bgr[..., ::-1].astype(np.float64) - MEAN) / STD
    return torch.from_numpy(rgb.transpose(2, 0, 1)[None].copy())


def run(state, image):
    """Features of the network with these weights, in the precision of the image."""
    model = FoldedMobileNetV2()
    model.load_state_dict(state)
    model = model.to(image.dtype)
    model.eval()  # mmdet's eval returns nothing
    with torch.no_grad():
        return model(image)


def relative_error(one, other):
    """Largest difference, as a share of the largest value."""
    return float((one - other).abs().max() / other.abs().max())


@pytest.fixture(scope='module')
def mini(tmp_path_factory):
    """(image of odd sides, path of the IR, its taps, its maps): borders take part in everything."""
    image = np.random.default_rng(1).integers(0, 256, (139, 165, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp('ir') / 'mini.xml'
    raw = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float64))
    return image, path, *miniature(raw, path)


def test_the_same_features_in_double_precision(tool, mini):
    image, path, expected, _ = mini
    features = run(tool.convert_backbone(tool.Graph(path)), normalised(image))
    assert [f.shape[1] for f in features] == [32, 96, 320]
    for one, other in zip(features, expected, strict=True):
        # the state dict is float32
        assert relative_error(one, other) < 1e-6


def test_borders_need_black(tool, mini):
    """Without it the padding is the mean colour: right inside, wrong at the borders."""
    image, path, expected, _ = mini
    state = tool.convert_backbone(tool.Graph(path))
    bias = F.conv2d(-state['black'].view(1, 3, 1, 1).expand(1, 3, 3, 3), state['conv1.conv.weight'])
    state['conv1.conv.bias'] += bias[0, :, 0, 0]
    state['black'] = torch.zeros(3)
    features = run(state, normalised(image))
    assert relative_error(features[0], expected[0]) > 1e-3


def detector(state):
    """The proposals' part of the people model with these weights."""
    config = Config.fromfile(ROOT / 'configs' / '_base_' / 'lamotr_person_small.py').model.proposals
    init_default_scope('mmdet')
    model = MODELS.build(config)
    part = {k.removeprefix('proposals.'): v for k, v in state.items() if k.startswith('proposals.')}
    model.load_state_dict(part)
    return model


def test_the_same_maps_of_the_head(tool, mini):
    """Of mmdet's FPN and ATSSHead, class person of three; boxes with the factor of each level."""
    _, path, taps, (classes, boxes, centres) = mini
    model = detector(tool.convert_head(tool.Graph(path))).double()
    with torch.no_grad():
        ours = model.bbox_head(model.neck(tuple(taps)))
    persons = [level[:, tool.PERSON :: tool.CLASSES] for level in classes]
    for found, expected in zip(ours, (persons, boxes, centres), strict=True):
        for one, other in zip(found, expected, strict=True):
            # factors of float16 products
            assert relative_error(one, other) < (3e-3 if expected is boxes else 1e-5)


def test_from_file_to_file(tool, mini, tmp_path, capsys):
    out = tmp_path / 'new' / 'person.pth'
    tool.main([str(mini[1]), '--out', str(out)])
    # backbone: 52 weights and biases, and black; neck: 8 of both; head: 8 convolutions with a norm
    # each, 3 with weight and bias, 5 factors
    count = 105 + 16 + 24 + 6 + 5
    assert capsys.readouterr().out == f'{count} tensors -> {out}\n'
    assert [file.name for file in out.parent.iterdir()] == ['person.pth']
    state = torch.load(out, weights_only=True)
    assert {key.split('.')[0] for key in state} == {'backbone', 'proposals'}
    detector(state)


def edit(path, change):
    tree = ET.parse(path)
    change(tree.getroot())
    tree.write(path)


def first(root, kind):
    return next(layer for layer in root.find('layers') if layer.get('type') == kind)


def named(root, start):
    return next(layer for layer in root.find('layers') if layer.get('name').startswith(start))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda xml: xml.unlink(), 'mini.xml'),
        (lambda xml: xml.write_text('no xml'), 'mini.xml is no OpenVINO IR'),
        (lambda xml: xml.write_text('<net/>'), 'has no <net> with layers and edges'),
        (lambda xml: xml.with_suffix('.bin').unlink(), 'mini.bin'),
        (lambda xml: xml.with_suffix('.bin').write_bytes(b'1' * 2000), 'mini.bin is cut off'),
        (
            lambda xml: edit(xml, lambda r: first(r, 'Clamp').find('data').set('max', '1')),
            'does not clamp to 0..6',
        ),
        (
            lambda xml: edit(
                xml, lambda r: first(r, 'GroupConvolution').find('data').set('strides', '2, 2')
            ),
            'strides=[2.0, 2.0]',
        ),
        (
            lambda xml: edit(xml, lambda r: named(r, 'bbox_head.atss_cls.weight').set('name', 'x')),
            'bbox_head.atss_cls.weight of 3 classes is missing',
        ),
        (
            lambda xml: edit(xml, lambda r: named(r, 'neck.fpn_convs.0').set('name', 'x')),
            'neck.fpn_convs.0.conv.weight is missing',
        ),
        (
            lambda xml: edit(xml, lambda r: first(r, 'Clamp').set('type', 'Relu')),
            '0 layers of type Clamp follow layer Add',
        ),
    ],
)
def test_what_is_refused_is_named(tool, mini, tmp_path, capsys, damage, message):
    xml = tmp_path / 'mini.xml'
    for suffix in ('.xml', '.bin'):
        source = mini[1].with_suffix(suffix)
        xml.with_suffix(suffix).write_bytes(source.read_bytes())
    damage(xml)
    with pytest.raises(SystemExit) as caught:
        tool.main([str(xml), '--out', str(tmp_path / 'out.pth')])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / 'out.pth').exists()


def test_out_indices_without_the_last_convolution():
    with pytest.raises(ValueError, match=r'out_indices=\(2, 4, 7\)'):
        FoldedMobileNetV2(out_indices=(2, 4, 7))


def test_frozen_stages():
    model, partly = FoldedMobileNetV2(frozen_stages=7), FoldedMobileNetV2(frozen_stages=3)
    for network in (model, partly):
        network.train()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {n.split('.')[0] for n, p in partly.named_parameters() if p.requires_grad} == {
        f'layer{i}' for i in range(4, 8)
    }


@pytest.fixture(scope='module')
def model_zoo(lamotr_data):
    """(IR, compiled by OpenVINO with the three taps as further outputs, a frame of PETS)."""
    openvino = pytest.importorskip('openvino', reason='openvino is not installed (pip can)')
    xml = lamotr_data.parent / 'weights' / 'person-vehicle-bike-detection-2003.xml'
    if not xml.is_file():
        pytest.skip(f'{xml} is not there (docs/weights.md says where to get it)')
    core = openvino.Core()
    network = core.read_model(xml)
    # inputs of the neck's three lateral convolutions
    names = ('Conv_155/WithoutBiases', 'Conv_156/WithoutBiases', 'Conv_157/WithoutBiases')
    operations = {operation.get_friendly_name(): operation for operation in network.get_ops()}
    taps = [operations[name].input(0).get_source_output() for name in names]
    compiled = core.compile_model(
        openvino.Model([*taps, *network.outputs], network.get_parameters()),
        'CPU',
        {'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': 1},
    )
    capture = cv2.VideoCapture(str(lamotr_data / 'pets09_s2l1' / 'video.avi'))
    # the detector's own size
    image = cv2.resize(capture.read()[1], (864, 480))
    results = list(compiled(image.transpose(2, 0, 1)[None].astype(np.float32)).values())
    return xml, image, results


def test_backbone_of_the_model_zoo(tool, model_zoo):
    xml, image, results = model_zoo
    features = run(tool.convert_backbone(tool.Graph(xml)), normalised(image).float())
    for one, other in zip(features, results[:3], strict=True):
        assert relative_error(one, torch.from_numpy(other)) < 1e-5


def test_persons_of_the_model_zoo(tool, model_zoo):
    """Boxes and scores of OpenVINO's own detections, where both are above the same score."""
    xml, _, results = model_zoo
    boxes, labels = sorted(results[3:], key=lambda result: -result.ndim)
    expected = torch.from_numpy(boxes[labels == tool.PERSON])
    expected = expected[expected[:, 4] > 0.1]
    model = detector(tool.convert_head(tool.Graph(xml)))
    found = model([torch.from_numpy(tap) for tap in results[:3]], [(480, 864)])
    ours = bbox_cxcywh_to_xyxy(found.boxes_cxcywh[0]) * torch.tensor([864, 480, 864, 480])
    assert len(expected) > 3
    torch.testing.assert_close(found.scores[0, : len(expected)], expected[:, 4], atol=1e-3, rtol=0)
    torch.testing.assert_close(ours[: len(expected)], expected[:, :4], atol=0.3, rtol=0)
