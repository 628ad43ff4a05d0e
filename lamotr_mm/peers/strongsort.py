"""The part of mmdet's StrongSORT that needs neither a ReID network nor the rest of the video."""

from types import SimpleNamespace
from typing import Any

from mmdet.models.mot import DeepSORT, StrongSORT
from mmdet.models.trackers import StrongSORTTracker
from mmengine.model import BaseModule
from torch import Tensor

from ..registry import MODELS


@MODELS.register_module()
class OnlineStrongSORT(StrongSORT):
    """mmdet's StrongSORT, whose tracks are reported frame by frame.

    mmdet's own reports after AFLink and interpolation, which see the whole video, and in a form
    that metrics of frames do not read. Arguments are those of :class:`mmdet.models.StrongSORT`.
    """

    predict = DeepSORT.predict


@MODELS.register_module()
class MotionStrongSORTTracker(StrongSORTTracker):
    """mmdet's StrongSORT tracker for :class:`NoAppearance`: only motion tells tracks apart.

    What is left are the noise-scaled Kalman filter, the Mahalanobis distance to its prediction,
    gated, also for tracks that were lost, and the IoU of the last boxes for what remains. Arguments
    are those of :class:`mmdet.models.StrongSORTTracker`.
    """

    def crop_imgs(
        self, img: Tensor, meta_info: dict, bboxes: Tensor, rescale: bool = False
    ) -> Tensor:
        """``(N, 1)`` ones: what is in a box is not looked at."""
        return bboxes.new_ones(len(bboxes), 1)


@MODELS.register_module()
class NoAppearance(BaseModule):
    """In the place of a ReID network: all boxes look the same."""

    head = SimpleNamespace(out_channels=1)  # mmdet's trackers ask for it

    def forward(self, crops: Tensor, **kwargs: Any) -> Tensor:
        """Embeddings ``(N, 1)`` of crops, which they are already."""
        return crops
