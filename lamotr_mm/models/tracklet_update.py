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
        velocity_gain: ``β`` of an alpha-beta filter with ``α = 1`` on the anchor's centre; 0, as in
            the paper, leaves anchors where the boxes are. Else the velocity changes by ``β`` times
            the way from the anchor to the box that was found, and anchors move on by it, those of
            lost tracklets as well: a decoder samples within the anchor, so it must be where the
            target is. SORT's constant velocity (Bewley et al., ICIP 2016) in one number.
    """

    def __init__(
        self,
        weight: float = 1.0,
        anchor: str = 'tracklet',
        velocity_gain: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if anchor not in ('tracklet', 'object'):
            raise ValueError(f"tracklet_update.anchor={anchor!r} must be 'tracklet' or 'object'")
        for name, value in (('weight', weight), ('velocity_gain', velocity_gain)):
            if not 0 <= value <= 1:
                raise ValueError(f'tracklet_update.{name}={value} must lie in 0..1')
        self.weight = weight
        self.anchor = anchor
        self.velocity_gain = velocity_gain

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
        anchor = torch.where(born, object_boxes, anchor)
        velocity = torch.where(born, 0, self._velocity(state, tracklet_boxes, present))
        return TrackletState(
            query=torch.where(born, objects, query),
            anchor_cxcywh=_moved(anchor, velocity),
            source=torch.where(
                (decisions.object_index >= 0) & (decisions.present | decisions.born),
                decisions.object_index,
                state.source,
            ),
            velocity_xy=velocity,
            valid=decisions.valid,
        )

    def _velocity(self, state: TrackletState, boxes_cxcywh: Tensor, present: Tensor) -> Tensor:
        """``(B, Nt, 2)``, after the boxes of the ``present (B, Nt, 1)`` were found."""
        way = boxes_cxcywh[..., :2] - state.anchor_cxcywh[..., :2]
        return torch.where(present, state.velocity_xy + self.velocity_gain * way, state.velocity_xy)


def _moved(boxes_cxcywh: Tensor, velocity_xy: Tensor) -> Tensor:
    """Boxes after one frame; centres stay in the image."""
    centres = (boxes_cxcywh[..., :2] + velocity_xy).clamp(0, 1)
    return torch.cat([centres, boxes_cxcywh[..., 2:]], -1)
