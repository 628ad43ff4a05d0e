"""Multi-scale deformable attention on the CPU, compiled by numba.

The op of Deformable DETR (arXiv 2010.04159, Eq. 3): every query and head reads ``points`` bilinear
samples from each feature level and adds them up with its attention weights. PyTorch's
``grid_sample`` needs a transposed copy of the values and keeps every sample in memory; here each
sample goes straight into the sum.

Import this module only where numba is installed; :mod:`.deformable_attention` does without it.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor
from torch.autograd.function import once_differentiable

# products may fuse and sums reassociate, but NaN and infinity stay what they are
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
        total, pointer = _load(context, builder, signature.args[0], args[0], args[1], n)
        addend, _ = _load(context, builder, signature.args[2], args[2], args[3], n)
        undefined = ir.Constant(addend.type, ir.Undefined)
        first = builder.insert_element(undefined, args[4], ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), n), [0] * n)
        weights = builder.shuffle_vector(first, undefined, lanes)
        product = builder.fmul(weights, addend, flags=_FASTMATH)
        total = builder.fadd(total, product, flags=_FASTMATH)
        builder.store(total, pointer, align=signature.args[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(out, out_index, source, source_index, source.dtype, width), codegen


@intrinsic(prefer_literal=True)
def _dot(_, a, a_index, b, b_index, width):
    """``sum(a[a_index:][:width] * b[b_index:][:width])``."""

    def codegen(context, builder, signature, args):
        n = width.literal_value
        left, _ = _load(context, builder, signature.args[0], args[0], args[1], n)
        right, _ = _load(context, builder, signature.args[2], args[2], args[3], n)
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
def _corners(x, y, height, width, one):
    """The four pixels around (x, y) px: top left, top right, bottom left and bottom right.

    A pixel outside the level is moved inside, so that reading it is safe, and gets weight 0.

    Args:
        one: 1 in the type of x and y.

    Returns:
        Flat indices of the four; weights of the left, right, top and bottom ones; and 1 or 0 for
        each of these sides, inside or outside.
    """
    zero = one - one
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    x1, y1 = x0 + 1, y0 + 1
    right, bottom = x - np.floor(x), y - np.floor(y)
    left, top = one - right, one - bottom
    in_left = in_right = in_top = in_bottom = one
    if x0 < 0:
        x0, left, in_left = 0, zero, zero
    if x1 >= width:
        x1, right, in_right = width - 1, zero, zero
    if y0 < 0:
        y0, top, in_top = 0, zero, zero
    if y1 >= height:
        y1, bottom, in_bottom = height - 1, zero, zero
    indices = y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1
    return indices, (left, right, top, bottom), (in_left, in_right, in_top, in_bottom)


@cache
def _forward_kernel(channels: int) -> Callable:
    """Kernel over the rows ``start..stop`` of the ``B * Q`` queries; all arrays are flat."""
    block = math.gcd(channels, 16)

    @_compile
    def forward(value, shapes, locations, weights, out, sizes, start, stop):
        keys, queries, heads, levels, points = sizes
        stride = heads * channels
        half, one = value.dtype.type(0.5), value.dtype.type(1)
        for pair in range(start * heads, stop * heads):
            target = np.uintp(pair * channels)
            k = np.uintp(pair * levels * points)
            origin = pair // (heads * queries) * keys * stride + pair % heads * channels
            for level in range(levels):
                height, width = shapes[level]
                for _ in range(points):
                    x = locations[k + k] * value.dtype.type(width) - half
                    y = locations[k + k + _U1] * value.dtype.type(height) - half
                    weight = weights[k]
                    k += _U1
                    if -1 < x < width and -1 < y < height:
                        (p00, p01, p10, p11), (left, right, top, bottom), _ = _corners(
                            x, y, height, width, one
                        )
                        top *= weight
                        bottom *= weight
                        for channel in range(0, channels, block):
                            o = target + np.uintp(channel)
                            base = origin + channel
                            i00 = np.uintp(base + p00 * stride)
                            i01 = np.uintp(base + p01 * stride)
                            i10 = np.uintp(base + p10 * stride)
                            i11 = np.uintp(base + p11 * stride)
                            _axpy(out, o, value, i00, top * left, block)
                            _axpy(out, o, value, i01, top * right, block)
                            _axpy(out, o, value, i10, bottom * left, block)
                            _axpy(out, o, value, i11, bottom * right, block)
                    elif not (abs(x) < np.inf and abs(y) < np.inf):
                        for channel in range(channels):
                            out[target + np.uintp(channel)] = np.nan
                origin += height * width * stride

    return forward


@cache
def _backward_kernel(channels: int) -> Callable:
    """Kernel over the heads ``start..stop`` of one batch item: no other writes their gradients."""
    block = math.gcd(channels, 16)

    @_compile
    def backward(value, shapes, locations, weights, grad, grads, sizes, item, start, stop):
        grad_value, grad_locations, grad_weights = grads
        keys, queries, heads, levels, points = sizes
        stride = heads * channels
        half, one = value.dtype.type(0.5), value.dtype.type(1)
        zero = one - one
        group = stop - start
        for step in range(queries * group):
            head = start + step % group
            pair = (item * queries + step // group) * heads + head
            source = np.uintp(pair * channels)
            k = np.uintp(pair * levels * points)
            origin = item * keys * stride + head * channels
            for level in range(levels):
                height, width = shapes[level]
                columns, rows = value.dtype.type(width), value.dtype.type(height)
                for _ in range(points):
                    x = locations[k + k] * columns - half
                    y = locations[k + k + _U1] * rows - half
                    dx = dy = dweight = zero
                    if -1 < x < width and -1 < y < height:
                        (p00, p01, p10, p11), sides, (in_l, in_r, in_t, in_b) = _corners(
                            x, y, height, width, one
                        )
                        left, right, top, bottom = sides
                        weight = weights[k]
                        d00 = d01 = d10 = d11 = zero
                        for channel in range(0, channels, block):
                            g = source + np.uintp(channel)
                            i00 = np.uintp(origin + channel + p00 * stride)
                            i01 = np.uintp(origin + channel + p01 * stride)
                            i10 = np.uintp(origin + channel + p10 * stride)
                            i11 = np.uintp(origin + channel + p11 * stride)
                            d00 += _dot(grad, g, value, i00, block)
                            d01 += _dot(grad, g, value, i01, block)
                            d10 += _dot(grad, g, value, i10, block)
                            d11 += _dot(grad, g, value, i11, block)
                            _axpy(grad_value, i00, grad, g, weight * top * left, block)
                            _axpy(grad_value, i01, grad, g, weight * top * right, block)
                            _axpy(grad_value, i10, grad, g, weight * bottom * left, block)
                            _axpy(grad_value, i11, grad, g, weight * bottom * right, block)
                        dweight = left * (top * d00 + bottom * d10)
                        dweight += right * (top * d01 + bottom * d11)
                        dx = top * (in_r * d01 - in_l * d00) + bottom * (in_r * d11 - in_l * d10)
                        dy = left * (in_b * d10 - in_t * d00) + right * (in_b * d11 - in_t * d01)
                        dx *= weight * columns
                        dy *= weight * rows
                    elif not (abs(x) < np.inf and abs(y) < np.inf):
                        dx = dy = dweight = value.dtype.type(np.nan)
                    grad_locations[k + k] = dx
                    grad_locations[k + k + _U1] = dy
                    grad_weights[k] = dweight
                    k += _U1
                origin += height * width * stride

    return backward


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy().reshape(-1)


def _num_threads(work: int) -> int:
    return max(1, min(torch.get_num_threads(), work // _MIN_WORK_PER_THREAD))


def _run(kernel: Callable, arrays: tuple, tasks: list[tuple], threads: int) -> None:
    """Run ``kernel(*arrays, *task)`` for every task; the kernels release the GIL.

    Plain threads for the time of the call: numba's own pools end the process after a fork (OpenMP)
    or at calls from two Python threads (its built-in layer).
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
    return list(pairwise(bounds))


