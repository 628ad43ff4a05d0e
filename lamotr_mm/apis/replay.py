"""Track again from image features that were kept, with other thresholds.

What a tracklet query is in frame t + 1 depends on what the lifecycle decided in frame t, so scores
and boxes of one run say nothing exact about another. Image features do: ``encode`` knows nothing
of tracks, and is nearly all of a frame's time. So they are kept, and decoder, association, update
and lifecycle run anew, exactly as in a run with these thresholds.
"""

import copy
import dataclasses
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from mmdet.datasets import BaseVideoDataset
from mmdet.structures import TrackDataSample
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from rich.progress import track

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.frame_meta import frame_number
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.structures import FrameFeatures
from lamotr_mm.tracking import TwoStageLifecycle

# those of every lifecycle; a model has the ones of its own
LIFECYCLE_KEYS = [f'lifecycle.{f.name}' for f in dataclasses.fields(TwoStageLifecycle)]
# keys of the model's config that no image feature depends on
UPDATE_KEYS = [f'tracklet_update.{name}' for name in ('weight', 'anchor')]
KEYS = [*LIFECYCLE_KEYS, 'out_score_thr', 'out_min_area', *UPDATE_KEYS]


class EncodedFrame(NamedTuple):
    """A frame whose image features lie on the disk.

    Attributes:
        file: tensors of its `FrameFeatures`.
        sample: what the pipeline says of it, without the image.
    """

    file: Path
    sample: TrackDataSample


@torch.no_grad()
def encode_frames(
    model: LAMOTR, dataset: BaseVideoDataset, folder: Path, numbers: Collection[int] | None = None
) -> Iterator[EncodedFrame]:
    """Encode the frames of all videos, one by one as in testing.

    Args:
        model: in eval mode.
        dataset: in test mode.
        folder: gets a file for each frame; 2.4 MB at 352x640 px and 128 channels, 23 MB at 800x1344
            px and 256 channels.
        numbers: frame numbers to take, by ``mot_frame_id`` or else ``frame_id + 1``; None: all.
    """
    for video in range(len(dataset)):
        for index, info in enumerate(dataset.get_data_info(video)['images']):
            if numbers is not None and frame_number(info) not in numbers:
                continue
            batch = pseudo_collate([dataset[video, index]])
            batch = model.data_preprocessor(batch, training=False)
            (sample,) = batch['data_samples']
            features = model.encode_frames(batch['inputs'][0], [sample[0].img_shape[:2]])
            file = folder / f'{video}_{index}.pt'
            torch.save(tuple(features), file)
            yield EncodedFrame(file, sample)


def encode_once(
    model: LAMOTR,
    dataset: BaseVideoDataset,
    folder: Path,
    numbers: Collection[int] | None,
    origin: str,
) -> list[EncodedFrame]:
    """:func:`encode_frames`, unless an earlier call has left them in the folder.

    Args:
        model, dataset, numbers: of :func:`encode_frames`.
        folder: made if it is missing; what it holds of another `origin` is replaced.
        origin: text that is the same only for the same weights, encoder and frames.
    """
    index = folder / 'index.pt'
    if index.is_file():
        found = torch.load(index, weights_only=False)
        if found['origin'] == origin:
            return [EncodedFrame(folder / name, sample) for name, sample in found['frames']]
        index.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    frames = list(track(encode_frames(model, dataset, folder, numbers), 'encoding'))
    with replace_on_success(index) as part:
        torch.save(
            dict(origin=origin, frames=[(frame.file.name, frame.sample) for frame in frames]), part
        )
    return frames


@torch.no_grad()
def replay(model: LAMOTR, frames: list[EncodedFrame]) -> Iterator[TrackDataSample]:
    """Track encoded frames; bit for bit what ``model.test_step`` gives for their images.

    Yields:
        A sample of one frame each, as :meth:`LAMOTR.predict` returns it.
    """
    device = next(model.parameters()).device
    video_id = session = None
    for frame in frames:
        sample = copy.deepcopy(frame.sample)
        if session is None or sample[0].video_id != video_id:
            session, video_id = model.new_session(), sample[0].video_id
        # a file of `encode_frames`
        features = FrameFeatures(*torch.load(frame.file, device, weights_only=False))
        tracked = model.track_frame(session, features, sample[0].ori_shape)
        model.report(sample[0], tracked)
        yield sample


def score(model: LAMOTR, frames: list[EncodedFrame], evaluator: Evaluator) -> dict[str, float]:
    """Scores of a replay, such as ``track/HOTA``."""
    for sample in replay(model, frames):
        evaluator.process(data_samples=[sample])
    return evaluator.evaluate(len(frames))


def settings_of(model: LAMOTR, keys: Collection[str]) -> dict[str, float]:
    """Present values of some of `KEYS`.

    Raises:
        ValueError: a key is none of them, or the model has no such part.
    """
    values = {}
    for key in keys:
        if key not in KEYS:
            raise ValueError(f'{key} cannot be replayed, only {", ".join(KEYS)} can')
        part, _, name = key.rpartition('.')
        owner = getattr(model, part) if part else model
        if not hasattr(owner, name):
            raise ValueError(f'{key} cannot be replayed: {type(owner).__name__} has no {name}')
        values[key] = getattr(owner, name)
    return values


def apply_settings(model: LAMOTR, settings: Mapping[str, float]) -> None:
    """Set some of `KEYS`, which the next frame is tracked with."""
    for key, value in settings.items():
        part, _, name = key.rpartition('.')
        setattr(getattr(model, part) if part else model, name, value)
