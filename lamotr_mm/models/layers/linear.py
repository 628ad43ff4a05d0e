"""Linear layers on many tokens, in half precision on a CPU without the detour of the bias."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# tokens from which a convolution is sooner done, its weights are laid out anew in each call
MANY_TOKENS = 1024


def is_captured() -> bool:
    """Whether the call is traced, compiled or exported: then only PyTorch's own ops may run."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``inputs weight^T + bias``: ``(B, S, d)``, ``(e, d)``, ``(e,)`` -> ``(B, S, e)``.

    In bfloat16 on a CPU, PyTorch's linear layer first writes the bias to every row of its output
    and then adds the product, another pass over what may be 90 MB. A convolution of one pixel is
    the same map, and adds the bias as it goes. For inference; gradients take the usual way.
    """
    as_convolution = (
        inputs.device.type == 'cpu'
        and torch.is_autocast_enabled('cpu')
        and not torch.is_grad_enabled()
        and inputs.dim() == 3
        and inputs.shape[1] >= MANY_TOKENS
        and not is_captured()
    )
    if not as_convolution:
        return F.linear(inputs, weight, bias)
    # tokens are the rows of an image of one column that is stored channels last
    pixels = F.conv2d(inputs[:, :, None].permute(0, 3, 1, 2), weight[:, :, None, None], bias)
    return pixels.permute(0, 2, 3, 1)[:, :, 0]


def joined_linear(inputs: Tensor, layers: Sequence[nn.Linear]) -> Tensor:
    """Outputs of layers on the same inputs, one after another in the last dimension: one product.

    Args:
        inputs: ``(B, S, d)``.
        layers: with bias, of one input width ``d``.
    """
    if len(layers) == 1:
        return linear(inputs, layers[0].weight, layers[0].bias)
    weight = torch.cat([layer.weight for layer in layers])
    return linear(inputs, weight, torch.cat([layer.bias for layer in layers]))


class TokenLinear(nn.Linear):
    """``nn.Linear`` by :func:`linear`."""

    @classmethod
    def of(cls, layer: nn.Linear) -> 'TokenLinear':
        """With the parameters of ``layer``, not copies of them."""
        ours = cls(layer.in_features, layer.out_features, device='meta')  # draws no random numbers
        ours.weight, ours.bias = layer.weight, layer.bias
        return ours

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, S, d)`` -> ``(B, S, e)``."""
        return linear(inputs, self.weight, self.bias)
