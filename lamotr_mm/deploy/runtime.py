"""Track with an exported model: onnxruntime and NumPy, without PyTorch and OpenMMLab."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamotr_mm.tracking.lifecycle import FrameScores, Lifecycle
from lamotr_mm.tracking.table import NO_TRACK, TrackTable, enough_slots
from lamotr_mm.tracking.tracked_frame import TrackedFrame, shown_tracks, unpack_scores
from lamotr_mm.tracking.two_stage import TwoStageLifecycle

from .prepare import prepare
from .settings import FILE, GRAPHS, Settings
from .suppression import propose

LIFECYCLES = {kind.__name__: kind for kind in (Lifecycle, TwoStageLifecycle)}

State = dict[str, np.ndarray]


@dataclass
class ExportedSession:
    """One video that is being tracked. Any number of them share a model.

    Attributes:
        table: ids and ages by slot.
        state: the tracklets' tensors ``(1, Nt, ...)`` of the same slots, by name.
    """

    table: TrackTable
    state: State

    def skip(self, frames: int, miss_tolerance: int) -> None:
        """Let time pass; the arguments are those of :meth:`TrackTable.skip`."""
        self.table.skip(frames, miss_tolerance)
        self.state['valid'] = self.state['valid'] & (self.table.ids != NO_TRACK)[None]


class ExportedModel:
    """The folder that `tools/deploy/export.py` wrote.

    Args:
        folder: path of it.
        threads: that onnxruntime uses; None: ``$OMP_NUM_THREADS``, else one for each core.

    Raises:
        ValueError: the folder is no exported model, or of another format; a graph is missing or
            broken; onnxruntime is not installed.
    """

    def __init__(self, folder: str | Path, threads: int | None = None) -> None:
        folder = Path(folder)
        self.settings = Settings.read(folder)
        options = dict(self.settings.lifecycle)
        try:
            self.lifecycle: Lifecycle = LIFECYCLES[options.pop('type')](**options)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'lifecycle in {folder / FILE} is not of this version of lamotr_mm ({error}): '
                f'export the model again, or install what made it ({self.settings.made_by})'
            ) from error
        if threads is None:  # a list has one number for each nesting
            threads = int((os.environ.get('OMP_NUM_THREADS') or '0').split(',')[0])
        self._graphs = {name: _open_graph(folder / f'{name}.onnx', threads) for name in GRAPHS}

    def new_session(self) -> ExportedSession:
        """What a new video starts with."""
        slots = self.settings.slots
        return ExportedSession(TrackTable.empty(slots), self._free_slots(slots))

    def prepare(self, image_bgr: np.ndarray) -> np.ndarray:
        """The input of :meth:`encode`; see :func:`~.prepare.prepare`."""
        return prepare(image_bgr, self.settings.preprocessing)

    def encode(self, images: np.ndarray) -> State:
        """What :meth:`track_frame` reads of a frame; knows nothing of tracks."""
        found = self.run('encode', {'images': images})
        settings = self.settings
        if settings.proposals is None:
            return found
        boxes, scores = propose(
            *(found.pop('boxes'), found.pop('scores'), found.pop('factors')),
            settings.preprocessing.img_shape,
            settings.proposals,
        )
        return found | {'proposals.boxes_cxcywh': boxes, 'proposals.scores': scores}

    def track_frame(
        self, session: ExportedSession, features: State, ori_shape: tuple[int, int]
    ) -> TrackedFrame:
        """One frame, as ``LAMOTR.track_frame`` tells it.

        Args:
            session: the video's, of :meth:`new_session`; changed in place.
            features: of :meth:`encode`.
            ori_shape: (height, width) in px of the original image.

        Raises:
            FloatingPointError: if the network's scores or boxes are not finite.
        """
        table = session.table
        output, scores = self._see_frame(session, features, ori_shape)
        slots = enough_slots(table.slots, self.lifecycle.slots_needed(table, scores))
        if slots > table.slots:
            added = self._free_slots(slots - table.slots)
            table.grow(slots)
            session.state = {
                name: np.concatenate([values, added[name]], 1)
                for name, values in session.state.items()
            }
            output, scores = self._see_frame(session, features, ori_shape)
        entered = table.ids.copy()
        tracks = self.lifecycle.step(table, scores)
        decisions = {f'decisions.{n}': getattr(tracks, n)[None] for n in self.settings.decisions}
        found = self.run('update', _prefixed(session.state) | output | decisions)
        session.state = {name.removeprefix('next.'): values for name, values in found.items()}
        return TrackedFrame(entered, scores, tracks)

    def shown(self, tracked: TrackedFrame) -> np.ndarray:
        """``(n,)`` bool, the tracks of a frame that are output."""
        settings = self.settings
        return shown_tracks(tracked.tracks, settings.out_score_thr, settings.out_min_area)

    def _see_frame(
        self, session: ExportedSession, features: State, ori_shape: tuple[int, int]
    ) -> tuple[State, FrameScores]:
        """What the update reads of the network's output, and what the lifecycle reads."""
        output = self.run('decode', features | _prefixed(session.state))
        packed = output.pop('packed')
        return output, unpack_scores(packed, self.settings.num_objects, ori_shape)

    def run(self, graph: str, values: State) -> State:
        """Outputs of a graph by name; it takes what it needs of the values."""
        session = self._graphs[graph]
        given = {value.name: values[value.name] for value in session.get_inputs()}
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(names, given)))

    def _free_slots(self, slots: int) -> State:
        return {
            field.name: np.full((1, slots, *field.shape), field.fill, field.dtype)
            for field in self.settings.state
        }


def _prefixed(state: State) -> State:
    return {f'state.{name}': values for name, values in state.items()}


def _open_graph(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f'onnxruntime is not installed: pip install "lamotr_mm[onnx]" ({error})'
        ) from error
    if not path.is_file():
        raise ValueError(f'{path} is missing: copy the whole folder, or export the model again')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; it warns of constants that it leaves as they are
    try:
        return onnxruntime.InferenceSession(str(path), options, ['CPUExecutionProvider'])
    except Exception as error:  # of onnxruntime, which has a class for each status
        reason = str(error).splitlines()[0]
        raise ValueError(f'{path} cannot be read ({reason}): export the model again') from error
