"""ResNet-18 at a short side of 544 px: one encoder layer on strides 32 and 64, then an FPN; 4
decoder layers, 200 object queries, L = 3.
"""

_base_ = [
    './_base_/lamotr_r50.py',
    './_base_/datasets/dancetrack_lite.py',
    './_base_/schedules/adamw_18e.py',
    './_base_/default_runtime.py',
]

ffn_cfg = dict(feedforward_channels=1024)
model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[128, 256, 512]),
    encoder=dict(
        first_level=2,
        fusion=dict(type='FPN', in_channels=[256] * 4, out_channels=256, num_outs=4),
        encoder=dict(
            num_layers=1, layer_cfg=dict(self_attn_cfg=dict(num_levels=2), ffn_cfg=ffn_cfg)
        ),
    ),
    sotd_head=dict(num_queries=200, decoder=dict(num_layers=4, layer_cfg=dict(ffn_cfg=ffn_cfg))),
    sgla=dict(num_layers=3),
)
