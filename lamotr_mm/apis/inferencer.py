"""Track frames that are in memory: a model from its config and weights, and a stream of results."""

import logging
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.structures import DetDataSample
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from lamotr_mm.engine.launch import load_config
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.cuda_graphs import check_cuda_graphs
from lamotr_mm.models.precision import check_precision
from lamotr_mm.registry import MODELS
from lamotr_mm.weights.checkpoints import check_fit, load_checkpoint


def init_model(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    device: str | torch.device = 'cpu',
    precision: str | None = None,
    cuda_graphs: bool | None = None,
) -> LAMOTR:
    """Build the model of a config, in eval mode, with all the weights of a checkpoint.

    The config's pretrained weights (``init_cfg``) of backbone and detector are not loaded. Weights
    in half precision become float32.

    Args:
        config: file, or what ``Config.fromfile`` returned.
        checkpoint: file that `tools/train.py` or `publish_model.py` wrote, ``.safetensors`` too;
            None: random weights, as before training.
        device: for example 'cpu' or 'cuda:0'.
        precision: 'fp32', 'bf16' or 'fp16'; None: as the config says, which is 'fp32' where it says
            nothing. On a CPU without bfloat16 units 'bf16' runs in float32.
        cuda_graphs: replay frames as CUDA graphs; None: as the config says, which is no where it
            says nothing.

    Returns:
        The model; its attribute ``cfg`` is the config, from which :func:`track_frames` takes the
        test pipeline.

    Raises:
        ValueError: the config is missing, broken or not of LA-MOTR; the checkpoint is missing, cut
            off or of another model; the device is not there, or cannot take the precision or
            CUDA graphs.
    """
    device = _usable_device(device)
    cfg = config if isinstance(config, Config) else load_config(str(config))
    name = cfg.filename or 'config'
    if 'model' not in cfg:
        raise ValueError(f'{name} has no model: name a config such as configs/lamotr_pets.py')
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model)
    if not isinstance(model, LAMOTR):
        raise ValueError(f'{name} describes a {type(model).__name__}, not a lamotr_mm.LAMOTR')
    if checkpoint is None:
        _random_weights(model)
    else:
        load_weights(model, str(checkpoint))
    model.cfg = cfg
    model.precision = precision or model.precision
    check_precision(model.precision, device)
    model.cuda_graphs = model.cuda_graphs if cuda_graphs is None else cuda_graphs
    if model.cuda_graphs:
        check_cuda_graphs(device)
    return model.to(device).eval()


def _random_weights(model: LAMOTR) -> None:
    for part in (model.backbone, model.proposals):
        if part is not None:
            part.init_cfg = None  # would be fetched or looked for on the disk
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)  # mmengine lists every parameter
    try:
        model.init_weights()
    finally:
        logger.setLevel(level)


def load_weights(model: torch.nn.Module, path: str) -> None:
    """Load all weights of a checkpoint file into ``model``, or none.

    Raises:
        ValueError: the file is missing, cut off, no checkpoint, or of another model.
    """
    loaded = load_checkpoint(path)
    state = loaded.get('state_dict', loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict):
        raise ValueError(f'checkpoint {path} holds a {type(loaded).__name__}, not weights by name')
    # as mmengine does for weights of a wrapped model
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    check_fit(model, state, path)
    model.load_state_dict(state)


