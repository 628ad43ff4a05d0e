"""How much one frame computes, by part of the model."""

import torch
from mmengine.analysis import FlopAnalyzer
from mmengine.analysis.jit_handles import bmm_flop_jit, elementwise_flop_counter
from torch import Tensor, nn

from lamotr_mm.models import LAMOTR
from lamotr_mm.tracking.table import enough_slots

from .benchmark import parts_of


def count_flops(model: LAMOTR, img_size: tuple[int, int], tracklets: int) -> dict[str, int]:
    """Multiply-adds of one frame, each counted as one operation, as mmdet's ``get_flops.py`` does.

    What a part computes counts as its own, also with layers of another one: SGLA's include those
    of the detection head that it shares with SOTD.

    Args:
        model: in eval mode.
        img_size: (height, width) in px of the network's input, a multiple of its padding.
        tracklets: number of live tracklets; every slot of the model's state costs as much as a live
            one, and there are at least ``tracklet_slots``.

    Returns:
        Operations by part (as in ``benchmark.parts_of``; the update has none to count) and
        ``total``.
    """
    slots = enough_slots(model.tracklet_slots, tracklets)
    image = torch.zeros(1, 3, *img_size, device=next(model.parameters()).device)
    counts = count_operations(_Frame(model, slots), (image,)).by_module()
    return {
        **{part: int(counts[f'model.{name}']) for part, name in parts_of(model).items()},
        'total': int(counts['']),
    }


def count_operations(module: nn.Module, inputs: tuple[Tensor, ...]) -> FlopAnalyzer:
    """mmengine's counter, with what our models need and it does not know.

    It traces the module, and a traced module leaves the fused kernels for PyTorch's own operators
    (`lamotr_mm.models.layers.deformable_attention`), so that deformable attention is counted
    whatever computes it otherwise: its four projections, and for each of (queries x heads x levels
    x points x channels of a head) 4 for the bilinear sample and 1 for its weight. Convolutions,
    linear layers, matrix products and normalisations are counted; activations, softmax, positional
    encodings and other elementwise operations are not.
    """
    counter = FlopAnalyzer(module, inputs)
    counter.set_op_handle(
        # of PyTorch's attention with a mask: the product that bmm is without one
        'aten::baddbmm', lambda inputs, outputs: bmm_flop_jit(inputs[1:3], outputs),
        'aten::grid_sampler', elementwise_flop_counter(0, 5),
    )  # fmt: skip
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    counter.tracer_warnings('none').ancestor_mode('caller')
    with torch.no_grad():
        counter.total()
    return counter


class _Frame(nn.Module):
    """A frame with ``slots`` tracklet slots, from the image to what the update takes."""

    def __init__(self, model: LAMOTR, slots: int) -> None:
        super().__init__()
        self.model = model
        self.slots = slots

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        height, width = images.shape[-2:]
        features = self.model.encode(images, [(height, width)])
        state = self.model.tracklet_update.no_tracklets(1, self.slots, features.memory)
        output = self.model.decode_frame(features, state)
        # what a traced module does not return is not in the trace, and not counted
        return (*output.detections, *output[1:5])
