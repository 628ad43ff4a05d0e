"""Export a model: three ONNX graphs, checked against PyTorch, and `model.json`."""

import importlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.utils import get_test_pipeline_cfg
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from lamotr_mm.io.files import new_folder
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.proposals import Proposals
from lamotr_mm.models.structures import FrameFeatures
from lamotr_mm.models.tracklet_update import SlotDecisions
from lamotr_mm.tracking.state import TrackletState
from lamotr_mm.version import __version__

from .graphs import DecodeGraph, EncodeGraph, UpdateGraph, tensors_of
from .prepare import resized_shape
from .runtime import LIFECYCLES, ExportedModel
from .settings import Preprocessing, ProposalSettings, Settings, StateField

OPSET = 18
TOLERANCE = 1e-4  # of the largest value, which counts as 1 at least
MOST_SLOTS = 1 << 14


@dataclass(frozen=True)
class Graph:
    """What is exported as one file.

    Attributes:
        name: of the file.
        module: what is exported.
        inputs, outputs: names of the tensors.
        arguments: nested tuples of tensors.
        larger: the same with twice as many slots.
    """

    name: str
    module: nn.Module
    inputs: list[str]
    outputs: list[str]
    arguments: tuple
    larger: tuple


@torch.no_grad()
def export(
    model: LAMOTR, out: Path, frame: tuple[int, int], classes: tuple[str, ...] = ()
) -> Settings:
    """Write the folder ``out``; on failure, nothing.

    Args:
        model: of ``init_model``, on the CPU, in eval mode and float32.
        out: folder that is not there yet.
        frame: (height, width) in px of the videos to track. Others fit too if they are resized to
            the same size.
        classes: names of the labels.

    Raises:
        ValueError: the folder is there, a package is missing, the model has a part that can't be
            exported, or a graph's results differ from PyTorch's.
    """
    if out.exists():
        raise ValueError(f'{out} is there already: remove it or name another folder')
    _check_packages()
    preprocessing = preprocessing_of(model, frame)
    images = _example_image(preprocessing)
    features = model.encode(images, [preprocessing.img_shape])
    free = model.tracklet_update.no_tracklets(1, model.tracklet_slots, features.memory)
    graphs, read = _graphs(model, images, features, free, preprocessing.img_shape)
    settings = Settings(
        preprocessing=preprocessing,
        proposals=_proposal_settings(model, images),
        state=_state_fields(free),
        num_objects=model.sotd_head.num_queries,
        slots=model.tracklet_slots,
        outputs=tuple(read),
        decisions=SlotDecisions._fields,
        lifecycle=_lifecycle_settings(model),
        out_score_thr=model.out_score_thr,
        out_min_area=model.out_min_area,
        classes=classes,
        precision='fp32',
        made_by=f'lamotr_mm {__version__}, torch {torch.__version__}',
    )
    with new_folder(out) as part:
        settings.write(part)
        for graph in graphs:
            _write(graph, part / f'{graph.name}.onnx', settings)
        exported = ExportedModel(part, threads=1)
        for graph in graphs:
            _check(graph, exported)
        if features.proposals is not None:
            found = exported.encode(images.numpy())
            for name, expected in features.proposals._asdict().items():
                _compare('encode', name, found[f'proposals.{name}'], expected.numpy())
    return settings


def _graphs(
    model: LAMOTR,
    images: Tensor,
    features: FrameFeatures,
    free: TrackletState,
    img_shape: tuple[int, int],
) -> tuple[list[Graph], list[str]]:
    """The three graphs, and the names of what ``update`` reads of ``decode``'s output."""
    updates, decodes = [], []
    # not as a tuple: the exporter takes one of sizes that stay for the sizes of one tensor
    proposals = features.proposals or (None, None)
    for state in (free, free.grow(2 * free.valid.shape[1])):
        output = model.decode_frame(features, state)
        slots, objects = output.asso_logits.shape[2], output.num_objects
        state = model.tracklet_update(state, output, _decisions(slots, objects, births=True))
        output = model.decode_frame(features, state)
        names, found, structure = tensors_of(output)
        # the state's tensors may be among them: an export takes one tensor for one input
        tensors = tuple(tensor.clone() for tensor in found)
        decisions = _decisions(slots, objects, births=False)
        decodes.append((features.memory, *proposals, tuple(state)))
        updates.append((tuple(state), tensors, tuple(decisions)))
    _, tensors, _ = updates[0]
    read = _tensors_read(UpdateGraph(model.tracklet_update, structure, tensors), updates[0])
    update = UpdateGraph(model.tracklet_update, structure, tensors, read)
    updates = [(state, tuple(ts[k] for k in read), decided) for state, ts, decided in updates]
    dense = ['boxes', 'scores', 'factors'] if model.proposals else []
    given = [f'proposals.{name}' for name in Proposals._fields] if model.proposals else []
    state_names = [f'state.{name}' for name in free._fields]
    outputs = [f'output.{names[k]}' for k in read]
    decided = [f'decisions.{name}' for name in SlotDecisions._fields]
    encode = EncodeGraph(model, img_shape)
    decode = DecodeGraph(model, features, read)
    return [
        Graph('encode', encode, ['images'], ['memory', *dense], (images,), (images,)),
        Graph('decode', decode, ['memory', *given, *state_names], ['packed', *outputs], *decodes),
        Graph(
            'update',
            update,
            [*state_names, *outputs, *decided],
            [f'next.{name}' for name in free._fields],
            *updates,
        ),
    ], outputs


