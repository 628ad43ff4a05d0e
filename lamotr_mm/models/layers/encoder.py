"""Feature levels -> ``F_t``: positional encoding and deformable encoder (Sec. 3.1)."""

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.layers import (
    DeformableDetrTransformerEncoder,
    SinePositionalEncoding,
)
from mmdet.models.layers.transformer.deformable_detr_layers import (
    DeformableDetrTransformerEncoderLayer,
)
from mmdet.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..cuda_graphs import is_recorded, numbers
from ..precision import widen
from ..structures import FrameFeatures
from .deformable_attention import DeformableAttention
from .linear import TokenLinear, is_captured


class EncoderLayer(DeformableDetrTransformerEncoderLayer):
    """mmdet's layer with attention and products that are faster on the CPU."""

    def _init_layers(self) -> None:
        super()._init_layers()
        self.self_attn = DeformableAttention(**self.self_attn_cfg)
        for part in (self.ffn.layers, self.ffn.layers[0]):
            for name, layer in part.named_children():
                if isinstance(layer, nn.Linear):
                    setattr(part, name, TokenLinear.of(layer))


class Encoder(DeformableDetrTransformerEncoder):
    """mmdet's encoder without host synchronisation, with PyTorch's own gradient checkpointing.

    Args:
        with_cp: recompute each layer in the backward pass, to save memory.
    """

    def __init__(self, *args: Any, with_cp: bool = False, **kwargs: Any) -> None:
        self.with_cp = with_cp
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        self.layers = ModuleList(EncoderLayer(**self.layer_cfg) for _ in range(self.num_layers))
        self.embed_dims = self.layers[0].embed_dims

    def forward(self, query: Tensor, reference_points: Tensor, **kwargs: Any) -> Tensor:
        """``query (N, S, d)``, ``reference_points (N, S, levels, 2)`` -> memory ``(N, S, d)``."""
        for layer in self.layers:
            if self.with_cp and self.training:
                query = checkpoint(
                    layer, query, reference_points=reference_points, use_reentrant=False, **kwargs
                )
            else:
                query = layer(query=query, reference_points=reference_points, **kwargs)
        return query


