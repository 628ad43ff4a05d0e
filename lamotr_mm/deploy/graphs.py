"""The parts of a frame as modules of tensors alone, which PyTorch can export."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from lamotr_mm.models import LAMOTR
from lamotr_mm.models.host_frame import pack_scores
from lamotr_mm.models.proposals import DenseProposals, Proposals
from lamotr_mm.models.structures import FrameFeatures, FrameOutput
from lamotr_mm.models.tracklet_update import SlotDecisions, TrackletUpdate
from lamotr_mm.tracking.state import TrackletState


class EncodeGraph(nn.Module):
    """``LAMOTR.encode`` of one image of one size. Of proposals it gives all anchors: what follows
    has no static shapes and is the host's (:mod:`.suppression`).

    Args:
        model: in eval mode.
        img_shape: (height, width) in px of the image before padding.
    """

    def __init__(self, model: LAMOTR, img_shape: tuple[int, int]) -> None:
        super().__init__()
        self.model = model
        self.img_shape = img_shape

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """``(1, 3, H, W)`` -> memory ``(1, S, d)``; with proposals also boxes ``(A, 4)`` xyxy px,
        scores and factors ``(A,)``."""
        levels = self.model.backbone(images)
        size = tuple(images.shape[-2:])
        features = self.model.encoder(self.model.neck(levels), [self.img_shape], size)
        if self.model.proposals is None:
            return (features.memory,)
        return (features.memory, *dense_outputs(self.model.proposals, levels, self.img_shape))


def dense_outputs(
    proposals: DenseProposals, levels: tuple[Tensor, ...], img_shape: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Every anchor of one image: boxes ``(A, 4)`` xyxy px, scores and factors ``(A,)``, level by
    level in mmdet's order.
    """
    head = proposals.bbox_head
    scores, deltas, *factors = head(proposals.neck(tuple(levels)))
    sizes = [level.shape[-2:] for level in scores]
    priors = head.prior_generator.grid_priors(sizes, device=scores[0].device)
    deltas = torch.cat([_anchors_first(level, 4) for level in deltas])
    boxes = head.bbox_coder.decode(torch.cat(priors), deltas)
    if head.bbox_coder.clip_border:  # not by `max_shape`, which writes into slices
        height, width = img_shape
        boxes = boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))
    score = torch.cat([_anchors_first(level, 1) for level in scores])[:, 0].sigmoid()
    if not factors:
        return boxes, score, torch.ones_like(score)
    return boxes, score, torch.cat([_anchors_first(f, 1) for f in factors[0]])[:, 0].sigmoid()


def _anchors_first(level: Tensor, width: int) -> Tensor:
    """``(1, anchors * width, h, w)`` -> ``(h * w * anchors, width)``."""
    return level[0].permute(1, 2, 0).reshape(-1, width)


class DecodeGraph(nn.Module):
    """``LAMOTR.decode_frame`` and what the host reads of it.

    Args:
        model: in eval mode.
        features: of a frame of the size, whose memory and proposals are replaced.
        read: numbers of the output's tensors that are given out, see :func:`tensors_of`.
    """

    padding_mask: Tensor | None
    valid_ratios: Tensor
    spatial_shapes: Tensor
    level_start_index: Tensor

    def __init__(self, model: LAMOTR, features: FrameFeatures, read: Sequence[int]) -> None:
        super().__init__()
        self.model = model
        self.level_shapes = features.level_shapes
        for name in ('padding_mask', 'valid_ratios', 'spatial_shapes', 'level_start_index'):
            self.register_buffer(name, getattr(features, name))
        self.read = read

    def forward(
        self,
        memory: Tensor,
        boxes_cxcywh: Tensor | None,
        scores: Tensor | None,
        state: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """Memory ``(1, S, d)``, both tensors of the proposals or None, the fields of the state ->
        ``pack_scores`` and the tensors of the output that are read."""
        proposals = None
        if boxes_cxcywh is not None and scores is not None:
            proposals = Proposals(boxes_cxcywh, scores)
        features = FrameFeatures(
            memory=memory,
            padding_mask=self.padding_mask,
            valid_ratios=self.valid_ratios,
            spatial_shapes=self.spatial_shapes,
            level_start_index=self.level_start_index,
            proposals=proposals,
            level_shapes=self.level_shapes,
        )
        output = self.model.decode_frame(features, TrackletState(*state))
        leaves = pytree.tree_leaves(output)
        return (pack_scores(output), *(leaves[place].clone() for place in self.read))


class UpdateGraph(nn.Module):
    """The model's :class:`TrackletUpdate`.

    Args:
        update: of the model.
        structure: of its output, see :func:`tensors_of`.
        tensors: of an output; those that are not read give their shapes alone.
        read: numbers of the output's tensors that are given; None: all.
    """

    def __init__(
        self,
        update: TrackletUpdate,
        structure: Any,
        tensors: Sequence[Tensor],
        read: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.update = update
        self.structure = structure
        self.tensors = tensors
        self.read = range(len(tensors)) if read is None else read

    def forward(
        self,
        state: tuple[Tensor, ...],
        output: tuple[Tensor, ...],
        decisions: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """The fields of the state, the tensors of the output that are read, the fields of the
        decisions -> the fields of the next state."""
        leaves = list(self.tensors)
        for place, tensor in zip(self.read, output, strict=True):
            leaves[place] = tensor
        frame = pytree.tree_unflatten(leaves, self.structure)
        found = self.update(TrackletState(*state), frame, SlotDecisions(*decisions))
        # an input that is handed through would lose its name to the output
        return tuple(field.clone() for field in found)


def tensors_of(output: FrameOutput) -> tuple[list[str], list[Tensor], Any]:
    """Names and tensors of a frame's output, nested ones included, and its structure. What is None
    at inference is an empty tensor, which nothing reads."""
    paths, structure = pytree.tree_flatten_with_path(output)
    names = [re.sub(r'\W+', '.', pytree.keystr(path)).strip('.') for path, _ in paths]
    tensors = [torch.zeros(0) if leaf is None else leaf for _, leaf in paths]
    return names, tensors, structure