# ---------------------------------------------------------------------- writing and checking


def _check_packages() -> None:
    try:
        for name in ('onnx', 'onnxscript', 'onnxruntime'):
            importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f'{error}: pip install "lamotr_mm[export]"') from error


def _write(graph: Graph, path: Path, settings: Settings) -> None:
    slots = torch.export.Dim('slots', min=2, max=MOST_SLOTS)

    def axes(tensor: Tensor | None, larger: Tensor | None) -> dict[int, Any] | None:
        """Of the sizes that grow with the slots; None where none does."""
        if tensor is None or larger is None:
            return None
        pairs = enumerate(zip(tensor.shape, larger.shape))
        return {
            axis: slots if size == settings.slots else slots + (size - settings.slots)
            for axis, (size, other) in pairs
            if size != other
        } or None

    raw = path.with_name(f'{path.stem}.raw.onnx')
    with _quiet():
        torch.onnx.export(
            graph.module,
            graph.arguments,
            raw,
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_shapes=pytree.tree_map(axes, graph.arguments, graph.larger),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            optimize=False,  # moves features by 2e-3
            verbose=False,
        )
    optimize(raw, path)
    raw.unlink()


def optimize(graph: Path, out: Path) -> None:
    """Write a graph without what is constant in it, in ONNX's own operators.

    What onnxruntime does on top of that when it loads a graph depends on the machine, and finds
    more in this one: a quarter of the time of ``encode`` with proposals.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(graph), options, ['CPUExecutionProvider'])


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of operators of torchvision, and deprecations of its own."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)


def _check(graph: Graph, exported: ExportedModel) -> None:
    """Compare a graph with PyTorch, with as many slots as it was exported with, and twice."""
    for arguments in (graph.arguments, graph.larger):
        tensors = [leaf for leaf in pytree.tree_leaves(arguments) if leaf is not None]
        given = {name: t.numpy() for name, t in zip(graph.inputs, tensors, strict=True)}
        found = exported.run(graph.name, given)
        expected = graph.module(*arguments)
        for name, values in zip(graph.outputs, expected, strict=True):
            _compare(graph.name, name, found[name], values.numpy())


def _compare(graph: str, name: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Raises:
    ValueError: shapes differ, or values by more than `TOLERANCE`.
    """
    if found.shape != expected.shape:
        raise ValueError(
            f'{name} of {graph}.onnx has the shape {found.shape}, in PyTorch {expected.shape}: the '
            'export failed, nothing is written'
        )
    if not expected.size:
        return
    scale = max(1.0, float(np.abs(expected).max()))
    error = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()) / scale
    if not error <= TOLERANCE:
        raise ValueError(
            f'{name} of {graph}.onnx differs from PyTorch by {error:.2g} of its largest value, at '
            f'most {TOLERANCE:g} is allowed: the export failed, nothing is written'
        )


# ---------------------------------------------------------------------- what model.json says


