"""Ground truth of clips in slot order: slot ``k`` of a clip is its ``k``-th distinct id."""

from typing import NamedTuple

import torch
from mmdet.structures import TrackDataSample
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh, get_box_tensor
from torch import Tensor


class FrameTargets(NamedTuple):
    """Targets of one frame of ``B`` clips, in ``K`` slots.

    Attributes:
        boxes_cxcywh: ``(B, K, 4)`` float, normalised by the image shape; 0 where absent.
        labels: ``(B, K)`` int64.
        present: ``(B, K)`` bool, whether slot ``k``'s target is annotated in this frame.
        img_shapes: (height, width) in px of each clip's image before padding.
    """

    boxes_cxcywh: Tensor
    labels: Tensor
    present: Tensor
    img_shapes: list[tuple[int, int]]


def clip_targets(
    data_samples: list[TrackDataSample], device: torch.device, spare_slots: int = 0
) -> list[FrameTargets]:
    """Targets of a batch of ``B`` clips of ``T`` frames.

    A clip without any target still has one slot, always absent, so that every parameter is used.

    Args:
        data_samples: ``B`` samples; each frame's ``gt_instances`` has ``bboxes`` (xyxy px of the
            augmented image), ``labels`` and ``instances_ids``.
        device: where the targets are needed.
        spare_slots: slots without a target that are added behind, for inserted false positives.

    Returns:
        ``T`` :class:`FrameTargets`.

    Raises:
        ValueError: if an id occurs twice in a frame, or a box is not finite.
    """
    slots = [_slots(sample) for sample in data_samples]
    num_slots = max(1, *(len(ids) for ids in slots)) + spare_slots
    frames = []
    for t in range(len(data_samples[0])):
        boxes = torch.zeros(len(slots), num_slots, 4)
        labels = torch.zeros(len(slots), num_slots, dtype=torch.long)
        present = torch.zeros(len(slots), num_slots, dtype=torch.bool)
        img_shapes = []
        for clip, sample in enumerate(data_samples):
            frame = sample[t]
            height, width = frame.img_shape[:2]
            img_shapes.append((height, width))
            boxes_xyxy = get_box_tensor(frame.gt_instances.bboxes).float().cpu()
            if not torch.isfinite(boxes_xyxy).all():
                raise ValueError(
                    f'{_name(frame)}: a ground-truth box is not finite: {boxes_xyxy.tolist()} '
                    'correct the annotation, or the transform that made it'
                )
            index = [slots[clip][int(i)] for i in frame.gt_instances.instances_ids]
            boxes[clip, index] = bbox_xyxy_to_cxcywh(boxes_xyxy) / boxes_xyxy.new_tensor(
                [width, height, width, height]
            )
            labels[clip, index] = frame.gt_instances.labels.cpu()
            present[clip, index] = True
        tensors = (tensor.to(device) for tensor in (boxes, labels, present))
        frames.append(FrameTargets(*tensors, img_shapes))
    return frames


def _slots(sample: TrackDataSample) -> dict[int, int]:
    """id -> slot, in order of first appearance."""
    slots: dict[int, int] = {}
    for frame in sample:
        ids = [int(i) for i in frame.gt_instances.instances_ids]
        if len(set(ids)) != len(ids):
            twice = sorted(i for i in set(ids) if ids.count(i) > 1)
            raise ValueError(
                f'{_name(frame)}: ids {twice} are annotated more than once in this frame; an id '
                'names one target, so correct the annotation'
            )
        for i in ids:
            slots.setdefault(i, len(slots))
    return slots


def _name(frame) -> str:
    return str(frame.metainfo.get('img_path', f'frame {frame.metainfo.get("frame_id")}'))
