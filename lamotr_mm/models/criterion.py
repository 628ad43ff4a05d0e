"""Decoupled Tracking-Detection Loss (Sec. 3.3, Fig. 4, Eq. 1)."""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from mmengine.dist import all_reduce
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from lamotr_mm.registry import MODELS

from .structures import FrameOutput
from .targets import FrameTargets

ASSIGNER = dict(
    type='mmdet.HungarianAssigner',
    match_costs=[
        dict(type='mmdet.FocalLossCost', weight=2.0),
        dict(type='mmdet.BBoxL1Cost', weight=5.0, box_format='xywh'),
        dict(type='mmdet.IoUCost', iou_mode='giou', weight=2.0),
    ],
)


class FrameLosses(NamedTuple):
    """Sums of one frame, before normalisation, and what the next frame needs.

    Attributes:
        heads: ``(H, 2, 3)``, sums over the batch of each head: of the objects and of the tracklets,
            focal, L1 and GIoU.
        asso: scalar, sum of the association loss over the batch.
        prefixes: of the loss names of each head.
        num_targets: scalar, targets in the frame over the batch.
        num_pairs: scalar, terms of the association loss over the batch: valid object-tracklet
            pairs.
        matched_object: ``(B, K)`` int64, the object of each slot's target by the final matching;
            -1: none.
        counts: association at the gate: ``asso_tp``, ``asso_fp``, ``asso_fn``.
    """

    heads: Tensor
    asso: Tensor
    prefixes: list[str]
    num_targets: Tensor
    num_pairs: Tensor
    matched_object: Tensor
    counts: dict[str, Tensor]

    @property
    def sums(self) -> dict[str, Tensor]:
        """Loss name -> scalar sum over the batch."""
        return _named(self.heads, self.asso, self.prefixes)


