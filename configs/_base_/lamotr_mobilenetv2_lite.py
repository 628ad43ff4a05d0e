"""The small model with a thin encoder: it takes strides 16 and 32, a quarter of the tokens. What it
finds is averaged over the levels, convolved at stride 16 and added to all of them.
"""

_base_ = './lamotr_mobilenetv2_small.py'

model = dict(
    encoder=dict(
        first_level=1,
        fusion=dict(type='BFP', in_channels=128, num_levels=3, refine_level=1, refine_type='conv'),
        encoder=dict(layer_cfg=dict(self_attn_cfg=dict(num_levels=2))),
    )
)
