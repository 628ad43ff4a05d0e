"""Replay a part of a frame as a CUDA graph: one launch instead of hundreds of kernels.

``torch.cuda.graph`` records whatever runs. ``torch.compile(mode='reduce-overhead')`` would have to
trace mmdet's modules and mmcv's operator, to compile anew for each size, and ends in such graphs as
well; ``torch.cuda.make_graphed_callables`` takes flat tensors and is made for training.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

Result = TypeVar('Result')
# runs a function that takes nothing -> its result, and what computes it anew into the same tensors
Capture = Callable[[Callable[[], Result]], tuple[Result, Callable[[], None]]]

MOST_GRAPHS = 8  # of one function; each keeps its memory
WARM_UPS = 3  # in which libraries choose kernels, and tensors of a size are made and kept


def check_cuda_graphs(device: torch.device) -> None:
    """Whether graphs can be recorded on the device.

    Raises:
        ValueError: if it is no GPU.
    """
    if device.type != 'cuda':
        raise ValueError(
            f'cuda_graphs=True needs a GPU, but the model is on {device}: leave it out '
            '(model.cuda_graphs=False), or choose a device such as cuda:0'
        )


def is_recorded(tensor: Tensor) -> bool:
    """Whether a CUDA graph is being recorded, which must not read what may be freed after it."""
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()


def numbers(values: Iterable[int], device: torch.device) -> Tensor:
    """``(n,)`` int64, filled in on the device: a GPU that numbers are copied to keeps the host
    waiting, and cannot record that."""
    return torch.stack([torch.full((), value, device=device) for value in values])


def cuda_capture(function: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:
    """Record a function that takes nothing on the current GPU."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # other threads go on uploading frames meanwhile
    with torch.cuda.graph(graph, capture_error_mode='thread_local'):
        result = function()
    return result, graph.replay


class Graphed:
    """A function of tensors, recorded once for each key and replayed after that.

    The key is all that the recording depends on: structure of the arguments, shape, dtype and
    device of each tensor, values of everything else: image size to encode a frame, tokens and
    slots to decode it. The results are overwritten by the next call of the same key: use them
    before.

    Args:
        function: of (nested tuples of) tensors and other values; its tensors have shapes that
            depend on the key alone, and it reads nothing of a tensor on the host.
        capture: records; :func:`cuda_capture`.
    """

    def __init__(self, function: Callable, capture: Capture = cuda_capture) -> None:
        self._function = function
        self._capture = capture
        # key -> (input tensors, result, replay), the one that was used last at the end
        self._graphs: dict[tuple, tuple[list[Tensor], Any, Callable[[], None]]] = {}

    def __call__(self, *args: Any) -> Any:
        """The function's result, in tensors that the next call overwrites."""
        leaves, structure = pytree.tree_flatten(args)
        given = [leaf for leaf in leaves if torch.is_tensor(leaf)]
        key = (structure, *map(_key, leaves))
        with torch.cuda.device_of(given[0]):  # does nothing where that is no GPU
            graph = self._graphs.pop(key, None) or self._record(leaves, structure)
            while len(self._graphs) >= MOST_GRAPHS:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = graph
            inputs, result, replay = graph
            for kept, new in zip(inputs, given, strict=True):
                kept.copy_(new)
            replay()
        return result

    def _record(
        self, leaves: list[Any], structure: Any
    ) -> tuple[list[Tensor], Any, Callable[[], None]]:
        kept = [leaf.clone() if torch.is_tensor(leaf) else leaf for leaf in leaves]
        arguments = pytree.tree_unflatten(kept, structure)
        result, replay = self._capture(lambda: self._function(*arguments))
        return [leaf for leaf in kept if torch.is_tensor(leaf)], result, replay


def _key(leaf: Any) -> Any:
    if torch.is_tensor(leaf):
        return tuple(leaf.shape), leaf.dtype, leaf.device
    return leaf
