"""LA-MOTR on plain Deformable DETR with ResNet-50, as wide as the official weights: the rows
with * of Tables 1-3.
"""

_base_ = './lamotr_r50.py'

ffn_cfg = dict(feedforward_channels=1024)
model = dict(
    encoder=dict(encoder=dict(layer_cfg=dict(ffn_cfg=ffn_cfg))),
    sotd_head=dict(
        type='lamotr_mm.DeformableSOTDHead', decoder=dict(layer_cfg=dict(ffn_cfg=ffn_cfg))
    ),
)
