"""What SGLA did in a frame: the sum that makes ``S`` term by term, and who attended to whom
(Sec. 3.2).
"""

from types import TracebackType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from .layers.relative_deviation import RelativeDeviation
from .layers.spatial_attention import SpatialCrossAttention
from .precision import widen
from .sgla import SGLA
from .structures import FrameOutput


class AssociationTerms(NamedTuple):
    """The logits of ``S`` as a sum: ``prior + spatial.sum(0) + attention.sum(0)``.

    The score reads ``M(L) = sum_l E_diff(l) + A(l) W_upd(l)`` by ``w`` and adds a bias, and is
    linear. So each layer's two steps have a share of their own, in logits. The biases of a map
    belong to its share.

    Attributes:
        prior: ``()``, the bias of the score: the logit where M is 0.
        spatial: ``(L, B, Nd, Nt)``, ``w E_diff(l)``; to the first is added ``w M(0)``, which the
            anchor cue makes.
        attention: ``(L, B, Nd, Nt)``, ``w (A(l) W_upd(l))``.
    """

    prior: Tensor
    spatial: Tensor
    attention: Tensor


class AssociationTrace:
    """Watches a model's SGLA by forward hooks while its ``with`` block runs; without one, nothing
    of it is there.

    What is kept are references to tensors that the last call made anyway; the terms are computed
    when they are asked for.

    Args:
        sgla: the module to watch.

    Raises:
        ValueError: it is no SGLA, or one of the cross-attentions of Table 5.

    Attributes:
        output: what the last call returned, boxes and logits of each layer among it.
    """

    output: FrameOutput

    def __init__(self, sgla: SGLA) -> None:
        layers = getattr(sgla, 'layers', [None])
        if not isinstance(sgla, SGLA) or isinstance(layers[0], SpatialCrossAttention):
            raise ValueError(
                "only SGLA with sgla.queries='both' can be explained, not a model of another "
                'association (configs/ablations/)'
            )
        self._sgla = sgla
        self._layers: list[tuple[tuple[Tensor, ...], Tensor]] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> 'AssociationTrace':
        self._handles = [
            self._sgla.register_forward_pre_hook(self._forget),
            self._sgla.register_forward_hook(self._keep_output),
            *(layer.register_forward_hook(self._keep_layer) for layer in self._sgla.layers),
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _forget(self, module: SGLA, inputs: tuple) -> None:
        self._layers = []

    def _keep_layer(self, module: Any, inputs: tuple, result: tuple[Tensor, Tensor]) -> None:
        self._layers.append((inputs, result[1]))

    def _keep_output(self, module: SGLA, inputs: tuple, output: FrameOutput) -> None:
        self.output = output

    @torch.no_grad()
    def boxes_cxcywh(self) -> Tensor:
        """``(L + 1, B, Nd + Nt, 4)``, normalised: boxes of ``O(0)``, which the decoder gave, to
        ``O(L)``, the output."""
        before = self.output.detections.boxes_cxcywh[-1:]
        return torch.cat([before, self.output.boxes_cxcywh])

    @torch.no_grad()
    def terms(self) -> AssociationTerms:
        """The logits of the last call as a sum, in the dtype of the parameters."""
        sgla, objects = self._sgla, self.output.num_objects
        spatial, attention = [], []
        every_box = self.boxes_cxcywh()
        for layer, boxes, (_, pairs) in zip(sgla.layers, every_box, self._layers):
            spatial.append(self._cue(sgla.deviation_mlp, boxes))
            attention.append(layer.w_upd(pairs.movedim(1, -1)) @ sgla.score.weight[0])
        entering = self.output.detections.entering_cxcywh
        seen = torch.cat([every_box[0][:, :objects], entering], 1)
        spatial[0] = spatial[0] + self._cue(sgla.anchor_mlp, seen)
        return AssociationTerms(
            sgla.score.bias[0].detach(), torch.stack(spatial), torch.stack(attention)
        )

    def _cue(self, mlp: RelativeDeviation | None, boxes_cxcywh: Tensor) -> Tensor:
        """What the score reads of an encoding, ``(B, Nd, Nt)``; 0 where there is none."""
        if mlp is None:
            return torch.zeros_like(self.output.asso_logits)
        reader = self._sgla.score.weight
        readings = mlp.read(boxes_cxcywh, self.output.num_objects, reader)
        return readings[:, 0] + reader @ mlp.bias

    @torch.no_grad()
    def tracklet_attention(self) -> Tensor:
        """``(L, B, Nt, Nd + Nt)`` probabilities, mean over the heads: the rows of A in which
        tracklets ask. Each sums to 1 over objects and valid tracklets.
        """
        rows = [
            _attention_of_tracklets(layer, *inputs).mean(1)
            for layer, (inputs, _) in zip(self._sgla.layers, self._layers)
        ]
        return torch.stack(rows)


def _attention_of_tracklets(layer: Any, embeds: Tensor, bias: Tensor, valid: Tensor) -> Tensor:
    """Rows of ``A = softmax(O W_Q (O W_K)^T / sqrt(d_k) + M W_asso)``, ``(B, heads, Nt, Nd + Nt)``;
    arguments as of the layer's ``forward``, which keeps the mean of two blocks of A only.
    """
    objects = bias.shape[2]
    q, k = (
        widen(proj(x)).unflatten(-1, (layer.num_heads, -1)).transpose(1, 2)
        for proj, x in ((layer.q_proj, embeds[:, objects:]), (layer.k_proj, embeds))
    )
    logits = q @ k.mT * q.shape[-1] ** -0.5
    logits[..., :objects] += bias.mT
    logits[..., objects:].masked_fill_(~valid[:, None, None], -torch.inf)
    return logits.softmax(-1)
