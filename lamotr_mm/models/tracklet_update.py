"""Tracklet Update (Sec. 3.4)."""

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor

from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.state import TrackletState

from .structures import FrameOutput


class SlotDecisions(NamedTuple):
    """What becomes of each tracklet slot after a frame, decided by matching to ground truth
    (training) or by the lifecycle (inference). A valid slot that is neither ``present`` nor
    ``born`` is frozen.

    Attributes:
        object_index: ``(B, Nt)`` int64, the object that the slot is matched with or born from; -1:
            none.
        present: ``(B, Nt)`` bool, the tracklet was found in this frame.
        born: ``(B, Nt)`` bool, the slot starts a tracklet from its object.
        valid: ``(B, Nt)`` bool, the slot enters the next frame.
    """

    object_index: Tensor
    present: Tensor
    born: Tensor
    valid: Tensor


@MODELS.register_module()
class TrackletUpdate(BaseModule):
    """Eq. 2: ``Q^tck_{t+1} = w O^tck_t + (1 - w) O^obj`` for a matched tracklet; no parameters.

    Present but unmatched: ``O^tck``. Born: ``O^obj``. Absent or lost: query and anchor stay frozen.
    The next anchor is the box that was predicted in this frame, detached; the next source is the
    matched object.

    Args:
        weight: ``w``; 1 for DanceTrack, 0.9 for SportsMOT, 0.5 for MOT17 (Sec. 4.2).
        anchor: whose box the next anchor of a *matched* tracklet is, its own (``'tracklet'``)
            or its object's (``'object'``): objects are found anew in every
            frame, so that their boxes do not drift.
    """

    def __init__(
        self, weight: float = 1.0, anchor: str = 'tracklet', init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        if anchor not in ('tracklet', 'object'):
            raise ValueError(f"tracklet_update.anchor={anchor!r} must be 'tracklet' or 'object'")
        if not 0 <= weight <= 1:
            raise ValueError(f'tracklet_update.weight={weight} must lie in 0..1 (w of Eq. 2)')
        self.weight = weight
        self.anchor = anchor

    def forward(
        self, state: TrackletState, output: FrameOutput, decisions: SlotDecisions
    ) -> TrackletState:
        """State that entered frame ``t`` and its output -> state that enters frame ``t + 1``."""
        num_objects = output.num_objects
        boxes = output.boxes_cxcywh[-1].detach()
        index = decisions.object_index.clamp(min=0)[..., None]
        objects = output.embeds[:, :num_objects].gather(
            1, index.expand(-1, -1, state.query.shape[-1])
        )
        object_boxes = boxes[:, :num_objects].gather(1, index.expand(-1, -1, 4))
        tracklets, tracklet_boxes = output.embeds[:, num_objects:], boxes[:, num_objects:]

        matched = (decisions.object_index >= 0)[..., None]
        present, born = decisions.present[..., None], decisions.born[..., None]
        mixed = self.weight * tracklets + (1 - self.weight) * objects
        query = torch.where(matched, mixed, tracklets)
        query = torch.where(present, query, state.query)
        if self.anchor == 'object':
            tracklet_boxes = torch.where(matched, object_boxes, tracklet_boxes)
        anchor = torch.where(present, tracklet_boxes, state.anchor_cxcywh)
        return TrackletState(
            query=torch.where(born, objects, query),
            anchor_cxcywh=torch.where(born, object_boxes, anchor),
            source=torch.where(
                (decisions.object_index >= 0) & (decisions.present | decisions.born),
                decisions.object_index,
                state.source,
            ),
            valid=decisions.valid,
        )
