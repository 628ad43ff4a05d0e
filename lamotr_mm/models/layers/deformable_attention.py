"""mmcv's multi-scale deformable attention with a fused kernel on the CPU as well."""

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from torch import Tensor

from ..precision import widen
from .linear import is_captured, joined_linear

WIDEST_REGISTER = 16  # float32 values of AVX-512


@cache
def _fused_cpu_op() -> Callable | None:
    """The numba op, ``None`` (and one warning) where numba is missing or does not fit NumPy."""
    try:
        from .msda_numba import multi_scale_deformable_attn_numba
    except ImportError as error:
        warnings.warn(
            f'numba cannot be imported ({error}): deformable attention on the CPU will be many '
            'times slower. Remedy: pip install numba',
            stacklevel=2,
        )
        return None
    return multi_scale_deformable_attn_numba


def _softmax(logits: Tensor) -> Tensor:
    """Over the last dimension. Of fewer values than fit a vector register, PyTorch computes it one
    by one on the CPU, 7 times slower; so they are filled up with values that count nothing."""
    values = logits.shape[-1]
    if logits.device.type != 'cpu' or values >= WIDEST_REGISTER:
        return logits.softmax(-1)
    full = F.pad(logits, (0, WIDEST_REGISTER - values), value=float('-inf'))
    return full.softmax(-1)[..., :values]


def project_values(
    attentions: Sequence['DeformableAttention'], value: Tensor, padding_mask: Tensor | None
) -> list[Tensor]:
    """What each attention's ``value_proj`` makes of the same values, in one product.

    Args:
        attentions: of one width ``d``.
        value: ``(B, S, d)``.
        padding_mask: ``(B, S)`` bool, ``True`` where a value is padding.

    Returns:
        ``(B, S, d)`` for each, 0 at padding; float32 where they were made in half precision.
    """
    values = joined_linear(value, [attention.value_proj for attention in attentions])
    if padding_mask is not None:
        values = values.masked_fill(padding_mask[..., None], 0.0)
    return [widen(part) for part in values.chunk(len(attentions), -1)]


