"""Boxes of a dense detector, where the decoder's object queries may start from."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import torch
from mmcv.ops import nms
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.task_modules import AnchorGenerator, DeltaXYWHBBoxCoder
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh
from mmengine.model import BaseModule
from torch import Tensor

from lamotr_mm.registry import MODELS

from .cuda_graphs import is_recorded, numbers

# of mmdet's coder: a side is at most so many times its anchor's, or its anchor's so many times it
MOST_RATIO = math.log(1000 / 16)


class Proposals(NamedTuple):
    """Boxes of ``N`` images, best first, in ``P`` places each.

    Attributes:
        boxes_cxcywh: ``(N, P, 4)`` float, normalised by the image shape.
        scores: ``(N, P)`` float, probabilities; 0 marks an empty place.
    """

    boxes_cxcywh: Tensor
    scores: Tensor


class QueryPrior(NamedTuple):
    """What proposals fix for the queries of ``B`` frames; objects first, then tracklets.

    Attributes:
        logits: ``(B, Nd + Nt, 1)``, added to the classification logits of every layer.
        held: ``(B, Nd + Nt, 1)`` bool, queries whose boxes stay their first anchors; None: none.
    """

    logits: Tensor
    held: Tensor | None


@MODELS.register_module()
class DenseProposals(BaseModule):
    """A one-stage detector on the model's own backbone, trained before and frozen.

    Sec. 3.1 lets learned anchors find the objects, which takes long to learn. MOTRv2 (Zhang et al.,
    CVPR 2023, Sec. 3.2) starts object queries from the boxes of a detector instead; the paper does
    not. The recipes of the paper leave it out; :class:`SOTDHead` says how queries take proposals.

    Boxes and scores are those of mmdet's ``predict_by_feat``, made for all images at once. All
    shapes depend on the images' sizes alone, so that a CUDA graph can record it: a score of 0 marks
    what mmdet would drop.

    Args:
        neck: of mmdet, on the backbone's levels.
        bbox_head: a dense head of mmdet of one class, on anchors; its ``test_cfg`` has the
            thresholds and, as ``max_per_img``, the number of places ``P``. Boxes without an area
            are left out.

    Raises:
        ValueError: a head that decodes its outputs in another way.
    """

    def __init__(self, neck: dict, bbox_head: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.neck = MMDET_MODELS.build(neck)
        self.bbox_head = MMDET_MODELS.build(bbox_head)
        _check(self.bbox_head)
        self.places = self.bbox_head.test_cfg['max_per_img']
        coder = self.bbox_head.bbox_coder
        for name, values in (('delta_means', coder.means), ('delta_stds', coder.stds)):
            self.register_buffer(name, torch.tensor(values), persistent=False)
        self._anchors: tuple[tuple, tuple[Tensor, list[int]]] | None = (
            None  # of the video's last size
        )
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, levels: tuple[Tensor, ...], img_shapes: list[tuple[int, int]]) -> Proposals:
        """Detect.

        Args:
            levels: the backbone's, each ``(N, c, h, w)``.
            img_shapes: (height, width) in px of each image before padding.
        """
        outputs = self.bbox_head(self.neck(tuple(levels)))
        corners = chain(*((width, height) * 2 for height, width in img_shapes))
        sizes = numbers(corners, outputs[0][0].device).view(-1, 1, 4).float()
        boxes, scores = self._candidates(outputs)
        boxes = boxes.clamp(min=0).minimum(sizes)
        smallest = max(0, self.bbox_head.test_cfg.get('min_bbox_size', 0))
        scores = scores * (boxes[..., 2:] - boxes[..., :2] > smallest).all(-1)
        apart = best_apart if has_fixed_shapes(scores) else best_apart_on_host
        iou_thr = self.bbox_head.test_cfg['nms']['iou_threshold']
        boxes, scores = apart(boxes, scores, self.places, iou_thr)
        dtype = torch.promote_types(outputs[0][0].dtype, torch.float32)
        return Proposals(bbox_xyxy_to_cxcywh(boxes).to(dtype) / sizes, scores.to(dtype))

    def _candidates(self, outputs: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
        """Of each level the ``nms_pre`` anchors whose class has the best score: boxes xyxy in px
        ``(N, M, 4)`` and scores ``(N, M)``, 0 where the class is not above ``score_thr``."""
        cfg = self.bbox_head.test_cfg
        anchors, counts = self._anchors_of(outputs[0])
        # scores of the class, deltas and, where the head has them, factors of the score
        logits, deltas, *factors = (
            torch.cat([_by_anchor(level, numbers) for level in part], 1)
            for part, numbers in zip(outputs, (1, 4, 1))
        )
        scores = logits.sigmoid()
        scores = scores.masked_fill(~(scores > cfg['score_thr']), 0)
        index = _best_of_each(scores, counts, cfg['nms_pre'])
        for factor in factors:
            scores = scores * factor.sigmoid()
        scores, deltas = (x.gather(1, index.expand(-1, -1, x.shape[2])) for x in (scores, deltas))
        return self._decode(anchors[index[..., 0]], deltas), scores[..., 0]

    def _anchors_of(self, levels: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
        """mmdet's anchors of all levels, xyxy in px ``(A, 4)``, kept from frame to frame, and the
        number of each level's.
        """
        generator, device = self.bbox_head.prior_generator, levels[0].device
        key = (device, *(level.shape[-2:] for level in levels))
        if self._anchors is None or self._anchors[0] != key or is_recorded(levels[0]):
            # moved once: no graph can record a copy from the host
            generator.base_anchors = [anchors.to(device) for anchors in generator.base_anchors]
            anchors = generator.grid_priors(key[1:], device=device)
            made = torch.cat(anchors), [len(level) for level in anchors]
            if is_recorded(levels[0]):
                return made
            self._anchors = key, made
        return self._anchors[1]

    def _decode(self, anchors_xyxy: Tensor, deltas: Tensor) -> Tensor:
        """As mmdet's ``DeltaXYWHBBoxCoder``, of several images and without a copy from the host."""
        deltas = deltas * self.delta_stds.float() + self.delta_means.float()
        shifts, ratios = deltas.split(2, -1)
        low, high = anchors_xyxy.split(2, -1)
        sides = high - low
        centres = (low + high) * 0.5 + sides * shifts
        halves = sides * ratios.clamp(-MOST_RATIO, MOST_RATIO).exp() * 0.5
        return torch.cat([centres - halves, centres + halves], -1)


