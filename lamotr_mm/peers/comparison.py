"""Several trackers on the same detections: keep the detections once, track and score them often."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.structures import TrackDataSample
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import InstanceData
from rich.progress import track
from torch.utils.data import DataLoader

from ..registry import MODELS
from .detections import DetectionsOf

# key of a peer's model -> value, for example {'tracker.init_track_thr': 0.5}
Settings = dict[str, float]


class Peer(NamedTuple):
    """A tracker to compare with, of a config in `configs/peers/`.

    Attributes:
        name: for people.
        model: config of an mmdet model with a `detector`.
        thresholds: name for people -> settings that differ from those of `model`.
        grid: key -> values that :func:`search` tries.
    """

    name: str
    model: dict
    thresholds: dict[str, Settings]
    grid: dict[str, list[float]]

    def build(self, settings: Mapping[str, float]) -> BaseMOTModel:
        """The tracker with these settings, for detections that the samples hold."""
        given = dict(detector=dict(type='lamotr_mm.GivenDetections'), data_preprocessor=None)
        config = Config(dict(model=copy.deepcopy(self.model) | given))
        config.merge_from_dict({f'model.{key}': value for key, value in settings.items()})
        return MODELS.build(config.model).eval()


def load_peer(file: str | Path) -> Peer:
    """The peer of a config, by its keys `model` and `peer`.

    Raises:
        ValueError: it has none.
    """
    config = Config.fromfile(file)
    if 'peer' not in config or 'model' not in config:
        raise ValueError(
            f'{file} has no peer=dict(name=..., thresholds=..., grid=...): see docs/peers.md'
        )
    peer = config.peer.to_dict()
    return Peer(peer['name'], config.model.to_dict(), peer['thresholds'], peer['grid'])


class KeptFrame(NamedTuple):
    """A frame without its image.

    Attributes:
        sample: of one frame, with ``pred_instances``: LA-MOTR's object detections.
        tracks: LA-MOTR's own output.
    """

    sample: TrackDataSample
    tracks: InstanceData


@torch.no_grad()
def keep_frames(
    detector: DetectionsOf, preprocessor: BaseDataPreprocessor, loader: DataLoader, label: str
) -> list[KeptFrame]:
    """Run LA-MOTR over the frames of a loader, one by one.

    Args:
        detector: LA-MOTR.
        preprocessor: the one of its config, on the device to run on.
        loader: of whole videos in order, batches of one.
        label: of the progress bar.
    """
    kept = []
    for batch in track(loader, label):
        data = preprocessor(batch, False)
        for t, frame in enumerate(data['data_samples'][0]):
            (frame,) = detector.predict(data['inputs'][:, t], [frame])
            kept.append(
                KeptFrame(TrackDataSample(video_data_samples=[frame]), frame.pred_track_instances)
            )
    return kept


@torch.no_grad()
def tracks_of(model: BaseMOTModel, frames: Iterable[KeptFrame]) -> Iterator[InstanceData]:
    """A peer's tracks, frame by frame."""
    image = torch.zeros(1, 1, 3, 1, 1)  # detections are there already
    for frame in frames:
        yield model.predict(image, [frame.sample])[0][0].pred_track_instances


def score(
    frames: Sequence[KeptFrame], tracks: Iterable[InstanceData], evaluator: Evaluator
) -> dict[str, float]:
    """Scores such as ``track/HOTA`` of the tracks of each frame."""
    for frame, of_frame in zip(frames, tracks, strict=True):
        frame.sample[0].pred_track_instances = of_frame
        evaluator.process(data_samples=[frame.sample])
    return evaluator.evaluate(len(frames))


def search(
    grid: Mapping[str, Sequence[float]],
    starts: Iterable[Settings],
    value: Callable[[Settings], float],
) -> tuple[Settings, float]:
    """Settings with a high value: each key in turn takes its best one, until none gets better.

    Args:
        grid: key -> values to try.
        starts: settings to start from; the best end is taken.
        value: of settings; no settings are valued twice.

    Returns:
        The settings and their value.
    """
    known: dict[tuple, float] = {}

    def look_up(settings: Settings) -> float:
        key = tuple(sorted(settings.items()))
        if key not in known:
            known[key] = value(settings)
        return known[key]

    ends = []
    for start in starts:
        best = dict(start)
        before: Settings | None = None
        while best != before:
            before = dict(best)
            for key, values in grid.items():
                tried = [best, *({**best, key: each} for each in values)]
                best = max(tried, key=look_up)  # the first of equals: nothing moves without gain
        ends.append(best)
    best = max(ends, key=look_up)
    return best, look_up(best)


def tune(peer: Peer, frames: Sequence[KeptFrame], evaluator: Evaluator) -> tuple[Settings, float]:
    """The settings of a peer's grid with a high HOTA on these frames, and that HOTA."""

    def hota(settings: Settings) -> float:
        return score(frames, tracks_of(peer.build(settings), frames), evaluator)['track/HOTA']

    return search(peer.grid, peer.thresholds.values(), hota)
