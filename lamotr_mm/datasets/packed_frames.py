"""Annotations of a video that cost nothing until a frame is asked for."""

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np


class PackedFrames(Sequence):
    """List of frames, each pickled; taking one gives a fresh copy.

    mmengine pickles a data set item by item, which for a video is all its frames: reading one frame
    of a long, crowded video would unpickle hundreds of thousands of boxes. Here a frame costs
    a frame. Since nothing is shared, transforms may edit what they get, and since the data is one
    array, forked workers share its memory.

    Args:
        frames (Sequence): Picklable items.
    """

    def __init__(self, frames: Sequence) -> None:
        pickles = [pickle.dumps(frame, protocol=4) for frame in frames]
        self._ends = np.cumsum([0, *map(len, pickles)])
        self._bytes = np.frombuffer(b''.join(pickles), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]  # no slices
        index = range(len(self))[index]
        return pickle.loads(self._bytes[self._ends[index] : self._ends[index + 1]].data)

    def __deepcopy__(self, memo: dict) -> 'PackedFrames':
        # the content can't be changed
        return self
