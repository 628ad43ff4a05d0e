"""A model for tracking alone: the same results up to rounding, sooner."""

import torch
from mmcv.cnn import fuse_conv_bn

from .lamotr import LAMOTR


def fold(model: LAMOTR) -> LAMOTR:
    """Fold the backbone's batch norms into its convolutions; on the CPU, let all convolutions
    store channels last.

    docs/benchmarks.md says what each brings. Changes the model in place: it cannot be trained after
    it, and its weights are not those of a checkpoint of its config any more.

    Args:
        model: in eval mode, with its weights loaded.

    Raises:
        ValueError: if the model is in training mode, in which batch norms may not be constant.
    """
    if model.training:
        raise ValueError('fold() is for tracking: call model.eval() first')
    model.backbone = fuse_conv_bn(model.backbone)
    if next(model.parameters()).device.type == 'cpu':
        for part in (model.backbone, model.neck, model.encoder, model.proposals):
            if part is not None:
                part.to(memory_format=torch.channels_last)
    return model
