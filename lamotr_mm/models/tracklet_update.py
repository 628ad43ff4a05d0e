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

    A subclass makes another query of what was seen (:meth:`renew`), may call fewer tracklets found
    (:meth:`found`) and remember something (:attr:`memories`).

    Args:
        weight: ``w``; 1 for DanceTrack, 0.9 for SportsMOT, 0.5 for MOT17 (Sec. 4.2).
        anchor: whose box the next anchor of a *matched* tracklet is, its own (``'tracklet'``)
            or its object's (``'object'``): objects are found anew in every
            frame, so that their boxes do not drift.
    """

    # k of `TrackletState.memory`
    memories = 0

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

    def no_tracklets(self, batch: int, slots: int, like: Tensor) -> TrackletState:
        """What the first frame of ``batch`` clips starts with, as :meth:`TrackletState.empty`."""
        return TrackletState.empty(batch, slots, like, self.memories)

    def forward(
        self, state: TrackletState, output: FrameOutput, decisions: SlotDecisions
    ) -> TrackletState:
        """State that entered frame ``t`` and its output -> state that enters frame ``t + 1``."""
        num_objects = output.num_objects
        boxes = output.boxes_cxcywh[-1].detach()
        objects = of_objects(output.embeds, decisions)
        object_boxes = of_objects(boxes, decisions)
        tracklets, tracklet_boxes = output.embeds[:, num_objects:], boxes[:, num_objects:]

        matched, born = (decisions.object_index >= 0)[..., None], decisions.born[..., None]
        mixed = self.weight * tracklets + (1 - self.weight) * objects
        seen = torch.where(born, objects, torch.where(matched, mixed, tracklets))
        if self.anchor == 'object':
            tracklet_boxes = torch.where(matched, object_boxes, tracklet_boxes)
        seen_boxes = torch.where(born, object_boxes, tracklet_boxes)

        found = self.found(output, decisions)
        state = state._replace(
            anchor_cxcywh=torch.where(found[..., None], seen_boxes, state.anchor_cxcywh),
            source=torch.where(
                (decisions.object_index >= 0) & found, decisions.object_index, state.source
            ),
            valid=decisions.valid,
        )
        query, memory = self.renew(state, seen, output, decisions)
        return state._replace(
            query=torch.where(found[..., None], query, state.query),
            memory=torch.where(found[..., None, None], memory, state.memory),
        )

    def found(self, output: FrameOutput, decisions: SlotDecisions) -> Tensor:
        """``(B, Nt)`` bool, slots that are renewed; a valid one that is not is frozen."""
        return decisions.present | decisions.born

    def renew(
        self,
        state: TrackletState,
        seen: Tensor,
        output: FrameOutput,
        decisions: SlotDecisions,
    ) -> tuple[Tensor, Tensor]:
        """Next query and memory of every slot, of which those of the found ones are taken.

        Args:
            state: of this frame, already with the anchors and ``valid`` of the next one.
            seen: ``(B, Nt, d)``, Eq. 2's query.
            output: of the frame.
            decisions: of the frame.

        Returns:
            ``(B, Nt, d)`` and ``(B, Nt, k, d)``.
        """
        return seen, state.memory


def of_objects(values: Tensor, decisions: SlotDecisions) -> Tensor:
    """``(B, Nd + ..., c)`` -> ``(B, Nt, c)``, that of each slot's object; any where it has none."""
    index = decisions.object_index.clamp(min=0)[..., None]
    return values.gather(1, index.expand(-1, -1, values.shape[-1]))
