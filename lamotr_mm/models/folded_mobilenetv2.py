"""MobileNetV2 as the Open Model Zoo's detectors have it (docs/weights.md)."""

import torch
from mmdet.models import MobileNetV2
from mmdet.models.layers import InvertedResidual
from mmengine.model import Sequential
from torch import Tensor

from lamotr_mm.registry import MODELS


@MODELS.register_module()
class FoldedMobileNetV2(MobileNetV2):
    """MobileNetV2 1.0 of a deployed detector: its batch norms are folded into the convolutions.

    Three differences from mmdet's: convolutions have a bias and no norm, the first block has an
    expansion (32 -> 32), and the last 1x1 convolution (1280 channels) is absent.
    ``tools/model_converters/openvino_detector.py`` writes its weights.

    The detector pads raw images with black. Its scaling is part of ``conv1``'s weights, so that a
    data preprocessor may normalise as usual; ``black`` is what that preprocessor makes of a black
    pixel. It is subtracted first, which makes the convolution's zero padding black again: borders
    are exact too.

    Args:
        out_indices: stages that are returned, 0 to 6; strides of 2, 4 and 6 are 8, 16 and 32, their
            channels 32, 96 and 320.
        frozen_stages: ``conv1`` and stages 1 to this number get no gradients (7: all); -1: none.
        with_cp: gradient checkpointing of the blocks.
    """

    def __init__(
        self,
        out_indices: tuple[int, ...] = (2, 4, 6),
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if not set(out_indices) <= set(range(7)):
            raise ValueError(
                f'out_indices={tuple(out_indices)} of FoldedMobileNetV2 must lie in 0..6'
            )
        super().__init__(
            out_indices=out_indices,
            frozen_stages=frozen_stages,
            norm_cfg=None,
            with_cp=with_cp,
            init_cfg=init_cfg,
        )
        self.layer1 = Sequential(
            InvertedResidual(
                in_channels=32,
                out_channels=16,
                mid_channels=32,
                stride=1,
                norm_cfg=None,
                act_cfg=self.act_cfg,
                with_cp=with_cp,
            )
        )
        del self.conv2
        self.layers.remove('conv2')
        self.register_buffer('black', torch.zeros(3))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features of the stages in ``out_indices``.

        Args:
            x: ``(N, 3, H, W)`` float, RGB, normalised by the data preprocessor.
        """
        return super().forward(x - self.black[:, None, None])
