"""The tensors that pass between the parts of a frame. Boxes: normalised by the image shape."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from .proposals import Proposals


class FrameFeatures(NamedTuple):
    """Image features ``F_t`` (Sec. 3.1) of ``N`` frames: the output of the encoder, flattened over
    levels.

    Attributes:
        memory: ``(N, S, d)``, keys and values of the decoder's cross-attention.
        padding_mask: ``(N, S)`` bool, ``True`` at padded pixels; ``None`` where no image is padded.
        valid_ratios: ``(N, levels, 2)``, share of the padded (width, height) that the image fills.
        spatial_shapes: ``(levels, 2)`` int64, (height, width) of each level.
        level_start_index: ``(levels,)`` int64, first token of each level.
        proposals: of the ``N`` frames; ``None`` where the model has no :class:`DenseProposals`.
        values: of the decoder's layers, each ``(N, S, d)``, where they are made for many frames at
            once; ``None``: the decoder makes them.
        level_shapes: ``spatial_shapes`` as numbers of the host, which an export needs; ``None``:
            they are read from the tensor.
    """

    memory: Tensor
    padding_mask: Tensor | None
    valid_ratios: Tensor
    spatial_shapes: Tensor
    level_start_index: Tensor
    proposals: Proposals | None = None
    values: Sequence[Tensor] | None = None
    level_shapes: tuple[tuple[int, int], ...] | None = None

    def by_frame(self, frames: int) -> list['FrameFeatures']:
        """Features of each frame of ``B`` clips, where ``N = B * frames`` lists clip by clip."""

        def split(tensor: Tensor | None) -> Sequence[Any]:
            if tensor is None:
                return [None] * frames
            return tensor.unflatten(0, (-1, frames)).unbind(1)  # one operation, backwards too

        proposals = zip(*map(split, self.proposals or [None] * 2))
        values = zip(*map(split, self.values)) if self.values else [None] * frames
        parts = zip(split(self.memory), split(self.padding_mask), split(self.valid_ratios))
        return [
            self._replace(
                memory=memory,
                padding_mask=mask,
                valid_ratios=ratios,
                proposals=Proposals(*found) if self.proposals else None,
                values=value,
            )
            for (memory, mask, ratios), found, value in zip(parts, proposals, values)
        ]


class Detections(NamedTuple):
    """Output of Separated Object-Tracklet Detection (Sec. 3.1): objects first, then tracklets.

    Attributes:
        embeds: ``(B, Nd + Nt, d)``, ``E^obj`` and ``E^tck`` of the last decoder layer.
        anchors_cxcywh: ``(B, Nd + Nt, 4)``, anchors that *entered* the last layer, detached. Boxes
            of the last layer and of every SGLA layer are offsets from them.
        logits: ``(decoder layers, B, Nd + Nt, C)`` classification logits.
        boxes_cxcywh: ``(decoder layers, B, Nd + Nt, 4)``.
        queries: ``(B, Nd + Nt, d)``, content of the queries ``Q^obj`` and ``Q^tck`` that entered.
        entering_cxcywh: ``(B, Nt, 4)``, anchors of the tracklets before the decoder moved them.
    """

    embeds: Tensor
    anchors_cxcywh: Tensor
    logits: Tensor
    boxes_cxcywh: Tensor
    queries: Tensor
    entering_cxcywh: Tensor


class FrameOutput(NamedTuple):
    """Everything that the network says of one frame; objects first, then tracklets, in dimension
    ``Nd + Nt``.

    Attributes:
        detections: output of the decoder, for its auxiliary losses.
        embeds: ``(B, Nd + Nt, d)``, ``O^obj`` and ``O^tck`` of the last SGLA layer.
        logits: ``(SGLA layers, B, Nd + Nt, C)`` of ``O(1) .. O(L)``; the last is the prediction
            ``P``.
        boxes_cxcywh: ``(SGLA layers, B, Nd + Nt, 4)``.
        asso_logits: ``(B, Nd, Nt)``, association matrix before the sigmoid that makes ``S``.
        early_asso_logits: ``(L, B, Nd, Nt)``, what :class:`SGLA` reads of ``M(0) .. M(L - 1)`` in
            training; None: nothing.
    """

    detections: Detections
    embeds: Tensor
    logits: Tensor
    boxes_cxcywh: Tensor
    asso_logits: Tensor
    early_asso_logits: Tensor | None = None

    @property
    def num_objects(self) -> int:
        """``Nd``."""
        return self.asso_logits.shape[1]