class FeatureEncoder(BaseModule):
    """Turns the neck's levels into :class:`FrameFeatures`; knows nothing of tracks.

    The finest of four levels has three quarters of the tokens, hence of the cost. RT-DETR (arXiv
    2304.08069, Sec. 4.2) encodes the coarsest level alone and lets convolutions carry what it found
    to the finer ones; ``first_level`` and ``fusion`` do that.

    Args:
        encoder: arguments of :class:`Encoder` (``num_layers``, ``layer_cfg``).
        positional_encoding: arguments of mmdet's ``SinePositionalEncoding``.
        num_levels: number of feature levels that the neck yields.
        first_level: the encoder takes the levels from this one on, finest first; the decoder sees
            the finer ones as the neck (and ``fusion``) made them.
        fusion: mmdet neck that mixes all levels after the encoder, such as ``FPN`` or ``BFP``, and
            keeps their number and sizes; None: none.
        with_cp: gradient checkpointing of the encoder layers.

    Raises:
        ValueError: settings that don't fit each other.
    """

    def __init__(
        self,
        encoder: dict,
        positional_encoding: dict,
        num_levels: int = 4,
        first_level: int = 0,
        fusion: dict | None = None,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.encoder = Encoder(**encoder, with_cp=with_cp)
        self.positional_encoding = SinePositionalEncoding(**positional_encoding)
        self.num_levels = num_levels
        self.first_level = first_level
        encoded = num_levels - first_level
        self.level_embed = nn.Parameter(torch.empty(encoded, self.encoder.embed_dims))
        self.fusion = None if fusion is None else MODELS.build(fusion)
        self._encodings: dict[tuple, Tensor] = {}  # of the video's last size
        if 2 * self.positional_encoding.num_feats != self.encoder.embed_dims:
            raise ValueError(
                f'positional_encoding.num_feats={self.positional_encoding.num_feats} must be half '
                f'of the encoder width {self.encoder.embed_dims}'
            )
        attended = self.encoder.layers[0].self_attn.num_levels if self.encoder.layers else encoded
        if first_level < 0 or attended != encoded:
            raise ValueError(
                f'encoder.layer_cfg.self_attn_cfg.num_levels={attended} must be '
                f'num_levels={num_levels} less first_level={first_level}, which is 0 or more'
            )

    def init_weights(self) -> None:
        """Xavier for the projections, mmcv's own initialisation for the deformable attention."""
        super().init_weights()
        for parameter in self.encoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.modules():
            if isinstance(module, DeformableAttention):
                module.init_weights()
        nn.init.normal_(self.level_embed)

    def forward(
        self,
        mlvl_feats: tuple[Tensor, ...],
        img_shapes: list[tuple[int, int]],
        batch_input_shape: tuple[int, int],
    ) -> FrameFeatures:
        """Encode ``N`` frames in one call.

        Args:
            mlvl_feats: the neck's levels, each ``(N, d, h, w)``.
            img_shapes: (height, width) in px of each image before padding.
            batch_input_shape: (height, width) in px of the padded batch.

        Raises:
            ValueError: if the neck yields another number of levels than ``num_levels``.
        """
        if len(mlvl_feats) != self.num_levels:
            raise ValueError(
                f'the neck yields {len(mlvl_feats)} levels, the encoder was built for '
                f'{self.num_levels}: set neck.num_outs and num_levels to the same number'
            )
        mlvl_feats = tuple(widen(feat) for feat in mlvl_feats)
        masks = self._padding_masks(mlvl_feats, img_shapes, batch_input_shape)
        shapes = [(feat.shape[-2], feat.shape[-1]) for feat in mlvl_feats]
        device = mlvl_feats[0].device
        sizes = [h * w for h, w in shapes]
        padding = [mask for mask in masks if mask is not None]
        features = FrameFeatures(
            memory=_tokens(mlvl_feats),
            padding_mask=torch.cat([mask.flatten(1) for mask in padding], 1) if padding else None,
            valid_ratios=torch.stack([_valid_ratio(mask) for mask in padding], 1)
            if padding
            else mlvl_feats[0].new_ones(len(img_shapes), len(shapes), 2),
            spatial_shapes=numbers(chain(*shapes), device).view(-1, 2),
            level_start_index=numbers(accumulate(sizes[:-1], initial=0), device),
            level_shapes=tuple(shapes),
        )
        memory = self._encode(features, mlvl_feats, masks)
        if self.fusion is not None:
            levels = [
                level.transpose(1, 2).unflatten(2, shape)
                for level, shape in zip(memory.split(sizes, 1), shapes)
            ]
            memory = _tokens([widen(level) for level in self.fusion(levels)])
        return features._replace(memory=memory)

    def _encode(
        self,
        features: FrameFeatures,
        mlvl_feats: tuple[Tensor, ...],
        masks: list[Tensor | None],
    ) -> Tensor:
        """Tokens of all levels ``(N, S, d)``, those from ``first_level`` on encoded."""
        first = self.first_level
        coarse = mlvl_feats[first:]
        query_pos = [
            self._encoded_positions(mask, feat) + level
            for feat, mask, level in zip(coarse, masks[first:], self.level_embed)
        ]
        tokens = sum(feat.shape[-2] * feat.shape[-1] for feat in mlvl_feats[:first])
        padding = features.padding_mask
        assert features.level_shapes is not None
        encoded = self.encoder(
            features.memory[:, tokens:],
            _reference_points(coarse, features.valid_ratios[:, first:]),
            query_pos=torch.cat(query_pos, 1),  # the same for all images if none is padded
            key_padding_mask=None if padding is None else padding[:, tokens:],
            spatial_shapes=features.spatial_shapes[first:],
            level_start_index=features.level_start_index[first:] - tokens,
            level_shapes=features.level_shapes[first:],
        )
        return torch.cat([features.memory[:, :tokens], encoded], 1) if first else encoded

    def _encoded_positions(self, mask: Tensor | None, feat: Tensor) -> Tensor:
        """Sine encoding of a level's pixels, ``(N or 1, h * w, d)``; kept from frame to frame."""

        def encode(feat: Tensor) -> Tensor:
            return self.positional_encoding(mask, input=feat).flatten(2).transpose(1, 2)

        if mask is not None or self.training or is_captured() or is_recorded(feat):
            return encode(feat)
        key = (*feat.shape[-2:], feat.dtype, feat.device)
        if key not in self._encodings:
            if len(self._encodings) >= len(self.level_embed):
                self._encodings.clear()
            self._encodings[key] = encode(feat[:1])
        return self._encodings[key]

    @staticmethod
    def _padding_masks(
        mlvl_feats: tuple[Tensor, ...],
        img_shapes: list[tuple[int, int]],
        batch_input_shape: tuple[int, int],
    ) -> list[Tensor | None]:
        """``(N, h, w)`` bool per level, ``True`` at padded pixels; all ``None`` where nothing is
        padded.
        """
        if all(tuple(shape[:2]) == tuple(batch_input_shape) for shape in img_shapes):
            return [None] * len(mlvl_feats)
        mask = mlvl_feats[0].new_ones(len(img_shapes), *batch_input_shape)
        for image, (height, width) in zip(mask, img_shapes):
            image[:height, :width] = 0
        return [F.interpolate(mask[None], size=f.shape[-2:])[0].bool() for f in mlvl_feats]


def _tokens(mlvl_feats: Sequence[Tensor]) -> Tensor:
    """Levels ``(N, d, h, w)`` -> ``(N, S, d)``, one after another."""
    return torch.cat([feat.flatten(2).transpose(1, 2) for feat in mlvl_feats], 1)


def _valid_ratio(mask: Tensor) -> Tensor:
    """``(N, h, w)`` padding mask -> ``(N, 2)`` share of (width, height) that the image fills."""
    return torch.stack([(~mask[:, 0]).float().mean(1), (~mask[:, :, 0]).float().mean(1)], -1)


def _reference_points(mlvl_feats: Sequence[Tensor], valid_ratios: Tensor) -> Tensor:
    """Pixel centres of every level as seen in every level, ``(N, S, levels, 2)`` (x, y) in 0..1 of
    the padded image.
    """
    points = []
    for level, feat in enumerate(mlvl_feats):
        height, width = feat.shape[-2:]
        y, x = torch.meshgrid(
            torch.arange(height, device=valid_ratios.device, dtype=valid_ratios.dtype) + 0.5,
            torch.arange(width, device=valid_ratios.device, dtype=valid_ratios.dtype) + 0.5,
            indexing='ij',
        )
        x_ratio, y_ratio = valid_ratios[:, level].unbind(-1)
        x = x.reshape(1, -1) / (x_ratio[:, None] * width)
        y = y.reshape(1, -1) / (y_ratio[:, None] * height)
        points.append(torch.stack([x, y], -1))
    return torch.cat(points, 1)[:, :, None] * valid_ratios[:, None]
