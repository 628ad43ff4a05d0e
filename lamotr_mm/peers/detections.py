"""LA-MOTR's detections in the place of a detector, for the trackers that mmdet registers."""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.frame_meta import sequence_name
from lamotr_mm.version import __version__

from ..registry import MODELS

MIN_SIDE = 1.0
# what is kept of a frame, from the names that mmdet gives it
KEPT = ('pred_instances', 'pred_track_instances')


def without_degenerate(detections: InstanceData, min_side: float = MIN_SIDE) -> InstanceData:
    """Detections whose box is finite and at least `min_side` px wide and high.

    mmdet's Kalman filters raise for a box without extent, and lapjv, which its ByteTracker and
    OCSORTTracker call, does not return for thousands of such boxes.

    Args:
        detections: ``bboxes`` ``(N, 4)`` xyxy px and further fields of length ``N``.
        min_side: px.
    """
    boxes = detections.bboxes
    sides = boxes[:, 2:] - boxes[:, :2]
    return detections[boxes.isfinite().all(1) & (sides >= min_side).all(1)]


@MODELS.register_module()
class GivenDetections(BaseModule):
    """A detector that hands on the ``pred_instances`` which the samples hold already.

    Args:
        min_side: of :func:`without_degenerate`, px.
    """

    def __init__(self, min_side: float = MIN_SIDE) -> None:
        super().__init__()
        self.min_side = min_side

    def predict(
        self, inputs: Tensor, data_samples: list[DetDataSample], **kwargs: Any
    ) -> list[DetDataSample]:
        """The samples, in whose ``pred_instances`` no box is degenerate.

        Args:
            inputs: unused.
            data_samples: frames with ``pred_instances``; changed in place.
        """
        for sample in data_samples:
            sample.pred_instances = without_degenerate(sample.pred_instances, self.min_side)
        return data_samples


@MODELS.register_module()
class DetectionsOf(GivenDetections):
    """LA-MOTR's object detections (``O_obj``, every object query), as the `detector` of a peer.

    Trackers that get the same detections differ in nothing but association. LA-MOTR tracks the
    video for it, since its object queries attend to its tracklet queries. So frames come one at a
    time and in order, as in mmdet's test loop. A peer's ``data_preprocessor`` and pipeline have to
    be those of the LA-MOTR config.

    A whole video goes to a file of `cache_dir`, in a folder that is named by the model's config,
    the content of the checkpoint and the version of this package. It is used again for the same
    frames: the file holds hashes of the images.

    Args:
        model: resolved `model` of a LA-MOTR config.
        checkpoint: file with its weights.
        cache_dir: folder to keep detections in; None: they are not kept.
        min_side: of :func:`without_degenerate`, px.
        boxes: 'objects', or 'tracks': the boxes that LA-MOTR reports take their place.

    Raises:
        ValueError: `boxes` is neither; the checkpoint is missing or of another model; a kept file
            is damaged or of other frames.
    """

    def __init__(
        self,
        model: dict,
        checkpoint: str,
        cache_dir: str | None = None,
        min_side: float = MIN_SIDE,
        boxes: str = 'objects',
    ) -> None:
        super().__init__(min_side)
        if boxes not in ('objects', 'tracks'):
            raise ValueError(f"DetectionsOf: boxes={boxes!r} should be 'objects' or 'tracks'")
        self.boxes = boxes
        self.config = Config(dict(model=model))
        self.checkpoint = checkpoint
        self.cache_dir = cache_dir
        self._device = torch.device('cpu')
        self._video: _Video | None = None

    @cached_property
    def key(self) -> str:
        """Of the folder: the same only for the same model, weights and version."""
        if not Path(self.checkpoint).is_file():
            raise ValueError(f'checkpoint {self.checkpoint} does not exist or is not a file')
        text = json.dumps(self.config.model, sort_keys=True, default=repr)
        found = hashlib.sha256(f'{__version__} {text}'.encode())
        found.update(Path(self.checkpoint).read_bytes())
        return found.hexdigest()[:16]

    @cached_property
    def _model(self) -> BaseModule:
        # in __dict__, not a submodule: a peer has no weights of its own, and none are needed where
        # all detections have been kept
        return init_model(self.config, self.checkpoint, self._device)

    def predict(
        self, inputs: Tensor, data_samples: list[DetDataSample], **kwargs: Any
    ) -> list[DetDataSample]:
        """Detections of the next frame.

        Args:
            inputs: ``(1, 3, H, W)`` float, normalised, padded.
            data_samples: the frame's sample.

        Returns:
            The sample with ``pred_instances`` (``bboxes`` xyxy px of the original image,
            ``scores``, ``labels``) and LA-MOTR's own ``pred_track_instances``.
        """
        (sample,) = data_samples
        video = self._video_of(inputs, sample)
        video.advance(inputs)
        if video.complete:
            found = video.frame()
        else:
            self._device = inputs.device
            video.session = video.session or self._model.new_session()
            clip = TrackDataSample(video_data_samples=[sample])
            self._model.predict(inputs[None], [clip], session=video.session)
            found = {name: dict(sample.get(name).items()) for name in KEPT}
            video.add(found, sample.metainfo.get('ori_video_length'))
        for name, fields in found.items():
            setattr(sample, name, InstanceData(**fields))
        if self.boxes == 'tracks':
            tracks = sample.pred_track_instances
            fields = {key: tracks[key] for key in ('bboxes', 'scores', 'labels')}
            sample.pred_instances = InstanceData(**fields)
        return super().predict(inputs, data_samples)

    def _video_of(self, inputs: Tensor, sample: DetDataSample) -> '_Video':
        meta = sample.metainfo
        if (
            self._video is None
            or meta.get('frame_id') == 0
            or meta.get('video_id') != self._video.video_id
        ):
            file = None
            if self.cache_dir is not None:
                parts = sequence_name(meta), meta.get('ori_video_length'), _digest(inputs)[:12]
                name = '_'.join(map(str, parts)).replace('/', '_')
                file = Path(self.cache_dir) / self.key / f'{name}.pt'
            self._video = _Video(meta.get('video_id'), file)
        return self._video


