"""What a layer of the decoder is made of; test_sotd_head.py has what the decoders compute."""

from mmcv.cnn.bricks.transformer import MultiheadAttention
from torch import nn

from lamotr_mm.models.layers.decoder import DecoderLayer


def test_another_models_dropout_stays_there():
    """mmcv remembers the `dropout` of one attention as the default of the next one."""
    attention = dict(embed_dims=8, num_heads=2)
    other = MultiheadAttention(**attention, dropout=0.7)
    try:
        layer = DecoderLayer(
            self_attn_cfg=dict(attention),
            cross_attn_cfg=dict(attention, num_levels=2),
            ffn_cfg=dict(embed_dims=8, feedforward_channels=8, ffn_drop=0.0),
        )
    finally:
        MultiheadAttention(**attention, dropout=0.0)
    assert other.dropout_layer.p == 0.7
    rates = [part.p for part in layer.modules() if isinstance(part, nn.Dropout)]
    assert rates and set(rates) == {0.0}
    assert layer.self_attn.attn.dropout == 0.0
