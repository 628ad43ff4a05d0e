"""The tracker as one object, in the manner of mmdet's inferencers."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import Compose
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer

from lamotr_mm.engine.launch import load_config
from lamotr_mm.io.frames import Source, open_frames
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.folding import fold
from lamotr_mm.visualization.draw_tracks import TrackPainter

from .few_tracks import class_names
from .inferencer import (
    build_pipeline,
    default_device,
    init_model,
    prepare_frames,
    track_prepared,
)
from .model_zoo import find_model
from .results import Tracks, VideoTracks
from .sessions import TrackerSession, push_all
from .track_video import track_video
from .viewer import Viewer

DEFAULT_MODEL = 'lamotr_people'


class LAMOTRInferencer(BaseInferencer):
    """Tracks videos, cameras and single frames.

    A call tracks one source from its first to its last frame; :meth:`stream` yields the tracks of
    each frame at once; :meth:`session` takes frames that the caller has.

    Args:
        model: name of a model of the package (``lamotr models`` lists them) or path of a config.
        weights: checkpoint. Default: the one that comes with the model.
        device: for example 'cpu' or 'cuda:0'. Default: a GPU if there is one.
        scope: default scope of the registries, as in mmdet's inferencers.
        show_progress: show frames done and frames per second on stderr.
        precision: 'fp32', 'bf16' or 'fp16'. Default: the config's, else 'fp32'.
        cuda_graphs: replay frames as CUDA graphs, on a GPU. Default: as the config says.

    Raises:
        ValueError: there is no such model, its weights are missing or of another model, or the
            device can't be used.
    """

    # what `BaseInferencer.__call__` would dispatch; ours has named arguments
    model: LAMOTR
    pipeline: Compose

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        weights: str | Path | None = None,
        device: str | None = None,
        scope: str = 'mmdet',
        show_progress: bool = True,
        precision: str | None = None,
        cuda_graphs: bool | None = None,
    ) -> None:
        config, checkpoint = find_model(model, weights)
        cfg = load_config(config)
        self._options = precision, cuda_graphs
        super().__init__(cfg, checkpoint, device or default_device(), scope, show_progress)
        self.classes = class_names(cfg)

    def _init_model(self, cfg: Config, weights: str, device: str = 'cpu') -> LAMOTR:
        return fold(init_model(cfg, weights, device, *self._options))

    def _init_pipeline(self, cfg: Config) -> Compose:
        return build_pipeline(cfg)

    def _init_collate(self, cfg: Config) -> Callable:
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> None:
        """None: `TrackPainter` draws."""

    # ------------------------------------------------------------------ whole sources

    def __call__(
        self,
        inputs: Source,
        start: int | None = None,
        end: int | None = None,
        return_vis: bool = False,
        show: bool = False,
        wait_time: float = 0,
        no_save_vis: bool = False,
        no_save_pred: bool = False,
        return_datasamples: bool = False,
        out_dir: str | Path = '',
    ) -> dict[str, Any]:
        """Track one source.

        Args:
            inputs: video file, folder or pattern of images, list of images, array(s) ``(H, W, 3)``
                uint8 BGR, number of a camera or address of a stream; see
                :func:`~lamotr_mm.io.frames.open_frames`.
            start, end: first and last frame, in the source's own numbers from 1.
            return_vis: return the drawn frames; they are all held in memory.
            show: show the drawn frames in a window while they are tracked; `q` or Esc ends it.
            wait_time: seconds for which a frame is shown, at least; 0: no wait.
            no_save_vis: do not write ``<out_dir>/vis/<name>.mp4``.
            no_save_pred: do not write ``<out_dir>/preds/<name>.txt`` (MOTChallenge rows).
            return_datasamples: give ``predictions`` as a ``TrackDataSample``.
            out_dir: folder of the files. Default: no files.

        Returns:
            ``predictions``: :class:`~lamotr_mm.apis.results.VideoTracks`, empty for a live source
            without ``end``, whose results would fill the memory; ``visualization``: drawn frames
            ``(H, W, 3)`` uint8 BGR, [] without ``return_vis``; ``summary``: frames, tracks, time
            and files.

        Raises:
            ValueError, OSError: the source can't be read or a file can't be written; see
                :func:`~lamotr_mm.apis.track_video.track_video`.
        """
        frames = open_frames(inputs, start, end)
        kept = VideoTracks([], frames.name, frames.size, self.classes)
        drawn: list[np.ndarray] = []
        painter = TrackPainter()
        viewer = Viewer(frames.name, wait_time) if show else None

        def on_frame(number: int, image: np.ndarray, sample: DetDataSample) -> bool:
            tracks = Tracks.from_sample(number, sample, self.classes)
            if not frames.live or end is not None:
                kept.append(tracks)
            if return_vis:
                drawn.append(painter(image, tracks.boxes_xyxy, tracks.ids))
            return viewer is not None and viewer.show(image, tracks)

        vis = Path(out_dir, 'vis', f'{frames.name}.mp4') if out_dir and not no_save_vis else None
        pred = (
            Path(out_dir, 'preds', f'{frames.name}.txt') if out_dir and not no_save_pred else None
        )
        summary = track_video(
            self.model, frames, vis, pred, progress=self.show_progress, on_frame=on_frame
        )
        predictions = kept.to_data_sample() if return_datasamples else kept
        return dict(predictions=predictions, visualization=drawn, summary=summary)

    def stream(
        self, inputs: Source, start: int | None = None, end: int | None = None
    ) -> Iterator[tuple[np.ndarray, Tracks]]:
        """Track one source and yield (image, tracks) of each frame as soon as they are known.

        Nothing is kept: right for cameras. Arguments and errors as for a call.
        """
        frames = open_frames(inputs, start, end)
        prepared = prepare_frames(self.model, frames, self.pipeline)
        for number, image, sample in track_prepared(self.model, prepared, frames.live):
            yield image, Tracks.from_sample(number, sample, self.classes)

    def visualize(self, inputs: list, preds: Sequence[Tracks], **kwargs: Any) -> list[np.ndarray]:
        """Draw the tracks of consecutive frames.

        Args:
            inputs: images ``(H, W, 3)`` uint8 BGR.
            preds: tracks of each.
        """
        painter = TrackPainter()
        return [painter(image, t.boxes_xyxy, t.ids) for image, t in zip(inputs, preds)]

    def postprocess(
        self, preds: Sequence[Tracks], visualization: list[np.ndarray], **kwargs: Any
    ) -> dict[str, Any]:
        """The dict that mmdet's inferencers return."""
        return dict(predictions=preds, visualization=visualization)

    # ------------------------------------------------------------------ frame by frame

    def session(self) -> TrackerSession:
        """A new video, whose frames the caller pushes. Any number of them share the model."""
        return TrackerSession(self.model, self.pipeline, self.classes)

    def push_all(
        self,
        sessions: Sequence[TrackerSession],
        frames: Sequence[np.ndarray],
        numbers: Sequence[int | None] | None = None,
    ) -> list[Tracks]:
        """The next frame of several sessions, encoded together: :func:`~.sessions.push_all`."""
        return push_all(sessions, frames, numbers)
