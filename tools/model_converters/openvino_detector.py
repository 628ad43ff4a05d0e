r"""A person detector of the Open Model Zoo (OpenVINO IR) -> backbone and proposals of LA-MOTR.

    python tools/model_converters/openvino_detector.py person-vehicle-bike-detection-2003.xml \
        [--out data/pretrained/person_detector.pth]

The file has the weights of ``lamotr_mm.FoldedMobileNetV2`` under ``backbone.`` and those of mmdet's
``FPN`` and ``ATSSHead`` (class person alone) under ``proposals.neck.`` and
``proposals.bbox_head.``. docs/weights.md says where to get the detector. OpenVINO itself is not
needed: the graph is XML, the weights lie in one flat file beside it.
"""

import argparse
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmcv.cnn import ConvModule

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.models import FoldedMobileNetV2

# of the configs' data preprocessor, RGB
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
DTYPES = {'f16': np.float16, 'f32': np.float32}
CONVOLUTIONS = ('Convolution', 'GroupConvolution')
CENTERNESS = 'bbox_head.atss_centerness.weight'
# highest number in each list of convolutions
LAST = {
    'neck.lateral_convs': 2,
    'neck.fpn_convs': 4,
    'bbox_head.cls_convs': 3,
    'bbox_head.reg_convs': 3,
}
CLASSES, PERSON = 3, 1  # vehicle, person, bicycle
FOLDED_ATOL = 2e-3  # products that were rounded to float16


class Graph:
    """Layers and edges of an OpenVINO IR of version 10 or 11.

    Args:
        xml: the file; its weights are in the ``.bin`` beside it.

    Raises:
        ValueError: if it is no IR.
    """

    def __init__(self, xml: Path) -> None:
        try:
            root = ET.parse(xml).getroot()
        except ET.ParseError as error:
            raise ValueError(f'{xml} is no OpenVINO IR: {error}') from error
        if root.tag != 'net' or root.find('layers') is None or root.find('edges') is None:
            raise ValueError(f'{xml} is no OpenVINO IR: it has no <net> with layers and edges')
        self.xml = xml
        self.blob = np.memmap(xml.with_suffix('.bin'), np.uint8, 'r')
        self.layers = {layer.get('id'): layer for layer in root.find('layers')}
        self.inputs: dict[str, list[str]] = defaultdict(list)
        self.users: dict[str, list[str]] = defaultdict(list)
        edges = sorted(root.find('edges'), key=lambda edge: int(edge.get('to-port')))
        for edge in edges:
            self.inputs[edge.get('to-layer')].append(edge.get('from-layer'))
            self.users[edge.get('from-layer')].append(edge.get('to-layer'))

    def type(self, layer: str) -> str:
        """Kind of a layer, such as ``Convolution``."""
        return self.layers[layer].get('type')

    def numbers(self, layer: str, key: str) -> list[float]:
        """An attribute that is a list of numbers, such as ``strides``; empty if it is missing."""
        text = self.layers[layer].find('data').get(key, '')
        return [float(part) for part in text.split(',') if part.strip()]

    def constant(self, layer: str) -> np.ndarray | None:
        """A constant as float32, through a conversion of its type; None: it is no constant."""
        if self.type(layer) == 'Convert':
            return self.constant(self.inputs[layer][0])
        if self.type(layer) != 'Const':
            return None
        data = self.layers[layer].find('data')
        if data.get('element_type') not in DTYPES:
            return None
        start, size = int(data.get('offset')), int(data.get('size'))
        if start + size > len(self.blob):
            raise ValueError(
                f'{self.xml.with_suffix(".bin")} is cut off or of another model: '
                f'{self.name(layer)} lies behind its end'
            )
        raw = self.blob[start : start + size].view(DTYPES[data.get('element_type')])
        shape = [int(side) for side in data.get('shape').split(',') if side.strip()]
        return raw.astype(np.float32).reshape(shape)

    def name(self, layer: str) -> str:
        """For messages."""
        return f'layer {self.layers[layer].get("name")} ({self.type(layer)})'

    def follow(self, layer: str, *types: str, fits=lambda layer: True) -> str:
        """The one user of a layer that has one of these types and fits.

        Raises:
            ValueError: if there is none, or more than one.
        """
        found = [u for u in self.users[layer] if self.type(u) in types and fits(u)]
        if len(found) != 1:
            raise ValueError(
                f'{self.xml}: {len(found)} layers of type {" or ".join(types)} follow '
                f'{self.name(layer)} where a MobileNetV2 has one: it is another network'
            )
        return found[0]

    def operand(self, layer: str) -> np.ndarray:
        """The constant of a layer with one constant operand.

        Raises:
            ValueError: if it has none, or more.
        """
        found = [c for c in map(self.constant, self.inputs[layer]) if c is not None]
        if len(found) != 1:
            raise ValueError(f'{self.xml}: {self.name(layer)} has {len(found)} constants, not one')
        return found[0]


