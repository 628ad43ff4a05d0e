"""LA-MOTR (Fig. 2). Read :meth:`LAMOTR.decode_frame` first: one frame, features to association."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from mmdet.models.mot import BaseMOTModel
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample, TrackDataSample
from torch import Tensor

from lamotr_mm.registry import MODELS
from lamotr_mm.tracking.lifecycle import FrameScores
from lamotr_mm.tracking.session import Session
from lamotr_mm.tracking.state import TrackletState
from lamotr_mm.tracking.table import enough_slots
from lamotr_mm.tracking.tracked_frame import TrackedFrame, unpack_scores

from .clip_tracklets import ClipTracklets
from .cuda_graphs import Graphed, check_cuda_graphs
from .host_frame import pack_scores, upload_decisions
from .layers.encoder import FeatureEncoder
from .precision import autocast
from .structures import FrameFeatures, FrameOutput
from .targets import clip_targets
from .tracked_frame import report_tracks

# width d of a decoder from which half precision pays on a CPU (docs/benchmarks.md)
WORTH_CASTING = 256


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
        proposals: config of a :class:`DenseProposals`, if object queries are to start from a
            detector's boxes; ``sotd_head.takes_proposals`` must be set as well.
        clip_tracklets: arguments of :class:`ClipTracklets`.
        lifecycle: config of a :class:`Lifecycle`, which is the default of its ``type``.
        tracklet_slots: slots that a video starts with; they double when they are full.
        out_score_thr: output tracks with a score above it (probability).
        out_min_area: output tracks with an area above it, px^2 of the original image.
        encode_ahead: most frames of a video that are encoded in one call, where the data loader
            gives several.
        cuda_graphs: replay encoding and decoding of a frame as CUDA graphs (:mod:`.cuda_graphs`);
            for inference on a GPU.
        precision: of inference, 'fp32', 'bf16' or 'fp16' (:mod:`.precision`). Training has its own
            switch, ``--amp``.
        data_preprocessor: config of mmdet's ``TrackDataPreprocessor``: mean, deviation, padding.
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
        proposals: dict | None = None,
        clip_tracklets: dict | None = None,
        lifecycle: dict | None = None,
        tracklet_slots: int = 32,
        out_score_thr: float = 0.5,
        out_min_area: float = 100.0,
        encode_ahead: int = 8,
        cuda_graphs: bool = False,
        precision: str = 'fp32',
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
        self.proposals = MODELS.build(proposals) if proposals else None
        if bool(proposals) != self.sotd_head.takes_proposals:
            raise ValueError(
                f'sotd_head.takes_proposals={self.sotd_head.takes_proposals}, but model.proposals '
                f'is {"set" if proposals else "not set"}: set both or neither'
            )
        if self.proposals is not None and self.proposals.places > self.sotd_head.num_queries:
            raise ValueError(
                f'proposals.bbox_head.test_cfg.max_per_img={self.proposals.places} must be at most '
                f'sotd_head.num_queries={self.sotd_head.num_queries}'
            )
        self.clip_tracklets = ClipTracklets(**(clip_tracklets or {}))
        self.lifecycle = MODELS.build({'type': 'lamotr_mm.Lifecycle', **(lifecycle or {})})
        self.tracklet_slots = tracklet_slots
        self.out_score_thr = out_score_thr
        self.out_min_area = out_min_area
        self.encode_ahead = encode_ahead
        self.cuda_graphs = cuda_graphs
        self.precision = precision
        self._graphs: dict[str, Graphed] = {}
        # of mmdet's test loop, see `predict`; everything else of the model is stateless
        self._session: Session | None = None
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
        with self._autocast(images):
            levels = self.backbone(images)
            features = self.encoder(self.neck(levels), img_shapes, tuple(images.shape[-2:]))
            if self.proposals is None:
                return features
            return features._replace(proposals=self.proposals(levels, img_shapes))

    def decode_frame(self, features: FrameFeatures, tracklets: TrackletState) -> FrameOutput:
        """One frame: detect objects and tracklets (Sec. 3.1), then associate them (Sec. 3.2)."""
        with self._autocast_frame(features.memory):
            prior = self.sotd_head.prior(features, tracklets)
            detections = self.sotd_head(features, tracklets, prior)
            predict = partial(self.sotd_head.predict, prior=prior)
            return self.sgla(detections, tracklets.valid, predict)

    def _autocast_frame(self, like: Tensor) -> AbstractContextManager:
        """As :meth:`_autocast`; on a CPU, a decoder that is narrow stays in float32: casting takes
        longer there than the products save."""
        if like.device.type == 'cpu' and like.shape[-1] < WORTH_CASTING:
            return torch.autocast('cpu', enabled=False)
        return self._autocast(like)

    def _autocast(self, like: Tensor) -> AbstractContextManager:
        return nullcontext() if self.training else autocast(self.precision, like.device)

    # ------------------------------------------------------------------ training

    def loss(
        self, inputs: Tensor, data_samples: list[TrackDataSample], **kwargs: Any
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
        # what the decoder reads of all frames in one product, in the precision of the encoder
        features = features._replace(values=self.sotd_head.decoder.values(features))
        targets = clip_targets(data_samples, inputs.device, self.clip_tracklets.spare_slots)
        slots = targets[0].present.shape[1]
        tracklets = self.tracklet_update.no_tracklets(batch, slots, features.memory)
        losses, carried, entered = [], [], []
        for t, frame in enumerate(features.by_frame(frames)):
            output = self.decode_frame(frame, tracklets)
            losses.append(self.criterion.frame(output, tracklets.valid, targets[t]))
            decisions = self.clip_tracklets.decide(
                output, tracklets.valid, targets[t], losses[-1].matched_object
            )
            present = tracklets.valid & targets[t].present
            carried.append((decisions.present & present).sum())
            entered.append(present.sum())
            tracklets = self.tracklet_update(tracklets, output, decisions)
        clip_losses = self.criterion.clip(losses)
        if frames == 1:  # no frame reads the update, yet DDP wants its parameters in the graph
            clip_losses['loss_asso'] = clip_losses['loss_asso'] + 0 * tracklets.query.sum()
        return {
            **clip_losses,
            'tck_carried': torch.stack(carried).sum().float(),
            'tck_total': torch.stack(entered).sum().float(),
        }

    # ------------------------------------------------------------------ tracking

    def new_session(self) -> Session:
        """What a new video starts with."""
        return Session.start(self.tracklet_slots)

    @torch.no_grad()
    def encode_frames(self, images: Tensor, img_shapes: list[tuple[int, int]]) -> FrameFeatures:
        """:meth:`encode` for tracking: without gradients, and a replayed graph if ``cuda_graphs``,
        whose result the next call overwrites.
        """
        return self._graphed('encode')(images, img_shapes)

    @torch.no_grad()
    def track_frame(
        self, session: Session, features: FrameFeatures, ori_shape: tuple[int, int]
    ) -> TrackedFrame:
        """Read this top to bottom: the story of one frame at inference.

        Args:
            session: the video's, of :meth:`new_session`; changed in place.
            features: ``F_t`` of this frame, ``N = 1``, of :meth:`encode_frames`.
            ori_shape: (height, width) in px of the original image.

        Raises:
            FloatingPointError: if the network's scores or boxes are not finite.
        """
        if session.tracklets is None:
            slots = session.table.slots
            session.tracklets = self.tracklet_update.no_tracklets(1, slots, features.memory)
        output, scores = self._see_frame(features, session.tracklets, ori_shape)
        if self._reserve_slots(session, scores):  # rare; padded slots change no result
            output, scores = self._see_frame(features, session.tracklets, ori_shape)
        entered = session.table.ids.copy()
        tracks = self.lifecycle.step(session.table, scores)
        decisions = upload_decisions(tracks, output.embeds.device)
        session.tracklets = self.tracklet_update(session.tracklets, output, decisions)
        return TrackedFrame(entered, scores, tracks)

    def _see_frame(
        self, features: FrameFeatures, tracklets: TrackletState, ori_shape: tuple[int, int]
    ) -> tuple[FrameOutput, FrameScores]:
        """The network's output, and what the host reads of it: the one wait of a frame."""
        # a graph calls no hooks, such as those of `AssociationTrace`
        watched = self.sgla._forward_hooks
        decode = self._decode_and_pack if watched else self._graphed('_decode_and_pack')
        output, packed = decode(features, tracklets)
        return output, unpack_scores(_to_host(packed), output.num_objects, ori_shape)

    def _decode_and_pack(
        self, features: FrameFeatures, tracklets: TrackletState
    ) -> tuple[FrameOutput, Tensor]:
        """All of a frame that is a pure function of static shapes."""
        output = self.decode_frame(features, tracklets)
        return output, pack_scores(output)

    def _graphed(self, name: str) -> Callable:
        """The method, or its recording if ``cuda_graphs``."""
        method = getattr(self, name)
        if not self.cuda_graphs:
            return method
        key = f'{name} in {self.precision}'
        if key not in self._graphs:
            check_cuda_graphs(next(self.parameters()).device)
            self._graphs[key] = Graphed(method)
        return self._graphs[key]

    def _apply(self, *args: Any, **kwargs: Any) -> 'LAMOTR':
        self._graphs.clear()  # they hold addresses of weights, which move
        return super()._apply(*args, **kwargs)

    def _reserve_slots(self, session: Session, scores: FrameScores) -> bool:
        """Double the slots until every possible birth finds one; returns whether it had to."""
        now = session.table.slots
        slots = enough_slots(now, self.lifecycle.slots_needed(session.table, scores))
        if slots > now:
            session.grow(slots)
        return slots > now

    def report(self, frame: DetDataSample, tracked: TrackedFrame) -> None:
        """Fill a frame's sample, as :func:`report_tracks` says, by the thresholds of this model."""
        report_tracks(
            frame, tracked, self.out_score_thr, self.out_min_area, self.lifecycle.keep_iou
        )

    @torch.no_grad()
    def predict(
        self,
        inputs: Tensor,
        data_samples: list[TrackDataSample],
        session: Session | None = None,
        **kwargs: Any,
    ) -> list[TrackDataSample]:
        """Track the frames of one video, in order.

        Args:
            inputs: ``(1, T, 3, H, W)`` float, normalised, padded; usually ``T = 1``.
            data_samples: one sample of ``T`` frames.
            session: the video's. None: one that the model keeps, for mmdet's test loop; it is
                renewed at ``frame_id`` 0 or another ``video_id``.

        Returns:
            The sample; each frame is filled as :func:`report_tracks` says.

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
            features = self.encode_frames(
                inputs[0, start : start + len(chunk)], [frame.img_shape[:2] for frame in chunk]
            )
            for frame, frame_features in zip(chunk, features.by_frame(len(chunk))):
                tracked = self.track_frame(
                    session or self._session_of(frame), frame_features, frame.ori_shape
                )
                self.report(frame, tracked)
        return data_samples

    def _session_of(self, frame: DetDataSample) -> Session:
        """That of the frame's video, a new one if the video is new."""
        video_id = frame.metainfo.get('video_id')
        if (
            self._session is None
            or frame.metainfo.get('frame_id') == 0
            or video_id != self._video_id
        ):
            self._session, self._video_id = self.new_session(), video_id
        return self._session

    def reset(self) -> None:
        """Forget the session that :meth:`predict` keeps."""
        self._session = self._video_id = None


def _to_host(tensor: Tensor) -> np.ndarray:
    """A copy on the host, which waits for a GPU."""
    return tensor.to('cpu', copy=True).numpy()
