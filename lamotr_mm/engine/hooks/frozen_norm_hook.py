"""Frozen batch norms as a part of the convolutions before them, while training."""

import torch
from mmcv.cnn import ConvModule
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from lamotr_mm.registry import HOOKS


@HOOKS.register_module()
class FrozenNormHook(Hook):
    """Makes the backbone's frozen batch norms cost nothing in training.

    A batch norm in eval mode is a linear map of each channel, so it can be multiplied into the
    weights of the convolution before it, anew in each call: the same features and gradients up to
    rounding, without two passes over every feature map. That is mmcv's ``efficient_conv_bn_eval``
    (arXiv 2305.11624) of each ``ConvModule``, which MobileNetV2 is made of; mmdet's ResNet is not.
    Parameters, buffers and checkpoints stay as they are, norms in training mode too.

    On a CPU the backbone also stores channels last, in which its convolutions are faster.
    """

    def before_train(self, runner: Runner) -> None:
        """Change the backbone in place."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        backbone = getattr(model, 'backbone', None)
        if backbone is not None:
            merge_frozen_norms(backbone)


def merge_frozen_norms(backbone: nn.Module) -> None:
    """What :class:`FrozenNormHook` does, in place."""
    for module in backbone.modules():
        if isinstance(module, ConvModule):
            module.turn_on_efficient_conv_bn_eval()
    if next(backbone.parameters()).device.type == 'cpu':
        # torch's stubs of nn.Module do not know the argument
        backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
