"""Boxes of a dense detector, where the decoder's object queries may start from."""

from typing import NamedTuple

import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh
from mmengine.model import BaseModule
from torch import Tensor

from lamotr_mm.registry import MODELS


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

    Args:
        neck: of mmdet, on the backbone's levels.
        bbox_head: a dense head of mmdet of one class; its ``test_cfg`` has the thresholds and, as
            ``max_per_img``, the number of places ``P``.
    """

    def __init__(self, neck: dict, bbox_head: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.neck = MMDET_MODELS.build(neck)
        self.bbox_head = MMDET_MODELS.build(bbox_head)
        self.places = self.bbox_head.test_cfg['max_per_img']
        if self.bbox_head.num_classes != 1:
            raise ValueError(
                f'proposals.bbox_head.num_classes={self.bbox_head.num_classes} must be 1: a '
                'proposal says where an object may be, not what it is'
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
        # mmcv's NMS on the CPU knows float32 only
        outputs = [[level.float() for level in part] for part in outputs]
        metas = [dict(img_shape=shape) for shape in img_shapes]
        results = self.bbox_head.predict_by_feat(*outputs, batch_img_metas=metas, rescale=False)
        dtype = torch.promote_types(levels[0].dtype, torch.float32)
        boxes = levels[0].new_zeros(len(results), self.places, 4, dtype=dtype)
        scores = boxes.new_zeros(boxes.shape[:2])
        for image, (result, (height, width)) in enumerate(zip(results, img_shapes)):
            size = boxes.new_tensor([width, height, width, height])
            boxes[image, : len(result)] = bbox_xyxy_to_cxcywh(result.bboxes).to(dtype) / size
            scores[image, : len(result)] = result.scores.to(dtype)
        return Proposals(boxes, scores)
