"""The relative spatial cue (Sec. 3.2): differences of boxes, encoded and read at once."""

import torch
from mmdet.models.layers import MLP
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..precision import float32_island
from .pair_readout import pair_readout

# a box that is smaller counts as so large when distances are measured in sizes; of the image
_SMALLEST = 1e-3
# hidden units at a time
_CHUNK = 1 << 20


class RelativeDeviation(MLP):
    """``E_diff = W_2 relu(W_1 B_diff + b_1) + b_2`` of the differences of boxes, cxcywh, as in the
    paper; a two-layer MLP.

    Args:
        embed_dims: ``d``, of the hidden layer and of the output.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__(4, embed_dims, embed_dims, 2)

    @property
    def bias(self) -> Tensor:
        """``b_2``, which :meth:`read` leaves out, ``(d,)``."""
        return self.layers[1].bias

    @float32_island
    def read(self, boxes_cxcywh: Tensor, num_objects: int, readers: Tensor) -> Tensor:
        """``readers W_2 relu(W_1 B_diff + b_1)`` of all pairs; nothing of width ``d`` is stored.

        Args:
            boxes_cxcywh: ``(B, Nd + Nt, 4)``, normalised; objects first.
            num_objects: ``Nd``.
            readers: ``(r, d)``, linear maps that are applied to the encoding.

        Returns:
            ``(B, r, Nd, Nt)``.
        """
        first, second = self.layers
        # W_1 (a - b) + b_1 = (W_1 a + b_1) - W_1 b: one product a box, none a pair
        rows, columns = (first.weight @ boxes_cxcywh.mT).tensor_split([num_objects], 2)
        return pair_readout(rows + first.bias[:, None], columns, readers @ second.weight)


class ScaledDeviation(RelativeDeviation):
    """The cue measured in sizes of the tracklet's box, :func:`scaled_differences`.

    Those are no differences of two vectors, so the hidden units take a product a pair: made for a
    few objects at a time, and once more in the backward pass.
    """

    @float32_island
    def read(self, boxes_cxcywh: Tensor, num_objects: int, readers: Tensor) -> Tensor:
        """As :meth:`RelativeDeviation.read`."""
        first, second = self.layers
        weight = readers @ second.weight

        def read_part(differences: Tensor) -> Tensor:
            return first(differences).relu() @ weight.mT

        differences = scaled_differences(*boxes_cxcywh.tensor_split([num_objects], 1))
        units_of_an_object = differences[:, :1, :, 0].numel() * weight.shape[1]
        step = max(1, _CHUNK // max(1, units_of_an_object))
        parts = [
            checkpoint(read_part, part, use_reentrant=False, preserve_rng_state=False)
            for part in differences.split(step, 1)
        ]
        return torch.cat(parts, 1).movedim(-1, 1)


def scaled_differences(objects_cxcywh: Tensor, tracklets_cxcywh: Tensor) -> Tensor:
    """``(f((x_i - x_j) / w_j), f((y_i - y_j) / h_j), log(w_i / w_j), log(h_i / h_j))``, R-CNN's box
    encoding with tracklet ``j`` for the anchor, ``(B, Nd, Nt, 4)``. ``f(u)``, which is
    ``sign(u) log(1 + 4 |u|)``, keeps what is many sizes away within the range of the others.
    """
    centres = objects_cxcywh[:, :, None, :2] - tracklets_cxcywh[:, None, :, :2]
    sizes, unit = (
        boxes[..., 2:].clamp(min=_SMALLEST) for boxes in (objects_cxcywh, tracklets_cxcywh)
    )
    steps = centres / unit[:, None]
    steps = steps.sign() * (4 * steps.abs()).log1p()
    ratios = sizes.log()[:, :, None] - unit.log()[:, None]
    return torch.cat([steps, ratios], -1)