def preprocessing_of(model: LAMOTR, frame: tuple[int, int]) -> Preprocessing:
    """What the config's test pipeline and the data preprocessor do with a frame.

    Args:
        model: of ``init_model``, which keeps the config.
        frame: (height, width) in px.

    Raises:
        ValueError: they do something else than resizing, normalising and padding with zeros.
    """
    transforms = [(_kind(each), each) for each in _flat(get_test_pipeline_cfg(model.cfg))]
    kept = [pair for pair in transforms if not pair[0].startswith('Load')]
    *resizes, (last, _) = kept
    scaled = [kind for kind, transform in resizes if kind == 'Resize' and 'scale' in transform]
    if last != 'PackTrackInputs' or len(resizes) > 1 or len(scaled) < len(resizes):
        raise ValueError(
            f'the test pipeline is {", ".join(kind for kind, _ in transforms)}: an exported model '
            'can do one Resize to a scale and PackTrackInputs, and nothing else'
        )
    resize = resizes[0][1] if resizes else dict(scale=None)
    processor = model.data_preprocessor
    if processor.pad_value != 0 or not processor._enable_normalize:
        raise ValueError('model.data_preprocessor must have mean and std, and pad_value=0')
    scale, keep_ratio = resize['scale'], bool(resize.get('keep_ratio', False))
    scale = None if scale is None else tuple(scale)
    img_shape = resized_shape(frame, scale, keep_ratio)
    divisor = processor.pad_size_divisor
    return Preprocessing(
        scale=scale,
        keep_ratio=keep_ratio,
        img_shape=img_shape,
        padded=tuple(-(-side // divisor) * divisor for side in img_shape),
        mean=tuple(processor.mean.flatten().tolist()),
        std=tuple(processor.std.flatten().tolist()),
        rgb=bool(processor._channel_conversion),
    )


def _kind(transform: dict) -> str:
    kind = transform['type']
    return (kind if isinstance(kind, str) else kind.__name__).split('.')[-1]


def _flat(transforms: Sequence[dict]) -> Iterator[dict]:
    for transform in transforms:
        if 'transforms' in transform:  # TransformBroadcaster
            yield from _flat(transform['transforms'])
        else:
            yield transform


def _proposal_settings(model: LAMOTR, images: Tensor) -> ProposalSettings | None:
    if model.proposals is None:
        return None
    head = model.proposals.bbox_head
    cfg, priors = head.test_cfg, getattr(head, 'prior_generator', None)
    if priors is None or not getattr(head, 'use_sigmoid_cls', False):
        raise ValueError(
            f'proposals.bbox_head.type={type(head).__name__} cannot be exported: its anchors and '
            'sigmoid scores are needed'
        )
    if cfg['nms']['type'] != 'nms':
        kind = cfg['nms']['type']
        raise ValueError(f"proposals.bbox_head.test_cfg.nms.type={kind!r} must be 'nms'")
    levels = model.proposals.neck(tuple(model.backbone(images)))
    sizes = [level.shape[-2:] for level in levels]
    return ProposalSettings(
        level_sizes=tuple(len(p) for p in priors.grid_priors(sizes, device='cpu')),
        score_thr=cfg['score_thr'],
        nms_pre=cfg['nms_pre'],
        min_size=cfg.get('min_bbox_size', -1),
        iou=cfg['nms']['iou_threshold'],
        places=model.proposals.places,
    )


def _lifecycle_settings(model: LAMOTR) -> dict[str, Any]:
    kind = type(model.lifecycle)
    if LIFECYCLES.get(kind.__name__) is not kind:
        raise ValueError(
            f'model.lifecycle.type={kind.__name__} cannot be exported: it must be one of '
            f'{", ".join(LIFECYCLES)}'
        )
    return dict(type=kind.__name__, **asdict(model.lifecycle))


def _state_fields(free: TrackletState) -> tuple[StateField, ...]:
    """Of free slots, which are all alike."""
    fields = []
    for name, values in free._asdict().items():
        values = values.numpy()
        fill = values.flat[0].item() if values.size else 0
        if not (values == fill).all():
            raise ValueError(f'the tracklet state {name} of a free slot is no single number')
        fields.append(StateField(name, str(values.dtype), values.shape[2:], float(fill)))
    return tuple(fields)


# ---------------------------------------------------------------------- examples


def _example_image(settings: Preprocessing) -> Tensor:
    """Noise: whatever is off shows in it."""
    images = torch.zeros(1, 3, *settings.padded)
    height, width = settings.img_shape
    noise = torch.randn(3, height, width, generator=torch.Generator().manual_seed(0))
    images[0, :, :height, :width] = noise
    return images


def _decisions(slots: int, objects: int, births: bool) -> SlotDecisions:
    """Births into every other slot; or half of those tracks present, every fourth slot matched."""
    place = torch.arange(slots)[None]
    taken = place % 2 == 0
    matched = taken if births else place % 4 == 0
    return SlotDecisions(
        object_index=torch.where(matched, place % objects, -1),
        present=matched & (not births),
        born=matched & births,
        valid=taken,
    )


def _tensors_read(update: UpdateGraph, arguments: tuple) -> list[int]:
    """Which of the output's tensors the update reads."""
    program = torch.export.export(update, arguments, strict=False)
    inputs = [node for node in program.graph.nodes if node.op == 'placeholder']
    inputs = inputs[len(inputs) - sum(map(len, arguments)) :]  # behind parameters
    state, tensors, _ = arguments
    return [place for place in range(len(tensors)) if inputs[len(state) + place].users]