def has_fixed_shapes(tensor: Tensor) -> bool:
    """Whether boxes are chosen in fixed steps: on a GPU, which nobody waits for then and a CUDA
    graph can record. On a CPU, mmcv's operator is five times as fast (docs/benchmarks.md)."""
    return tensor.is_cuda


def best_apart(
    boxes_xyxy: Tensor, scores: Tensor, places: int, iou_thr: float
) -> tuple[Tensor, Tensor]:
    """Greedy non-maximum suppression until ``P`` places are filled, in as many steps: each takes
    the best box that is left, of equal ones the first.

    Args:
        boxes_xyxy: ``(N, M, 4)``; those with a score have an area.
        scores: ``(N, M)``, 0 or more; 0: there is no box.
        places: ``P``.
        iou_thr: a box with a larger IoU with a better one is dropped; less than 1.

    Returns:
        ``(N, P, 4)`` and ``(N, P)``, best first; both 0 where no box is left.
    """
    low, high = boxes_xyxy.split(2, -1)
    area = (high - low).prod(-1, keepdim=True)
    # with -low, one minimum cuts both corners
    corners = torch.cat([high, -low, area], -1).mT.contiguous()
    areas = corners[:, 4]
    scores = scores.clone()
    steps = []
    for _ in range(places):
        score, index = scores.max(1, keepdim=True)
        box = corners.gather(2, index[:, None].expand(-1, 5, -1))
        common = corners.minimum(box)
        shared = (common[:, :2] + common[:, 2:4]).clamp_(min=0).prod(1)
        iou = shared / (areas + box[:, 4] - shared)
        scores.masked_fill_(iou > iou_thr, 0)
        steps.append((score, index))
    found, index = (torch.cat(parts, 1) for parts in zip(*steps))
    best = boxes_xyxy.gather(1, index[..., None].expand(-1, -1, 4))
    return best.masked_fill((found == 0)[..., None], 0), found


def best_apart_on_host(
    boxes_xyxy: Tensor, scores: Tensor, places: int, iou_thr: float
) -> tuple[Tensor, Tensor]:
    """As :func:`best_apart`, by mmcv's operator, whose shapes depend on the boxes."""
    found = scores.new_zeros(len(scores), places, 5)
    for image, image_boxes, image_scores in zip(found, boxes_xyxy, scores):
        index = image_scores.nonzero()[:, 0]
        best, _ = nms(image_boxes[index], image_scores[index], iou_thr, max_num=places)
        image[: len(best)] = best
    return found[..., :4], found[..., 4]


def _by_anchor(level: Tensor, numbers: int) -> Tensor:
    """``(N, anchors of a pixel * numbers, h, w)`` -> ``(N, anchors, numbers)`` float32."""
    return level.permute(0, 2, 3, 1).reshape(len(level), -1, numbers).float()


def _best_of_each(scores: Tensor, counts: list[int], most: int) -> Tensor:
    """Places of the ``most`` best scores of each level, ``(N, A, 1)`` -> ``(N, M, 1)``."""
    kept, start = [], 0
    for level in scores.split(counts, 1):
        index = (
            level.topk(most, 1).indices
            if 0 < most < level.shape[1]
            else torch.arange(level.shape[1], device=level.device)[None, :, None]
        )
        kept.append((index + start).expand(len(scores), -1, -1))
        start += level.shape[1]
    return torch.cat(kept, 1)


def _check(head: BaseDenseHead) -> None:
    """Whether the head decodes its outputs as :class:`DenseProposals` does.

    Raises:
        ValueError: it does not.
    """
    if head.num_classes != 1:
        raise ValueError(
            f'proposals.bbox_head.num_classes={head.num_classes} must be 1: a proposal says where '
            'an object may be, not what it is'
        )
    for name in ('predict_by_feat', '_predict_by_feat_single', '_bbox_post_process'):
        if getattr(type(head), name) is not getattr(BaseDenseHead, name):
            raise ValueError(
                f'proposals.bbox_head.type={type(head).__name__} has a {name} of its own: take a '
                "head that leaves it to mmdet's BaseDenseHead, such as ATSSHead"
            )
    coder, nms = head.bbox_coder, head.test_cfg['nms']
    if (
        type(head.prior_generator) is not AnchorGenerator
        or type(coder) is not DeltaXYWHBBoxCoder
        or not coder.clip_border
        or coder.add_ctr_clamp
        or not head.use_sigmoid_cls
    ):
        raise ValueError(
            'proposals.bbox_head needs sigmoid scores, an AnchorGenerator and a DeltaXYWHBBoxCoder '
            'that clips boxes at the border and nothing else'
        )
    if set(nms) != {'type', 'iou_threshold'} or nms['type'] != 'nms' or nms['iou_threshold'] >= 1:
        raise ValueError(
            f'proposals.bbox_head.test_cfg.nms={dict(nms)} must be dict(type="nms", '
            'iou_threshold=...) with a threshold below 1'
        )
