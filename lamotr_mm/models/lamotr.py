"""LA-MOTR (Fig. 2). Read :meth:`LAMOTR.decode_frame` first: one frame, features to association."""

import numpy as np
import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import TrackDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.structures import InstanceData
from torch import Tensor

from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.lifecycle import FrameScores, FrameTracks, Lifecycle, overlapping_pairs
from lamotr_mm.tracking.state import TrackletState

from .clip_tracklets import ClipTracklets
from .layers.encoder import FeatureEncoder
from .structures import FrameFeatures, FrameOutput
from .targets import clip_targets
from .tracklet_update import SlotDecisions


@MODELS.register_module()
class LAMOTR(BaseMOTModel):
    """Tracking-by-Learnable-Association: detect objects and tracklets apart, then associate them.

    Each frame is a pure function of (features, state) with static shapes, :meth:`decode_frame`,
    followed by :class:`TrackletUpdate`. Between the two stands the decision which tracklets live:
    by ground truth in training (:class:`ClipTracklets`), by :class:`Lifecycle` at inference.

    Args:
        backbone, neck: any mmdet backbone and neck that yield ``encoder.num_levels`` levels of
            width ``d``.
        encoder: arguments of :class:`FeatureEncoder`.
        sotd_head, sgla, tracklet_update, criterion: configs of the parts (Sec. 3.1, 3.2, 3.4, 3.3).
        clip_tracklets: arguments of :class:`ClipTracklets`.
        lifecycle: arguments of :class:`Lifecycle`.
        tracklet_slots: slots that a video starts with; they double when they are full.
        out_score_thr: output tracks with a score above it (probability).
        out_min_area: output tracks with an area above it, px^2 of the original image.
        encode_ahead: most frames of a video that are encoded in one call, where the data loader
            gives several.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        encoder: dict,
        sotd_head: dict,
        sgla: dict,
        tracklet_update: dict,
        criterion: dict,
        clip_tracklets: dict | None = None,
        lifecycle: dict | None = None,
        tracklet_slots: int = 32,
        out_score_thr: float = 0.5,
        out_min_area: float = 100.0,
        encode_ahead: int = 8,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if tracklet_slots < 1:
            raise ValueError(f'tracklet_slots={tracklet_slots} must be at least 1')
        self.backbone = MMDET_MODELS.build(backbone)
        self.neck = MMDET_MODELS.build(neck)
        self.encoder = FeatureEncoder(**encoder)
        self.sotd_head = MODELS.build(sotd_head)
        self.sgla = MODELS.build(sgla)
        self.tracklet_update = MODELS.build(tracklet_update)
        self.criterion = MODELS.build(criterion)
        self.clip_tracklets = ClipTracklets(**(clip_tracklets or {}))
        self.lifecycle = Lifecycle(**(lifecycle or {}))
        self.tracklet_slots = tracklet_slots
        self.out_score_thr = out_score_thr
        self.out_min_area = out_min_area
        self.encode_ahead = encode_ahead
        self._state: TrackletState | None = None
        self._video_id = None
        # mmdet's MobileNetV2 freezes its stages only here; DDP must not see them as trainable
        self.backbone.train()

    # ------------------------------------------------------------------ one frame

    def encode(
        self,
        images: Tensor,
        img_shapes: list[tuple[int, int]],
    ) -> FrameFeatures:
        """``F_t`` of ``N`` images at once; knows nothing of tracks.

        Args:
            images: ``(N, 3, H, W)`` float, normalised, padded.
            img_shapes: (height, width) in px of each image before padding.
        """
        levels = self.neck(self.backbone(images))
        return self.encoder(levels, img_shapes, tuple(images.shape[-2:]))

    def decode_frame(self, features: FrameFeatures, tracklets: TrackletState) -> FrameOutput:
        """One frame: detect objects and tracklets (Sec. 3.1), then associate them (Sec. 3.2)."""
        detections = self.sotd_head(features, tracklets)
        return self.sgla(detections, tracklets.valid, self.sotd_head.predict)

    # ------------------------------------------------------------------ training

    def loss(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs
    ) -> dict[str, Tensor]:
        """Eq. 1 over a batch of clips, with gradients through the tracklet queries.

        Args:
            inputs: ``(B, T, 3, H, W)`` float, normalised, padded.
            data_samples: ``B`` clips of ``T`` frames with ``gt_instances``.

        Returns:
            Losses (``*loss*``) and counts for monitoring: ``asso_tp``, ``asso_fp``, ``asso_fn``
            (pairs at the gate) and ``tck_carried``, ``tck_total`` (tracklets that were carried on,
            that were present).

        Raises:
            ValueError: for ids that occur twice in a frame and boxes that are not finite.
            FloatingPointError: if predictions are not finite.
        """
        batch, frames = inputs.shape[:2]
        shapes = [frame.img_shape[:2] for sample in data_samples for frame in sample]
        features = self.encode(inputs.flatten(0, 1), shapes)
        targets = clip_targets(data_samples, inputs.device, self.clip_tracklets.spare_slots)
        slots = targets[0].present.shape[1]
        tracklets = TrackletState.empty(batch, slots, features.memory)
        losses, carried, entered = [], 0, 0
        for t in range(frames):
            output = self.decode_frame(features.frame(t, frames), tracklets)
            losses.append(self.criterion.frame(output, tracklets.valid, targets[t]))
            decisions = self.clip_tracklets.decide(
                output, tracklets.valid, targets[t], losses[-1].matched_object
            )
            present = tracklets.valid & targets[t].present
            carried += (decisions.present & present).sum()
            entered += present.sum()
            tracklets = self.tracklet_update(tracklets, output, decisions)
        return {
            **self.criterion.clip(losses),
            'tck_carried': carried.float(),
            'tck_total': entered.float(),
        }

    # ------------------------------------------------------------------ tracking

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs
    ) -> list[TrackDataSample]:
        """Track the frames of one video, in order; a new video starts at ``frame_id`` 0 or a new
        ``video_id``.

        Args:
            inputs: ``(1, T, 3, H, W)`` float, normalised, padded; usually ``T = 1``.
            data_samples: one sample of ``T`` frames.

        Returns:
            The sample; each frame has ``pred_track_instances`` (``bboxes`` xyxy px of the original
            image, ``scores``, ``labels``, ``instances_id``), ``pred_instances`` (every object
            query's detection, as an mmdet detector gives it) and the metainfo ``association``
            (scores ``S`` of the kept objects and live tracklets, boxes, ids, matches).

        Raises:
            ValueError: for more than one video in a batch.
        """
        if len(data_samples) != 1:
            raise ValueError(
                f'tracking needs batch_size=1 (one video at a time), got {len(data_samples)}: set '
                'val_dataloader.batch_size and test_dataloader.batch_size to 1'
            )
        frames = list(data_samples[0])
        for start in range(0, len(frames), self.encode_ahead):
            chunk = frames[start : start + self.encode_ahead]
            features = self.encode(
                inputs[0, start : start + len(chunk)], [frame.img_shape[:2] for frame in chunk]
            )
            for t, frame in enumerate(chunk):
                self._track_frame(features.frame(t, len(chunk)), frame)
        return data_samples

    def reset(self) -> None:
        """Forget the video that is being tracked."""
        self._state = None
        self._video_id = None
        self.lifecycle.reset(self.tracklet_slots)

    def _track_frame(self, features: FrameFeatures, frame) -> None:
        """Read this top to bottom: the story of one frame at inference."""
        video_id = frame.metainfo.get('video_id')
        if self._state is None or frame.metainfo.get('frame_id') == 0 or video_id != self._video_id:
            self.reset()
            self._state = TrackletState.empty(1, self.tracklet_slots, features.memory)
            self._video_id = video_id
        output = self.decode_frame(features, self._state)
        scores = self._to_host(output, frame.ori_shape)
        if self._reserve_slots(scores):  # rare; padded slots change no result, so decode again
            output = self.decode_frame(features, self._state)
            scores = self._to_host(output, frame.ori_shape)
        ids_before = self.lifecycle.ids.copy()
        tracks = self.lifecycle.step(scores)
        self._state = self.tracklet_update(
            self._state, output, _to_decisions(tracks, output.embeds.device)
        )
        self._report(frame, tracks, scores, ids_before)

    def _to_host(self, output: FrameOutput, ori_shape: tuple[int, int]) -> FrameScores:
        """Probabilities and boxes in px of the original image, as NumPy arrays."""
        height, width = ori_shape[:2]
        scores, labels = output.logits[-1][0].float().sigmoid().max(-1)
        boxes = bbox_cxcywh_to_xyxy(output.boxes_cxcywh[-1][0].float())
        boxes = boxes * boxes.new_tensor([width, height, width, height])
        split = output.num_objects
        host = [tensor.cpu().numpy() for tensor in (scores, labels, boxes)]
        return FrameScores(
            *(values[:split] for values in host),
            *(values[split:] for values in host),
            association=output.asso_logits[0].float().sigmoid().cpu().numpy(),
        )

    def _reserve_slots(self, scores: FrameScores) -> bool:
        """Double the slots until every possible birth finds one; returns whether it had to."""
        now = slots = len(self.lifecycle.ids)
        while slots < self.lifecycle.slots_needed(scores):
            slots *= 2
        if slots > now:
            self.lifecycle.grow(slots)
            self._state = self._state.grow(slots)
        return slots > now

    def _report(self, frame, tracks: FrameTracks, scores: FrameScores, ids: np.ndarray) -> None:
        boxes = tracks.boxes_xyxy
        sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=0)
        shown = (tracks.scores > self.out_score_thr) & (sides.prod(1) > self.out_min_area)
        frame.pred_track_instances = InstanceData(
            bboxes=torch.from_numpy(boxes[shown]),
            scores=torch.from_numpy(tracks.scores[shown]),
            labels=torch.from_numpy(tracks.labels[shown]),
            instances_id=torch.from_numpy(tracks.ids[shown]),
        )
        frame.pred_instances = InstanceData(
            bboxes=torch.from_numpy(scores.object_boxes_xyxy),
            scores=torch.from_numpy(scores.object_scores),
            labels=torch.from_numpy(scores.object_labels),
        )
        live = np.flatnonzero(ids >= 0)
        frame.set_metainfo(
            dict(
                association=dict(
                    scores=scores.association[np.ix_(tracks.objects, live)],
                    object_bboxes=scores.object_boxes_xyxy[tracks.objects],
                    object_scores=scores.object_scores[tracks.objects],
                    object_labels=scores.object_labels[tracks.objects],
                    tracklet_ids=ids[live],
                    tracklet_bboxes=scores.tracklet_boxes_xyxy[live],
                    matches=np.stack(
                        [
                            np.searchsorted(tracks.objects, tracks.matches[:, 0]),
                            np.searchsorted(live, tracks.matches[:, 1]),
                        ],
                        1,
                    ),
                    overlapping_live_pairs=overlapping_pairs(boxes, self.lifecycle.keep_iou),
                )
            )
        )


def _to_decisions(tracks: FrameTracks, device: torch.device) -> SlotDecisions:
    return SlotDecisions(
        *(
            torch.from_numpy(values)[None].to(device)
            for values in (tracks.object_index, tracks.present, tracks.born, tracks.valid)
        )
    )