@MODELS.register_module()
class DecoupledTrackingLoss(nn.Module):
    """``sum_t (λ_det L_det + λ_tck L_tck) + sum_{t>=2} λ_asso L_asso`` (Eq. 1) over a clip.

    Step 1, detection: object queries are matched with *all* targets by the Hungarian algorithm,
    anew in each decoder layer; the SGLA layers share the matching of the final output. Step 2,
    tracklets: matched by id; a tracklet whose target is absent is background. Step 3, association:
    the pair of a target's object and its tracklet is 1, every other pair 0.

    ``L_det`` and ``L_tck`` are focal + L1 + GIoU sums over the clip, divided by the number of
    targets in the clip (averaged over ranks, at least 1), at each decoder and SGLA layer.
    ``L_asso`` is the binary cross-entropy on the final ``S``, a plain mean over the valid pairs of
    a frame (over all clips and ranks). Tracklets exist from the second frame on, so the sum over
    ``t >= 2`` needs no special case.

    Nobody knows what is in an ignored region (a crowd that is boxed as one, a distractor), so what
    is found there is not taught to be background: the classification losses leave out a query that
    has no target and lies in an ignored region, and the association loss a pair of two such
    queries. A query lies there if the region covers more than ``ignore_iof_thr`` of the query's own
    box: a region of many people is larger than any of them, so their IoU with it is low; COCO
    judges detections in crowds by this share, mmdet's ``MaxIoUAssigner`` anchors
    (``ignore_iof_thr``), KITTI tracks, above 0.5. What is left out stays in the denominators.

    Args:
        loss_cls, loss_reg, loss_box: mmdet losses, with the weights λ_cls, λ_reg, λ_box.
        det_weight, tck_weight, asso_weight: λ_det, λ_tck, λ_asso.
        early_asso_weight: of the association loss of what the score reads of ``M(0) .. M(L - 1)``,
            their mean, as a share of λ_asso (0: none, as in the paper). With it the spatial cue has
            to say for itself who belongs to whom; else the attention does, which knows the people
            of the training scenes.
        assigner: Hungarian assigner of step 1, mmdet's: its ``match_costs`` are used.
        gate: score of ``S`` from which a pair counts as associated in the monitored counts.
        ignore_iof_thr: share of a query's box, above which an ignored region covers it.
    """

    def __init__(
        self,
        loss_cls: dict | None = None,
        loss_reg: dict | None = None,
        loss_box: dict | None = None,
        det_weight: float = 1.0,
        tck_weight: float = 1.0,
        asso_weight: float = 10.0,
        early_asso_weight: float = 0.0,
        assigner: dict | None = None,
        gate: float = 0.5,
        ignore_iof_thr: float = 0.5,
    ) -> None:
        super().__init__()
        self.loss_cls = MMDET_MODELS.build(
            loss_cls or dict(type='mmdet.FocalLoss', use_sigmoid=True, loss_weight=2.0)
        )
        self.loss_reg = MMDET_MODELS.build(loss_reg or dict(type='mmdet.L1Loss', loss_weight=5.0))
        self.loss_box = MMDET_MODELS.build(loss_box or dict(type='mmdet.GIoULoss', loss_weight=2.0))
        self.weights = dict(det=det_weight, tck=tck_weight, asso=asso_weight)
        self.early_asso_weight = early_asso_weight
        self.assigner = TASK_UTILS.build(assigner or ASSIGNER)
        self.gate = gate
        self.ignore_iof_thr = ignore_iof_thr

    def frame(self, output: FrameOutput, valid: Tensor, targets: FrameTargets) -> FrameLosses:
        """Losses of one frame.

        Args:
            output: network output of ``B`` clips at this frame.
            valid: ``(B, K)`` bool, tracklet slots that entered the frame.
            targets: in the same slots.
        """
        output = _to_float32(output)
        split, decoder = output.num_objects, output.detections
        # H heads: the decoder layers, then the SGLA layers, of which the last is the final output
        logits = torch.cat([decoder.logits, output.logits])
        boxes = torch.cat([decoder.boxes_cxcywh, output.boxes_cxcywh])
        matched = [*range(len(decoder.logits)), -1]
        assignment = self._match(
            logits[matched, :, :split],
            boxes[matched, :, :split],
            self._object_targets(targets, valid),
        )
        final = assignment[-1]
        slots = torch.arange(valid.shape[1], device=valid.device).expand_as(valid)
        tracklet_target = torch.where(targets.present & valid, slots, -1)
        assignment = torch.cat(
            [
                torch.cat([assignment[:-1], final.expand(len(output.logits), -1, -1)]),
                tracklet_target.expand(len(logits), -1, -1),
            ],
            -1,
        )
        unknown = self._in_ignored_region(boxes, targets) & (assignment < 0)
        counted = torch.cat([torch.ones_like(final, dtype=torch.bool), valid], 1) & ~unknown

        unknown_pairs = unknown[-1, :, :split, None] & unknown[-1, :, None, split:]
        pairs, truth = _pair_targets(final, valid, targets.present)
        counted_pairs = pairs & ~unknown_pairs
        asso, num_pairs = self._association(output.asso_logits, pairs, counted_pairs, truth)
        if self.early_asso_weight:
            if output.early_asso_logits is None:
                raise ValueError(
                    f'criterion.early_asso_weight={self.early_asso_weight} needs SGLA, whose M '
                    'is read early: set it to 0'
                )
            early, _ = self._association(output.early_asso_logits, pairs, counted_pairs, truth)
            asso = asso + self.early_asso_weight * early / len(output.early_asso_logits)
        return FrameLosses(
            heads=self._set_losses(logits, boxes, assignment, counted, targets, split),
            asso=self.weights['asso'] * asso,
            prefixes=[
                *(f'd{i}.' for i in range(len(decoder.logits))),
                *(f's{i}.' for i in range(len(output.logits) - 1)),
                '',
            ],
            num_targets=targets.present.sum(),
            num_pairs=num_pairs,
            matched_object=_invert(final, valid.shape[1]),
            counts=self._counts(output.asso_logits.sigmoid(), counted_pairs, truth),
        )

    def clip(self, frames: list[FrameLosses]) -> dict[str, Tensor]:
        """Normalised losses of a batch of clips (Eq. 1), and the association counts over it."""
        totals = torch.stack(
            [torch.stack([f.num_targets for f in frames]).sum(), *(f.num_pairs for f in frames)]
        ).float()
        all_reduce(totals, op='mean')
        num_targets, *num_pairs = totals.clamp(min=1)
        losses = _named(
            torch.stack([f.heads for f in frames]).sum(0) / num_targets,
            torch.stack([f.asso / n for f, n in zip(frames, num_pairs)]).sum(),
            frames[0].prefixes,
        )
        for name in frames[0].counts:
            losses[name] = torch.stack([f.counts[name] for f in frames]).sum().float()
        return losses

    def _object_targets(self, targets: FrameTargets, valid: Tensor) -> FrameTargets:
        """Those that objects are matched with: all, whether they have a tracklet or not."""
        return targets

    def _association(
        self, asso_logits: Tensor, pairs: Tensor, counted: Tensor, truth: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Step 3. Sum of the association loss over a frame, and the number of its terms.

        Args:
            asso_logits: ``(..., B, Nd, K)`` float32, of ``S``.
            pairs, counted, truth: ``(B, Nd, K)`` bool, valid pairs, those of them that are not
                left out, and ``g^score``.
        """
        truth = truth.float().expand_as(asso_logits)
        bce = F.binary_cross_entropy_with_logits(asso_logits, truth, reduction='none')
        return (bce * counted).sum(), pairs.sum()

    @torch.no_grad()
    def _match(self, logits: Tensor, boxes_cxcywh: Tensor, targets: FrameTargets) -> Tensor:
        """Step 1 for ``M`` heads, ``(M, B, Nd, ...)`` -> ``(M, B, Nd)`` int64, slot of each
        object's target; -1: background.

        One cost matrix a clip holds all heads: that the assigner would build one for each head, in
        dozens of small operations, took longer than the assignment.
        """
        if not (torch.isfinite(boxes_cxcywh).all() & torch.isfinite(logits).all()):
            raise FloatingPointError(
                'the network predicts boxes or scores that are not finite (NaN or inf), so '
                'they cannot be matched with targets: lower the learning rate, check '
                'clip_grad, or train without --amp'
            )
        heads, _, objects, _ = logits.shape
        assignment = np.full(logits.shape[:3], -1)
        for clip, (height, width) in enumerate(targets.img_shapes):
            slots = targets.present[clip].nonzero()[:, 0]
            if not len(slots):
                continue
            scale = boxes_cxcywh.new_tensor([width, height, width, height])
            predicted = InstanceData(
                scores=logits[:, clip].flatten(0, 1),
                bboxes=bbox_cxcywh_to_xyxy(boxes_cxcywh[:, clip].flatten(0, 1)) * scale,
            )
            truth = InstanceData(
                labels=targets.labels[clip, slots],
                bboxes=bbox_cxcywh_to_xyxy(targets.boxes_cxcywh[clip, slots]) * scale,
            )
            costs = [
                cost(predicted, truth, dict(img_shape=(height, width)))
                for cost in self.assigner.match_costs
            ]
            total = torch.stack(costs).sum(0).view(heads, objects, len(slots)).cpu().numpy()
            names = slots.cpu().numpy()
            for row, cost in zip(assignment[:, clip], total):
                found, index = linear_sum_assignment(cost)
                row[found] = names[index]
        return torch.from_numpy(assignment).to(logits.device)

    @torch.no_grad()
    def _in_ignored_region(self, boxes_cxcywh: Tensor, targets: FrameTargets) -> Tensor:
        """``(H, B, N)`` bool: an ignored region covers the box ``(H, B, N, 4)`` of the query."""
        regions = targets.ignored_cxcywh
        if not regions.shape[1]:
            return torch.zeros_like(boxes_cxcywh[..., 0], dtype=torch.bool)
        covered = bbox_overlaps(
            bbox_cxcywh_to_xyxy(boxes_cxcywh),
            bbox_cxcywh_to_xyxy(regions).expand(len(boxes_cxcywh), -1, -1, -1),
            mode='iof',  # of the query's own area, which is the same in px and in shares
        )
        return (covered > self.ignore_iof_thr).any(-1)

    def _set_losses(
        self,
        logits: Tensor,
        boxes_cxcywh: Tensor,
        assignment: Tensor,
        counted: Tensor,
        targets: FrameTargets,
        split: int,
    ) -> Tensor:
        """Focal, L1 and GIoU sums ``(H, 2, 3)`` of the first ``split`` of ``N`` queries and of the
        others.

        Args:
            logits, boxes_cxcywh: of ``H`` heads, ``(H, B, N, ...)``.
            assignment: ``(H, B, N)``, slot of each query's target; -1: none.
            counted: ``(H, B, N)`` bool, queries of the focal loss.
        """
        heads, batch, queries, classes = logits.shape
        found = assignment >= 0
        clips = torch.arange(batch, device=logits.device)[:, None]
        labels = torch.where(found, targets.labels[clips, assignment.clamp(min=0)], classes)
        cls = self.loss_cls(
            logits.flatten(0, 2),
            labels.flatten(),
            weight=counted.flatten().to(logits.dtype),
            reduction_override='none',
        ).view(heads, batch, queries, -1)
        cls = torch.stack([part.sum((1, 2, 3)) for part in cls.tensor_split([split], 2)], 1)

        head, clip, query = found.nonzero(as_tuple=True)
        predicted = boxes_cxcywh[head, clip, query]
        truth = targets.boxes_cxcywh[clip, assignment[head, clip, query]]
        # keeps the box branch in the graph where nothing is matched
        sums = (boxes_cxcywh.sum() * 0).expand(2 * heads, 2)
        if len(head):
            reg = self.loss_reg(predicted, truth, reduction_override='none').sum(1)
            box = self.loss_box(
                bbox_cxcywh_to_xyxy(predicted),
                bbox_cxcywh_to_xyxy(truth),
                reduction_override='none',
            )
            sums = sums.index_add(0, 2 * head + (query >= split), torch.stack([reg, box], 1))
        losses = torch.cat([cls[..., None], sums.view(heads, 2, 2)], -1)
        weights = [[self.weights['det']], [self.weights['tck']]]
        return losses * losses.new_tensor(weights)

    def _counts(self, scores: Tensor, counted: Tensor, truth: Tensor) -> dict[str, Tensor]:
        associated = (scores >= self.gate) & counted
        return {
            'asso_tp': (associated & truth).sum(),
            'asso_fp': (associated & ~truth).sum(),
            'asso_fn': (~associated & truth).sum(),
        }


def _named(heads: Tensor, asso: Tensor, prefixes: list[str]) -> dict[str, Tensor]:
    """Loss name -> scalar, of :attr:`FrameLosses.heads` and :attr:`FrameLosses.asso`."""
    names = [
        f'{prefix}loss_{group}_{part}'
        for prefix in prefixes
        for group in ('det', 'tck')
        for part in ('cls', 'reg', 'box')
    ]
    return {**dict(zip(names, heads.flatten().unbind(), strict=True)), 'loss_asso': asso}


def _to_float32(value: Any) -> Any:
    """Half-precision outputs as float32: matching and losses are a float32 island under AMP."""
    if isinstance(value, Tensor):
        return value.float()
    return type(value)(*map(_to_float32, value)) if hasattr(value, '_fields') else value


def _invert(assignment: Tensor, num_slots: int) -> Tensor:
    """``(B, Nd)`` object -> slot to ``(B, K)`` slot -> object; -1 where none."""
    equal = assignment[:, :, None] == torch.arange(num_slots, device=assignment.device)
    return torch.where(equal.any(1), equal.to(torch.uint8).argmax(1), -1)


def _pair_targets(final: Tensor, valid: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Step 3. Valid pairs and ``g^score``, both ``(B, Nd, K)`` bool."""
    slots = torch.arange(valid.shape[1], device=valid.device)
    truth = (final[:, :, None] == slots) & (valid & present)[:, None]
    return valid[:, None].expand_as(truth), truth
