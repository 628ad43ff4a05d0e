"""Multi-scale deformable attention on the CPU, compiled by numba.

The op of Deformable DETR (arXiv 2010.04159, Eq. 3): every query and head reads ``points`` bilinear samples
from each feature level and adds them up with its attention weights. PyTorch's ``grid_sample`` needs a
transposed copy of the values and keeps every sample in memory; here each sample goes straight into the sum.

Import this module only where numba is installed; :mod:`.deformable_attention` falls back without it.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor
from torch.autograd.function import once_differentiable

# numba's own flags and LLVM's: products may fuse and sums reassociate, but NaN and infinity stay what they are
_FASTMATH = ('contract', 'reassoc', 'nsz')
# below this many multiply-adds starting a thread costs more than it saves
_MIN_WORK_PER_THREAD = 1 << 20
_U1 = np.uintp(1)


def _load(context, builder, array_type, array, index, width):
    """Vector of ``width`` numbers of a flat array, and the pointer to it."""
    data = builder.gep(context.make_array(array_type)(context, builder, array).data, [index])
    vector = ir.VectorType(context.get_data_type(array_type.dtype), width)
    pointer = builder.bitcast(data, vector.as_pointer())
    return builder.load(pointer, align=array_type.dtype.bitwidth // 8), pointer


# LLVM unrolls short channel loops before it could vectorise them, so the vectors are spelled out.
@intrinsic(prefer_literal=True)
def _axpy(_, out, out_index, source, source_index, weight, width):
    """``out[out_index:][:width] += weight * source[source_index:][:width]``."""

    def codegen(context, builder, signature, args):
        n = width.literal_value
        total, pointer = _load(context, builder, signature.args[0], *args[:2], n)
        addend, _ = _load(context, builder, signature.args[2], *args[2:4], n)
        undefined = ir.Constant(addend.type, ir.Undefined)
        first = builder.insert_element(undefined, args[4], ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), n), [0] * n)
        weights = builder.shuffle_vector(first, undefined, lanes)
        product = builder.fmul(weights, addend, flags=_FASTMATH)
        total = builder.fadd(total, product, flags=_FASTMATH)
        builder.store(total, pointer, align=signature.args[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(out, out_index, source, source_index, weight, width), codegen


@intrinsic(prefer_literal=True)
def _dot(_, a, a_index, b, b_index, width):
    """``sum(a[a_index:][:width] * b[b_index:][:width])``."""

    def codegen(context, builder, signature, args):
        n = width.literal_value
        left, _ = _load(context, builder, signature.args[0], *args[:2], n)
        right, _ = _load(context, builder, signature.args[2], *args[2:4], n)
        product = builder.fmul(left, right, flags=_FASTMATH)
        scalar = product.type.element
        reduce = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(scalar, [scalar, product.type]),
            f'llvm.vector.reduce.fadd.v{n}f{a.dtype.bitwidth}',
        )
        return builder.call(reduce, [ir.Constant(scalar, 0.0), product], fastmath=_FASTMATH)

    return a.dtype(a, a_index, b, b_index, width), codegen


def _compile(function: Callable) -> Callable:
    options = dict(fastmath=set(_FASTMATH), nogil=True, error_model='numpy')
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        return njit(**options)(function)


@_compile
def _corners(x, y, height, width):
    """Rows, columns, their weights and whether they lie inside, of the four pixels around (x, y) px.

    A pixel outside is moved inside, so that reading it is safe, and gets weight and mask 0.
    """
    zero, one = x - x, x - x + 1
    left, top = np.floor(x), np.floor(y)
    x0, y0 = int(left), int(top)
    x1, y1 = x0 + 1, y0 + 1
    wx1, wy1 = x - left, y - top
    wx0, wy0 = one - wx1, one - wy1
    mx0, mx1, my0, my1 = one, one, one, one
    if x0 < 0:
        x0, wx0, mx0 = 0, zero, zero
    if x1 >= width:
        x1, wx1, mx1 = width - 1, zero, zero
    if y0 < 0:
        y0, wy0, my0 = 0, zero, zero
    if y1 >= height:
        y1, wy1, my1 = height - 1, zero, zero
    return x0, x1, y0, y1, wx0, wx1, wy0, wy1, mx0, mx1, my0, my1


@cache
def _forward_kernel(channels: int) -> Callable:
    """Kernel over the rows ``start..stop`` of the ``B * Q`` queries; all arrays are flat."""
    block = math.gcd(channels, 16)

    @_compile
    def forward(value, shapes, locations, weights, out, sizes, start, stop):
        keys, queries, heads, levels, points = sizes
        stride = heads * channels
        for row in range(start, stop):
            for head in range(heads):
                target = np.uintp((row * heads + head) * channels)
                k = np.uintp((row * heads + head) * levels * points)
                origin = row // queries * keys * stride + head * channels
                for level in range(levels):
                    height, width = shapes[level]
                    for _ in range(points):
                        x = locations[k + k] * value.dtype.type(width) - value.dtype.type(0.5)
                        y = locations[k + k + _U1] * value.dtype.type(height) - value.dtype.type(0.5)
                        weight = weights[k]
                        k += _U1
                        if -1 < x < width and -1 < y < height:
                            x0, x1, y0, y1, wx0, wx1, wy0, wy1, _, _, _, _ = _corners(
                                x, y, height, width
                            )
                            wy0 *= weight
                            wy1 *= weight
                            i00 = np.uintp(origin + (y0 * width + x0) * stride)
                            i01 = np.uintp(origin + (y0 * width + x1) * stride)
                            i10 = np.uintp(origin + (y1 * width + x0) * stride)
                            i11 = np.uintp(origin + (y1 * width + x1) * stride)
                            for channel in range(0, channels, block):
                                c = np.uintp(channel)
                                _axpy(out, target + c, value, i00 + c, wy0 * wx0, block)
                                _axpy(out, target + c, value, i01 + c, wy0 * wx1, block)
                                _axpy(out, target + c, value, i10 + c, wy1 * wx0, block)
                                _axpy(out, target + c, value, i11 + c, wy1 * wx1, block)
                        elif not (np.isfinite(x) and np.isfinite(y)):
                            for channel in range(channels):
                                out[target + np.uintp(channel)] = np.nan
                    origin += height * width * stride

    return forward


@cache
def _backward_kernel(channels: int) -> Callable:
    """Kernel over the heads ``start..stop`` of one batch item: nobody else writes to their gradients."""
    block = math.gcd(channels, 16)

    @_compile
    def backward(
        value, shapes, locations, weights, grad, grad_value, grad_locations, grad_weights,
        sizes, item, start, stop,
    ):  # fmt: skip
        keys, queries, heads, levels, points = sizes
        stride = heads * channels
        for row in range(item * queries, (item + 1) * queries):
            for head in range(start, stop):
                source = np.uintp((row * heads + head) * channels)
                k = np.uintp((row * heads + head) * levels * points)
                origin = item * keys * stride + head * channels
                for level in range(levels):
                    height, width = shapes[level]
                    fwidth, fheight = value.dtype.type(width), value.dtype.type(height)
                    for _ in range(points):
                        x = locations[k + k] * fwidth - value.dtype.type(0.5)
                        y = locations[k + k + _U1] * fheight - value.dtype.type(0.5)
                        dx = dy = dw = value.dtype.type(0)
                        if -1 < x < width and -1 < y < height:
                            x0, x1, y0, y1, wx0, wx1, wy0, wy1, mx0, mx1, my0, my1 = _corners(
                                x, y, height, width
                            )
                            weight = weights[k]
                            i00 = np.uintp(origin + (y0 * width + x0) * stride)
                            i01 = np.uintp(origin + (y0 * width + x1) * stride)
                            i10 = np.uintp(origin + (y1 * width + x0) * stride)
                            i11 = np.uintp(origin + (y1 * width + x1) * stride)
                            d00 = d01 = d10 = d11 = value.dtype.type(0)
                            for channel in range(0, channels, block):
                                c = np.uintp(channel)
                                d00 += _dot(grad, source + c, value, i00 + c, block)
                                d01 += _dot(grad, source + c, value, i01 + c, block)
                                d10 += _dot(grad, source + c, value, i10 + c, block)
                                d11 += _dot(grad, source + c, value, i11 + c, block)
                                _axpy(grad_value, i00 + c, grad, source + c, weight * wy0 * wx0, block)
                                _axpy(grad_value, i01 + c, grad, source + c, weight * wy0 * wx1, block)
                                _axpy(grad_value, i10 + c, grad, source + c, weight * wy1 * wx0, block)
                                _axpy(grad_value, i11 + c, grad, source + c, weight * wy1 * wx1, block)
                            dw = wy0 * (wx0 * d00 + wx1 * d01) + wy1 * (wx0 * d10 + wx1 * d11)
                            dx = wy0 * (mx1 * d01 - mx0 * d00) + wy1 * (mx1 * d11 - mx0 * d10)
                            dy = wx0 * (my1 * d10 - my0 * d00) + wx1 * (my1 * d11 - my0 * d01)
                            dx *= weight * fwidth
                            dy *= weight * fheight
                        elif not (np.isfinite(x) and np.isfinite(y)):
                            dx = dy = dw = value.dtype.type(np.nan)
                        grad_locations[k + k] = dx
                        grad_locations[k + k + _U1] = dy
                        grad_weights[k] = dw
                        k += _U1
                    origin += height * width * stride

    return backward


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy().reshape(-1)


def _num_threads(work: int) -> int:
    return max(1, min(torch.get_num_threads(), work // _MIN_WORK_PER_THREAD))


def _run(kernel: Callable, arrays: tuple, tasks: list[tuple], threads: int) -> None:
    """Run ``kernel(*arrays, *task)`` for every task; the kernels release the GIL.

    Plain threads for the time of the call, since numba's own pools survive neither a fork (data loader
    workers) nor, in the default layer without TBB or OpenMP, a call from two Python threads.
    """
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            kernel(*arrays, *task)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda task: kernel(*arrays, *task), tasks))


def _splits(total: int, parts: int) -> list[tuple[int, int]]:
    """``0..total`` in ``parts`` nearly equal ranges."""
    bounds = [total * part // parts for part in range(parts + 1)]
    return list(zip(bounds, bounds[1:]))


class _FusedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, shapes, locations, weights):
        batch, keys, heads, channels = value.shape
        queries, levels, points = locations.shape[1], *locations.shape[3:5]
        ctx.shapes = np.array(shapes, dtype=np.int64).reshape(levels, 2)
        ctx.sizes = (keys, queries, heads, levels, points)
        ctx.save_for_backward(value, locations, weights)
        out = value.new_zeros(batch, queries, heads * channels)
        threads = _num_threads(4 * weights.numel() * channels)
        _run(
            _forward_kernel(channels),
            (_flat(value), ctx.shapes, _flat(locations), _flat(weights), _flat(out), ctx.sizes),
            _splits(batch * queries, threads),
            threads,
        )
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        value, locations, weights = ctx.saved_tensors
        batch, _, heads, channels = value.shape
        grads = [
            torch.zeros_like(tensor, memory_format=torch.contiguous_format)
            for tensor in (value, locations, weights)
        ]
        threads = _num_threads(8 * weights.numel() * channels)
        # batch items first, then heads: no more parts than there are threads to run them
        groups = min(heads, -(-threads // max(batch, 1)))
        _run(
            _backward_kernel(channels),
            (
                _flat(value), ctx.shapes, _flat(locations), _flat(weights), _flat(grad),
                *map(_flat, grads), ctx.sizes,
            ),  # fmt: skip
            [(item, *part) for item in range(batch) for part in _splits(heads, groups)],
            threads,
        )
        return grads[0], None, grads[1], grads[2]


def multi_scale_deformable_attn_numba(
    value: Tensor,
    value_spatial_shapes: Sequence[tuple[int, int]],
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """mmcv's ``multi_scale_deformable_attn_pytorch``, fused, for CPU tensors; differentiable once.

    Bilinear sampling as ``grid_sample(align_corners=False, padding_mode='zeros')``. The result is the same,
    bit for bit, for any number of threads (``torch.get_num_threads()`` at most are used). A location that is
    not finite makes its query's head, and the gradients of the location and its weight, NaN.

    Args:
        value: ``(B, S, heads, channels)`` float32 or float64, levels one after another, rows within.
        value_spatial_shapes: (height, width) of each level, Python ints.
        sampling_locations: ``(B, Q, heads, levels, points, 2)``, x and y in 0..1 of the level.
        attention_weights: ``(B, Q, heads, levels, points)``.

    Returns:
        ``(B, Q, heads * channels)``.

    Raises:
        TypeError: other dtypes, or tensors of different dtypes.
        ValueError: shapes that do not fit each other.
    """
    tensors = (value, sampling_locations, attention_weights)
    dtypes = [tensor.dtype for tensor in tensors]
    if len(set(dtypes)) > 1 or value.dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f'value, sampling_locations and attention_weights are {dtypes}: give all three as '
            'float32 or all as float64'
        )
    batch, keys, heads, _ = value.shape
    expected = (batch, sampling_locations.shape[1], heads, len(value_spatial_shapes))
    if (
        sampling_locations.shape[:4] != expected
        or sampling_locations.shape[5:] != (2,)
        or attention_weights.shape != sampling_locations.shape[:5]
    ):
        raise ValueError(
            f'value {tuple(value.shape)} and {len(value_spatial_shapes)} levels need '
            f'sampling_locations (B, Q, heads, levels, points, 2) and attention_weights without the 2, '
            f'got {tuple(sampling_locations.shape)} and {tuple(attention_weights.shape)}'
        )
    # the kernels trust these numbers: a wrong one would read outside the values
    if min(map(min, value_spatial_shapes)) < 1 or keys != sum(
        height * width for height, width in value_spatial_shapes
    ):
        raise ValueError(
            f'value_spatial_shapes {list(value_spatial_shapes)} (height, width) must be positive and '
            f'add up to the {keys} values, not {sum(h * w for h, w in value_spatial_shapes)}'
        )
    return _FusedAttention.apply(value, value_spatial_shapes, sampling_locations, attention_weights)
