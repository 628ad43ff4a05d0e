"""Where parameters and time go, by part of the model."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch

from lamotr_mm.models import LAMOTR
from lamotr_mm.tracking.lifecycle import FrameScores, FrameTracks
from lamotr_mm.tracking.session import Session, TrackTable
from lamotr_mm.tracking.table import enough_slots

# our name of a part: attribute of the model
PARTS = dict(
    backbone='backbone',
    neck='neck',
    encoder='encoder',
    proposals='proposals',
    sotd='sotd_head',
    sgla='sgla',
    update='tracklet_update',
)


def parts_of(model: torch.nn.Module) -> dict[str, str]:
    """Of ``PARTS`` those that a :class:`LAMOTR` has: not every one has proposals."""
    return {part: name for part, name in PARTS.items() if getattr(model, name) is not None}


def count_parameters(model: torch.nn.Module) -> dict[str, int]:
    """Trainable parameters of each part, ``total`` (of the whole model), and ``frozen`` ones."""
    counts = {
        part: sum(p.numel() for p in getattr(model, name).parameters() if p.requires_grad)
        for part, name in parts_of(model).items()
    }
    counts['total'] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    counts['frozen'] = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    return counts


def measure(
    model: LAMOTR,
    img_size: tuple[int, int],
    tracklets: int,
    repeat: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median time in ms of one frame with ``tracklets`` live tracklets, by stage.

    ``total`` is measured apart from the stages: on a GPU, timing a stage waits for it, and a model
    with ``cuda_graphs`` has no stages when it replays them; its stages are those of eager frames.
    What a frame is and includes: :func:`frame_timer`.

    Args:
        model: in eval mode, on the device that is to be measured.
        img_size: (height, width) in px of the network's input, a multiple of its padding.
        tracklets: number of live tracklets, 0 or more.
        repeat: repetitions, 1 or more; one more, not counted, warms up.
        clock: seconds; ``time.process_time`` where other work shares the cores (1 thread on a CPU).

    Returns:
        ``{stage: ms}`` for each of :func:`parts_of`, ``lifecycle`` and ``total``.
    """
    times: dict[str, list] = defaultdict(list)
    with frame_timer(model, img_size, tracklets, clock) as one_frame:
        total = median([one_frame() for _ in range(repeat + 1)][1:])
        wait = waiter(next(model.parameters()).device)
        stages_timed = _stages_timed(model, times, partial(timed, wait=wait, clock=clock))
        with _replaced(model, 'cuda_graphs', False), stages_timed:
            for _ in range(repeat + 1):
                one_frame()
    stages = {s: 1000 * median(times[s][1:]) for s in (*parts_of(model), 'lifecycle')}
    return {**stages, 'total': 1000 * total}


@contextmanager
def frame_timer(
    model: LAMOTR,
    img_size: tuple[int, int],
    tracklets: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Callable[[], float]]:
    """A function that tracks one frame and returns the seconds that it took.

    Every call starts from the same state, and the lifecycle is given one confident object for each
    tracklet, so the weights don't matter. Included is what lies between the stages, such as the
    transfer of boxes to the host; loading, resizing and drawing are outside.

    Args:
        model, img_size, tracklets: as in :func:`measure`.
        clock: seconds; ``time.process_time`` for CPU time.
    """
    device = next(model.parameters()).device
    image = torch.randn(1, 3, *img_size, device=device)
    wait = waiter(device)

    def one_frame() -> float:
        session = _session(model, tracklets)
        seconds: list[float] = []
        with timed(seconds, wait, clock):
            model.track_frame(session, model.encode_frames(image, [img_size]), img_size)
        return seconds[0]

    step = model.lifecycle.step

    def all_found(table: TrackTable, scores: FrameScores) -> FrameTracks:
        return step(table, _all_found(scores, tracklets))

    with _replaced(model.lifecycle, 'step', all_found):
        yield one_frame


def _session(model: LAMOTR, tracklets: int) -> Session:
    """A video that goes on, with ``tracklets`` live tracklets, ids from 1."""
    session = model.new_session()
    slots = enough_slots(session.table.slots, tracklets)
    session.grow(slots)
    for _ in range(tracklets):
        session.table.start(label=0)
    state = model.tracklet_update.no_tracklets(1, slots, model.sotd_head.query_embedding.weight)
    state.query[:, :tracklets] = torch.randn_like(state.query[:, :tracklets])
    state.anchor_cxcywh[:, :tracklets] = torch.rand_like(state.anchor_cxcywh[:, :tracklets]) / 2
    state.valid[:, :tracklets] = True
    session.tracklets = state
    return session


def _all_found(scores: FrameScores, tracklets: int) -> FrameScores:
    """The scores of a tracker at work: object ``k`` is confident and belongs to tracklet ``k``."""
    objects = len(scores.object_scores)
    found = np.arange(min(objects, tracklets))
    confident = np.full(objects, 0.01)
    confident[found] = 0.9
    association = np.full_like(scores.association, 0.01)
    association[found, found] = 0.9
    return scores._replace(
        object_scores=confident,
        object_labels=np.zeros_like(scores.object_labels),  # as the tracks of `_session`
        association=association,
    )


@contextmanager
def _stages_timed(model: LAMOTR, times: dict[str, list], measured: Callable) -> Iterator[None]:
    """Add the seconds that each call of a stage takes to its list."""

    def timed_call(call: Callable, seconds: list, *args: Any, **kwargs: Any) -> Any:
        with measured(seconds):
            return call(*args, **kwargs)

    calls = [(part, getattr(model, name), 'forward') for part, name in parts_of(model).items()]
    calls.append(('lifecycle', model.lifecycle, 'step'))
    with ExitStack() as replacements:
        for stage, owner, name in calls:
            call = partial(timed_call, getattr(owner, name), times[stage])
            replacements.enter_context(_replaced(owner, name, call))
        yield


@contextmanager
def _replaced(owner: object, name: str, value: Any) -> Iterator[None]:
    """Let ``value`` stand for a method or attribute of one object; of nested replacements the inner
    one ends first.
    """
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


@contextmanager
def timed(
    seconds: list[float], wait: Callable, clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """Add the seconds that the block takes to the list, on a device of :func:`waiter`."""
    wait()
    start = clock()
    yield
    wait()
    seconds.append(clock() - start)


def waiter(device: torch.device) -> Callable[[], None]:
    """What waits until the device has done its work; a CPU has nothing to wait for."""
    return torch.cuda.synchronize if device.type == 'cuda' else _nothing


def _nothing() -> None:
    pass
