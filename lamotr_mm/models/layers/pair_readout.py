"""Linear readings of the relative deviation MLP's hidden layer, which is never stored as a whole.

SGLA (Sec. 3.2) encodes ``B_diff = boxes_i - boxes_j`` of every object-tracklet pair by a two-layer
MLP. The first layer is linear in the boxes, so the hidden units of a pair are
``relu(rows_i - columns_j)`` with one vector for each box; the second is followed by linear maps
alone, so all that is wanted of the hidden units is a few weighted sums of them.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .linear import is_captured

# hidden units at a time: what a core's cache holds, or enough work for a GPU
_CHUNK_CPU = 1 << 17
_CHUNK_GPU = 1 << 25


def _chunks(rows: Tensor, columns: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Hidden units ``(k, n * J)`` of ``n`` of the rows ``(k, I)`` at a time, and which rows these
    are. The next chunk overwrites them.
    """
    if not rows.numel() or not columns.numel():
        return
    limit = _CHUNK_CPU if rows.device.type == 'cpu' else _CHUNK_GPU
    step = min(rows.shape[1], max(1, limit // columns.numel()))
    buffer = rows.new_empty(step * columns.numel())
    for start in range(0, rows.shape[1], step):
        part = rows[:, start : start + step, None]
        hidden = buffer[: part.numel() * columns.shape[1]].view(len(rows), -1)
        torch.sub(part, columns[:, None], out=hidden.view(*part.shape[:2], columns.shape[1]))
        yield slice(start, start + step), hidden.relu_()


class _PairReadout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows, columns, weight)
        readings = rows.new_empty(len(rows), len(weight), rows.shape[2], columns.shape[2])
        for item, *pair in zip(readings, rows, columns):
            for chunk, hidden in _chunks(*pair):
                item[:, chunk] = (weight @ hidden).view(item[:, chunk].shape)
        return readings

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        rows, columns, weight = ctx.saved_tensors
        grad_rows, grad_columns, grad_weight = map(torch.zeros_like, ctx.saved_tensors)
        for item in range(len(rows)):
            for chunk, hidden in _chunks(rows[item], columns[item]):
                part = grad[item, :, chunk].flatten(1)
                grad_weight.addmm_(part, hidden.T)
                grad_hidden = torch.where(hidden > 0, weight.T @ part, 0)
                grad_hidden = grad_hidden.view(len(hidden), -1, columns.shape[2])
                grad_rows[item, :, chunk] = grad_hidden.sum(2)
                grad_columns[item] -= grad_hidden.sum(1)
        return grad_rows, grad_columns, grad_weight


def pair_readout(rows: Tensor, columns: Tensor, weight: Tensor) -> Tensor:
    """``weight @ relu(rows_i - columns_j)`` of all pairs; differentiable once.

    The ``k`` hidden units of a pair are made, read and dropped, a few rows at a time, and made once
    more in the backward pass: memory grows with ``r``, not with ``k``.

    Args:
        rows: ``(B, k, I)``, first layer (with its bias) of the boxes ``i``.
        columns: ``(B, k, J)``, first layer without bias of the boxes ``j``.
        weight: ``(r, k)``, the wanted sums.

    Returns:
        ``(B, r, I, J)``.
    """
    if is_captured():  # a recipe in PyTorch's own ops; what is stored is up to who runs it
        hidden = (rows[..., None] - columns[:, :, None]).relu()
        return (weight @ hidden.flatten(2)).unflatten(2, hidden.shape[2:])
    return _PairReadout.apply(rows, columns, weight)