def convert_backbone(graph: Graph, mean=MEAN, std=STD) -> dict[str, torch.Tensor]:
    """State dict of ``FoldedMobileNetV2``, found by walking the graph beside the network.

    Convolutions are told by place, shape, stride and groups, biases, clamps and shortcuts are
    checked, so that another network is an error and never a wrong state dict.

    Args:
        graph: of a detector that takes BGR images of 0 to 255, and begins by scaling them.
        mean, std: of the data preprocessor that training will use, RGB.

    Raises:
        ValueError: naming the layer where it is another network.
    """
    network, state = FoldedMobileNetV2(), {}
    (start,) = (layer for layer in graph.layers if graph.type(layer) == 'Parameter')
    start = graph.follow(start, 'Multiply')
    scale = graph.operand(start)
    if scale.size != 1:
        raise ValueError(f'{graph.xml}: {graph.name(start)} scales by {scale.shape}, not a number')
    layer = _convolution(graph, start, network.conv1, 'conv1', state)
    for stage in (f'layer{i}' for i in range(1, 8)):
        for number, block in enumerate(getattr(network, stage)):
            entered = layer
            for name, module in block.named_children():
                if isinstance(module, ConvModule):
                    prefix = f'{stage}.{number}.{name}'
                    layer = _convolution(graph, layer, module, prefix, state)
            if block.with_res_shortcut:
                layer = graph.follow(layer, 'Add', fits=_adds(graph, entered))
    # raw BGR * scale = (normalised RGB - black) * std * scale
    std = torch.tensor(std)
    folded = state['conv1.conv.weight'].flip(1) * std[:, None, None] * scale.item()
    state['conv1.conv.weight'] = folded
    state['black'] = -torch.tensor(mean) / std
    return state


def _adds(graph: Graph, entered: str) -> Callable[[str], bool]:
    """Whether a layer also takes the one that entered the block."""
    return lambda user: entered in graph.inputs[user]


def _convolution(graph: Graph, layer: str, module: ConvModule, prefix: str, state: dict) -> str:
    """Store weight and bias of the convolution behind a layer; returns the last layer of it."""
    conv = module.conv
    shape = tuple(conv.weight.shape)

    def weight(user: str) -> np.ndarray:
        value = graph.constant(graph.inputs[user][1])
        # GroupConvolution: (groups, out, in, h, w)
        return value.reshape(-1, *value.shape[2:]) if value.ndim == 5 else value

    user = graph.follow(layer, *CONVOLUTIONS, fits=lambda u: weight(u).shape == shape)
    expected = dict(strides=conv.stride, pads_begin=conv.padding, pads_end=conv.padding)
    for key, value in expected.items():
        if tuple(graph.numbers(user, key)) != value:
            raise ValueError(
                f'{graph.xml}: {graph.name(user)} has {key}={graph.numbers(user, key)}, '
                f'{prefix} has {value}: it is another network'
            )
    state[f'{prefix}.conv.weight'] = torch.from_numpy(weight(user).copy())
    layer = graph.follow(user, 'Add')
    state[f'{prefix}.conv.bias'] = _vector(graph, layer)
    if module.with_activation:
        layer = graph.follow(layer, 'Clamp')
        if graph.numbers(layer, 'min') + graph.numbers(layer, 'max') != [0, 6]:
            raise ValueError(f'{graph.xml}: {graph.name(layer)} does not clamp to 0..6')
    return layer