class _Video:
    """Detections of one video: of its file, or to be written to it.

    Attributes:
        complete: the file is there.
        session: LA-MOTR's, where it is not.
    """

    def __init__(self, video_id: Any, file: Path | None) -> None:
        self.video_id = video_id
        self.file = file
        self.session: Any = None
        self._digests: list[str] = []
        self._frames: list[dict] = []
        self._kept: list[str] = []
        self.complete = False
        if file is not None and file.is_file():
            self._kept, self._frames = _read(file)
            self.complete = True

    def advance(self, inputs: Tensor) -> None:
        """Go on to the frame with this image; its hash covers the frames before it."""
        before = self._digests[-1] if self._digests else ''
        self._digests.append(_digest(inputs, before))

    def frame(self) -> dict[str, dict]:
        """What was kept of the present frame.

        Raises:
            ValueError: it was another one.
        """
        now = len(self._digests)
        if self._digests[-1:] != self._kept[now - 1 : now]:
            raise ValueError(
                f'{self.file} holds detections of other frames than these (frame {now} of the '
                'video differs): remove the file'
            )
        return self._frames[now - 1]

    def add(self, found: dict[str, dict], length: int | None) -> None:
        """Keep the present frame; write the file after the last one."""
        self._frames.append(found)
        if self.file is not None and len(self._frames) == length:
            with replace_on_success(self.file) as part:
                torch.save(dict(digests=self._digests, frames=self._frames), part)


def _read(file: Path) -> tuple[list[str], list[dict]]:
    try:
        kept = torch.load(file, weights_only=True)
        return kept['digests'], kept['frames']
    except Exception as error:  # a damaged file may raise anything
        raise ValueError(f'{file} cannot be read ({error}): remove it') from error


def _digest(image: Tensor, before: str = '') -> str:
    found = hashlib.sha256(before.encode())
    found.update(repr(tuple(image.shape)).encode())
    found.update(image.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
