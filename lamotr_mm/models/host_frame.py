"""What passes between the device and the host in a frame: one buffer down, one up.

A copy from a GPU makes the host wait until the GPU has done its work, so a frame has one. Both
buffers have static shapes: they depend on ``Nd``, ``Nt`` alone.
"""

import numpy as np
import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor

from lamotr_mm.tracking.lifecycle import FrameTracks

from .structures import FrameOutput
from .tracklet_update import SlotDecisions


def pack_scores(output: FrameOutput) -> Tensor:
    """What the lifecycle reads of a frame (``B = 1``), on the device.

    Returns:
        ``(6 (Nd + Nt) + Nd Nt,)`` float32: for each query its best probability, its class and its
        box xyxy, normalised; then ``S`` row by row.
    """
    scores, labels = output.logits[-1, 0].float().sigmoid().max(-1)
    boxes = bbox_cxcywh_to_xyxy(output.boxes_cxcywh[-1, 0].float())
    queries = torch.cat([scores[:, None], labels[:, None].float(), boxes], 1)
    return torch.cat([queries.flatten(), output.asso_logits[0].float().sigmoid().flatten()])


def upload_decisions(tracks: FrameTracks, device: torch.device) -> SlotDecisions:
    """What was decided of each slot (``B = 1``), on the device. To a GPU it is copied from pinned
    memory, for which the host does not wait.
    """
    fields = (tracks.object_index, tracks.present, tracks.born, tracks.valid)
    packed = torch.from_numpy(np.stack([field.astype(np.int64) for field in fields])[:, None])
    if device.type == 'cuda':
        packed = packed.pin_memory()
    index, *flags = packed.to(device, non_blocking=True)
    return SlotDecisions(index, *(flag.bool() for flag in flags))