def build_pipeline(cfg: Config) -> Compose:
    """The config's test pipeline for frames in memory: without the transforms that load.

    It takes a dict of lists, one item a frame: ``img`` ``(H, W, 3)`` uint8 BGR, ``img_shape`` and
    ``ori_shape`` (height, width), ``img_id``, ``frame_id``, ``video_id``.

    Raises:
        ValueError: the config has no test pipeline.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    try:
        pipeline = get_test_pipeline_cfg(cfg)
    except (AttributeError, RuntimeError) as error:
        raise ValueError(
            f'{cfg.filename or "config"} has no test_dataloader.dataset.pipeline, which prepares '
            'the frames'
        ) from error
    return Compose(_without_loading(pipeline))


def _without_loading(transforms: list[dict]) -> list[dict]:
    kept = []
    for transform in transforms:
        if _type_name(transform).startswith('Load'):
            continue
        transform = dict(transform)
        if 'transforms' in transform:  # TransformBroadcaster
            transform['transforms'] = _without_loading(transform['transforms'])
        kept.append(transform)
    return kept


def _type_name(transform: dict) -> str:
    kind = transform['type']
    return (kind if isinstance(kind, str) else kind.__name__).split('.')[-1]


class PreparedFrame(NamedTuple):
    """A frame and what the network takes of it.

    Attributes:
        number: of the frame, only handed through.
        image: ``(H, W, 3)`` uint8 BGR.
        data: ``inputs`` and ``data_samples`` of :meth:`LAMOTR.predict`.
        uploaded: on a GPU, happens when ``inputs`` are there.
    """

    number: int
    image: np.ndarray
    data: dict
    uploaded: torch.cuda.Event | None = None

    def wait(self) -> None:
        """Let what is called next on a GPU wait for the frame; the host goes on."""
        if self.uploaded is None:
            return
        network = torch.cuda.current_stream(self.data['inputs'].device)
        network.wait_event(self.uploaded)
        # the memory is not given to the next upload while the network reads it
        self.data['inputs'].record_stream(network)


def track_frames(
    model: LAMOTR,
    frames: Iterable[tuple[int, np.ndarray]],
    pipeline: Compose | None = None,
) -> Iterator[tuple[int, np.ndarray, DetDataSample]]:
    """Track one video, frame by frame; one frame is held at a time, however long the video.

    Args:
        model: of :func:`init_model`. It holds no tracks: several videos can be tracked in turn.
        frames: (frame number, ``(H, W, 3)`` uint8 BGR), in order, for example of
            :func:`lamotr_mm.io.frames.open_frames`. Numbers are only handed through.
        pipeline: of :func:`build_pipeline`. Default: that of ``model.cfg``.

    Yields:
        (frame number, image, sample). ``sample.pred_track_instances`` has ``bboxes`` ``(n, 4)``
        float32 xyxy in px of the image, ``scores`` ``(n,)``, ``labels`` ``(n,)`` from 0 and
        ``instances_id`` ``(n,)`` int64 from 1.

    Raises:
        ValueError: a frame is not an ``(H, W, 3)`` uint8 array; names its number.
        FloatingPointError: the network's scores are not finite.
    """
    pipeline = build_pipeline(model.cfg) if pipeline is None else pipeline
    return track_prepared(model, prepare_frames(model, frames, pipeline))


def prepare_frames(
    model: LAMOTR, frames: Iterable[tuple[int, np.ndarray]], pipeline: Compose
) -> Generator[PreparedFrame, None, None]:
    """The half of :func:`track_frames` that knows nothing of tracks and may run ahead in another
    thread: resizing, normalising, moving to the model's device, on a GPU in a stream of its own, so
    that it overlaps with the network. Arguments and errors as there.
    """
    device = next(model.parameters()).device
    stream = torch.cuda.Stream(device) if device.type == 'cuda' else None
    for index, (number, image) in enumerate(frames):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f'frame {number} is {image.dtype} of shape {image.shape}: expected uint8 '
                '(height, width, 3) BGR'
            )
        shape = image.shape[:2]
        # frame_id counts the frames given: 0 starts a video
        results = dict(
            img=[image],
            img_shape=[shape],
            ori_shape=[shape],
            img_id=[index],
            frame_id=[index],
            video_id=[0],
        )
        with torch.no_grad(), torch.cuda.stream(stream):
            data = model.data_preprocessor(pseudo_collate([pipeline(results)]), training=False)
        yield PreparedFrame(number, image, data, stream.record_event() if stream else None)


def track_prepared(
    model: LAMOTR, frames: Iterable[PreparedFrame], live: bool = False
) -> Iterator[tuple[int, np.ndarray, DetDataSample]]:
    """The other half of :func:`track_frames`, on the frames of :func:`prepare_frames`.

    With ``live``, a gap in the numbers is time that passed: see :meth:`Session.skip`.
    """
    session, last = model.new_session(), None
    for frame in frames:
        if live and last is not None:
            session.skip(frame.number - last - 1, model.lifecycle.miss_tolerance)
        last = frame.number
        frame.wait()
        with torch.no_grad():
            sample = model.predict(**frame.data, session=session)[0][0]
        yield frame.number, frame.image, sample


def default_device() -> str:
    """'cuda:0' where torch sees a GPU, else 'cpu'."""
    return 'cuda:0' if torch.cuda.is_available() else 'cpu'


def _usable_device(device: str | torch.device) -> torch.device:
    try:
        device = torch.device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {device} cannot be used: {reason}; try cpu') from error
    return device