class DeformableAttention(MultiScaleDeformableAttention):
    """Deformable attention (arXiv 2010.04159, Eq. 3): mmcv's module with the same parameters.

    What differs from mmcv: ``dropout`` defaults to 0 and ``batch_first`` to ``True``; no check of
    device tensors, which would stop the host until the device is done; and the CPU has a fused
    numba kernel. On CUDA the op is mmcv's; tracing, ``torch.compile`` and export use mmcv's plain
    PyTorch version. Half-precision values are sampled in float32, as all these ops can.

    Args:
        im2col_step: most batch items that mmcv's CUDA op handles at once; any batch size fits.
        dropout: rate of the dropout on the output, before ``identity`` is added.
        batch_first: whether query, value and identity are ``(B, N, d)`` rather than ``(N, B, d)``.
        others: as in mmcv (``embed_dims``, ``num_heads``, ``num_levels``, ``num_points``, ...).
    """

    def __init__(
        self,
        *args: Any,
        im2col_step: int = 64,
        dropout: float = 0.0,
        batch_first: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args, im2col_step=im2col_step, dropout=dropout, batch_first=batch_first, **kwargs
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        identity: Tensor | None = None,
        query_pos: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        reference_points: Tensor | None = None,
        spatial_shapes: Tensor | None = None,
        level_start_index: Tensor | None = None,
        projected: Tensor | None = None,
        level_shapes: Sequence[tuple[int, int]] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Attend from ``Q`` queries to ``S`` values; shapes for ``batch_first=True``.

        Args:
            query: ``(B, Q, d)``.
            key: ignored, as in mmcv; other keyword arguments as well.
            value: ``(B, S, d)``, the levels one after another; default: ``query``.
            identity: ``(B, Q, d)``, added to the output; default: ``query``.
            query_pos: ``(B, Q, d)``, added to the query.
            key_padding_mask: ``(B, S)`` bool, ``True`` where a value is padding (it counts as 0).
            reference_points: ``(B, Q, levels, 2)`` x and y, or ``(B, Q, levels, 4)`` cx, cy, w and
                h, normalised by the padded image.
            spatial_shapes: ``(levels, 2)`` int64 (height, width).
            level_start_index: ``(levels,)`` int64, index of each level's first value; used on CUDA.
            projected: ``(B, S, d)``, what ``value_proj`` makes of ``value``, 0 where it is padding,
                if that is known (:func:`project_values`); always batch first.
            level_shapes: ``spatial_shapes`` as numbers of the host; default: read from the tensor,
                which an export cannot do.

        Returns:
            ``(B, Q, d)``.

        Raises:
            TypeError: without ``reference_points`` or ``spatial_shapes``.
            ValueError: if ``reference_points`` has another last dimension than 2 or 4, or
                ``spatial_shapes`` does not add up to ``S`` (checked on the CPU only).
        """
        if reference_points is None or spatial_shapes is None:
            raise TypeError('deformable attention needs reference_points and spatial_shapes')
        value = query if value is None else value
        identity = query if identity is None else identity
        if query_pos is not None:
            query = query + query_pos
        if not self.batch_first:
            query, value = query.transpose(0, 1), value.transpose(0, 1)
        if projected is None:
            (projected,) = project_values([self], value, key_padding_mask)
        if spatial_shapes.device.type == 'cpu' and not is_captured():
            self._check_shapes(spatial_shapes, projected.shape[1])

        # one product for both
        layers = self.sampling_offsets, self.attention_weights
        offsets, logits = joined_linear(query, layers).split([x.out_features for x in layers], -1)
        output = self._attend(
            projected.unflatten(-1, (self.num_heads, -1)),
            self._sampling_locations(widen(offsets), reference_points, spatial_shapes),
            self._attention_weights(widen(logits)),
            spatial_shapes,
            level_start_index,
            level_shapes,
        )
        output = joined_linear(output, [self.output_proj])
        if not self.batch_first:
            output = output.transpose(0, 1)
        return self.dropout(output) + identity

    def _check_shapes(self, spatial_shapes: Tensor, num_value: int) -> None:
        shapes = spatial_shapes.tolist()
        if len(shapes) != self.num_levels or sum(h * w for h, w in shapes) != num_value:
            raise ValueError(
                f'spatial_shapes {shapes} (height, width) must be {self.num_levels} levels '
                f'(num_levels) with {num_value} positions in all, as many as there are values'
            )

    def _attention_weights(self, logits: Tensor) -> Tensor:
        """``(B, Q, heads, levels, points)``, summing to 1 over levels and points."""
        logits = logits.unflatten(-1, (self.num_heads, -1))
        weights = logits.softmax(-1) if is_captured() else _softmax(logits)
        return weights.unflatten(-1, (self.num_levels, self.num_points))

    def _sampling_locations(
        self, offsets: Tensor, reference_points: Tensor, spatial_shapes: Tensor
    ) -> Tensor:
        """``(B, Q, heads, levels, points, 2)`` x and y in 0..1 of each level.

        Offsets are in pixels of the level, or in 1 / (2 * points) of the reference box's size.
        """
        offsets = offsets.unflatten(-1, (self.num_heads, self.num_levels, self.num_points, 2))
        reference_points = reference_points[:, :, None, :, None]
        if reference_points.shape[-1] == 2:
            scale = spatial_shapes.flip(-1)[:, None].to(offsets.dtype).reciprocal()
        elif reference_points.shape[-1] == 4:
            scale = reference_points[..., 2:] * (0.5 / self.num_points)
        else:
            raise ValueError(
                f'the last dimension of reference_points is {reference_points.shape[-1]}, it must '
                'be 2 (x, y) or 4 (cx, cy, w, h)'
            )
        # repeated for each point: broadcasting two numbers at a time takes 8 times as long
        shape = (self.num_levels, self.num_points, 2)
        reference_points, scale = (
            tensor.expand(*tensor.shape[:-3], *shape).contiguous()
            for tensor in (reference_points[..., :2], scale)
        )
        return torch.addcmul(reference_points, offsets, scale)

    def _attend(
        self,
        value: Tensor,
        locations: Tensor,
        weights: Tensor,
        spatial_shapes: Tensor,
        level_start_index: Tensor | None,
        level_shapes: Sequence[tuple[int, int]] | None = None,
    ) -> Tensor:
        """Pick the op: ``(B, S, heads, c)`` values -> ``(B, Q, heads * c)``."""
        value, locations, weights = map(widen, (value, locations, weights))
        captured, empty = is_captured(), weights.numel() == 0
        if value.is_cuda and not captured and not empty:
            batch = len(value)
            # the op wants the batch in equal steps
            step = next(n for n in range(min(self.im2col_step, batch), 0, -1) if batch % n == 0)
            return MultiScaleDeformableAttnFunction.apply(
                value, spatial_shapes, level_start_index, locations, weights, step
            )
        shapes = spatial_shapes.tolist() if level_shapes is None else level_shapes
        one_dtype = value.dtype == locations.dtype == weights.dtype
        fusable = value.device.type == 'cpu' and value.dtype in (torch.float32, torch.float64)
        if fusable and one_dtype and not captured and (fused := _fused_cpu_op()):
            return fused(value, shapes, locations, weights)
        return multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)
