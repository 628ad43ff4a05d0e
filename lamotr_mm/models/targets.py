"""Ground truth of clips in slot order: slot ``k`` of a clip is its ``k``-th distinct id."""

from typing import NamedTuple

import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.bbox import BaseBoxes, bbox_xyxy_to_cxcywh, get_box_tensor
from torch import Tensor


class FrameTargets(NamedTuple):
    """Targets of one frame of ``B`` clips, in ``K`` slots.

    Attributes:
        boxes_cxcywh: ``(B, K, 4)`` float, normalised by the image shape; 0 where absent.
        labels: ``(B, K)`` int64.
        present: ``(B, K)`` bool, whether slot ``k``'s target is annotated in this frame.
        img_shapes: (height, width) in px of each clip's image before padding.
        ignored_cxcywh: ``(B, R, 4)`` float, ignored regions (crowds, distractors), normalised
            likewise; boxes of size 0 fill up.
    """

    boxes_cxcywh: Tensor
    labels: Tensor
    present: Tensor
    img_shapes: list[tuple[int, int]]
    ignored_cxcywh: Tensor


def clip_targets(
    data_samples: list[TrackDataSample], device: torch.device, spare_slots: int = 0
) -> list[FrameTargets]:
    """Targets of a batch of ``B`` clips of ``T`` frames.

    A clip without any target still has one slot, always absent, so that every parameter is used.

    Args:
        data_samples: ``B`` samples; each frame's ``gt_instances`` has ``bboxes`` (xyxy px of the
            augmented image), ``labels`` and ``instances_ids``; ``ignored_instances``, where it is
            there, has ``bboxes``.
        device: where the targets are needed.
        spare_slots: slots without a target that are added behind, for inserted false positives.

    Returns:
        ``T`` :class:`FrameTargets`.

    Raises:
        ValueError: if an id occurs twice in a frame, or a box is not finite.
    """
    slots = [_slots(sample) for sample in data_samples]
    num_slots = max(1, *(len(ids) for ids in slots)) + spare_slots
    num_ignored = max(len(_ignored(frame)) for sample in data_samples for frame in sample)
    frames = []
    for t in range(len(data_samples[0])):
        boxes = torch.zeros(len(slots), num_slots, 4)
        labels = torch.zeros(len(slots), num_slots, dtype=torch.long)
        present = torch.zeros(len(slots), num_slots, dtype=torch.bool)
        ignored = torch.zeros(len(slots), num_ignored, 4)
        for clip, sample in enumerate(data_samples):
            frame = sample[t]
            index = [slots[clip][int(i)] for i in frame.gt_instances.instances_ids]
            boxes[clip, index] = _to_cxcywh(frame.gt_instances.bboxes, frame)
            labels[clip, index] = frame.gt_instances.labels.cpu()
            present[clip, index] = True
            regions = _ignored(frame)
            ignored[clip, : len(regions)] = _to_cxcywh(regions, frame)
        img_shapes = [tuple(sample[t].img_shape[:2]) for sample in data_samples]
        boxes, labels, present, ignored = (
            tensor.to(device) for tensor in (boxes, labels, present, ignored)
        )
        frames.append(FrameTargets(boxes, labels, present, img_shapes, ignored))
    return frames


def _ignored(frame: DetDataSample) -> Tensor:
    """Ignored regions ``(R, 4)`` xyxy px of a frame."""
    instances = frame.get('ignored_instances')
    return torch.zeros(0, 4) if instances is None else get_box_tensor(instances.bboxes)


def _to_cxcywh(boxes_xyxy: Tensor | BaseBoxes, frame: DetDataSample) -> Tensor:
    """Boxes of a frame, px -> normalised, on the host."""
    boxes_xyxy = get_box_tensor(boxes_xyxy).float().cpu()
    if not torch.isfinite(boxes_xyxy).all():
        raise ValueError(
            f'{_name(frame)}: a ground-truth box is not finite: {boxes_xyxy.tolist()} '
            'correct the annotation, or the transform that made it'
        )
    height, width = frame.img_shape[:2]
    return bbox_xyxy_to_cxcywh(boxes_xyxy) / boxes_xyxy.new_tensor([width, height, width, height])


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


def _name(frame: DetDataSample) -> str:
    return str(frame.metainfo.get('img_path', f'frame {frame.metainfo.get("frame_id")}'))