def convert_head(graph: Graph) -> dict[str, torch.Tensor]:
    """State dict of ``DenseProposals`` with FPN and ATSS head, whose weights the graph names.

    The factor of each level is folded into that level's copy of ``atss_reg``: it is taken out again
    as the head's ``scales``, relative to the first level.

    Raises:
        ValueError: naming what is missing or does not fit.
    """
    state = {}
    for weight, user in _named_convolutions(graph).items():
        name = weight.removesuffix('.weight')
        value = torch.from_numpy(graph.constant(graph.inputs[user][1]).copy())
        following = graph.follow(user, 'Add', 'MVN')
        if graph.type(following) == 'MVN':  # group norm with a channel a group: scale, then shift
            scale = graph.follow(following, 'Multiply')
            norm = name.removesuffix('conv') + 'gn'
            state[f'{norm}.weight'] = _vector(graph, scale)
            state[f'{norm}.bias'] = _vector(graph, graph.follow(scale, 'Add'))
        else:
            state[f'{name}.bias'] = _vector(graph, following)
        state[weight] = value
    for key in ('bbox_head.atss_cls.weight', 'bbox_head.atss_cls.bias'):
        if key not in state or len(state[key]) % CLASSES:
            raise ValueError(f'{graph.xml}: {key} of {CLASSES} classes is missing')
        state[key] = state[key][PERSON::CLASSES]
    state |= _box_branch(graph, state)
    for part, last in LAST.items():
        for key in (f'{part}.{i}.conv.weight' for i in range(last + 1)):
            if key not in state:
                raise ValueError(f'{graph.xml}: {key} is missing: it is another network')
    return {f'proposals.{key}': value for key, value in state.items()}


def _named_convolutions(graph: Graph) -> dict[str, str]:
    """Name of the weight -> first convolution with it, for those of the FPN and the head."""
    found: dict[str, str] = {}
    for layer in graph.layers:
        if graph.type(layer) == 'Convolution':
            name = graph.layers[graph.inputs[layer][1]].get('name')
            if name.startswith(('neck.', 'bbox_head.')):
                found.setdefault(name, layer)
    return found


def _box_branch(graph: Graph, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``atss_reg`` of the first level, and each level's factor of it."""
    weights, biases = [], []
    if CENTERNESS not in state:
        raise ValueError(f'{graph.xml}: {CENTERNESS} is missing: it is another network')
    channels = state[CENTERNESS].shape
    for layer in (one for one in graph.layers if graph.type(one) == 'Convolution'):
        weight = graph.constant(graph.inputs[layer][1])
        if weight is not None and weight.shape == (4 * channels[0], *channels[1:]):
            weights.append(torch.from_numpy(weight.copy()))
            biases.append(_vector(graph, graph.follow(layer, 'Add')))
    norms = [(weight * weights[0]).sum() / weights[0].square().sum() for weight in weights]
    state = {f'bbox_head.scales.{level}.scale': norm for level, norm in enumerate(norms)}
    for norm, weight in zip(norms, weights):
        if not torch.allclose(weight, norm * weights[0], atol=FOLDED_ATOL):
            raise ValueError(f'{graph.xml}: the box branches of the levels differ by no factor')
    return state | {'bbox_head.atss_reg.weight': weights[0], 'bbox_head.atss_reg.bias': biases[0]}


def _vector(graph: Graph, layer: str) -> torch.Tensor:
    return torch.from_numpy(graph.operand(layer).flatten())


def main(argv: list[str] | None = None) -> None:
    """Convert; a file that can't be read or is another prints one line and exits with status 2."""
    parser = argparse.ArgumentParser(
        description='A person detector of the Open Model Zoo -> weights of LA-MOTR'
    )
    parser.add_argument('xml', type=Path, help='the IR; its .bin lies beside it')
    parser.add_argument('--out', type=Path, default=Path('data/pretrained/person_detector.pth'))
    args = parser.parse_args(argv)
    try:
        graph = Graph(args.xml)
        backbone = {f'backbone.{key}': value for key, value in convert_backbone(graph).items()}
        state = backbone | convert_head(graph)
        with replace_on_success(args.out) as part:
            torch.save(state, part)
    except (ValueError, OSError) as error:
        print(f'openvino_detector.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    print(f'{len(state)} tensors -> {args.out}')


if __name__ == '__main__':
    main()