class _FusedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, shapes, locations, weights):
        batch, keys, heads, channels = value.shape
        _, queries, _, levels, points, _ = locations.shape
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
        inputs = _flat(value), ctx.shapes, _flat(locations), _flat(weights), _flat(grad)
        threads = _num_threads(8 * weights.numel() * channels)
        groups = _splits(heads, min(heads, threads))
        _run(
            _backward_kernel(channels),
            (*inputs, tuple(map(_flat, grads)), ctx.sizes),
            [(item, *group) for item in range(batch) for group in groups],
            threads,
        )
        return grads[0], None, grads[1], grads[2]


def multi_scale_deformable_attn_numba(
    value: Tensor,
    value_spatial_shapes: Sequence[tuple[int, int]],
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """mmcv's ``multi_scale_deformable_attn_pytorch``, fused, for the CPU; differentiable once.

    Bilinear sampling as ``grid_sample(align_corners=False, padding_mode='zeros')``. The result is
    the same, bit for bit, for any number of threads (at most ``torch.get_num_threads()`` are used).
    A location that is not finite makes its query's head NaN, and the gradients of the location and
    of its weight.

    Args:
        value: ``(B, S, heads, channels)`` float32 or float64, levels one after another.
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
            'sampling_locations (B, Q, heads, levels, points, 2) and attention_weights without the '
            f'2, got {tuple(sampling_locations.shape)} and {tuple(attention_weights.shape)}'
        )
    # the kernels trust these numbers: a wrong one would read outside the values
    area = sum(height * width for height, width in value_spatial_shapes)
    if min(map(min, value_spatial_shapes)) < 1 or area != keys:
        raise ValueError(
            f'value_spatial_shapes {list(value_spatial_shapes)} (height, width) must be positive '
            f'and add up to the {keys} values, not {area}'
        )
    return _FusedAttention.apply(value, value_spatial_shapes, sampling_locations, attention_weights)
