"""The paper's model with a thin encoder: 3 layers on strides 16 to 64, then an FPN over all levels.

The lighter ones, one below the other: lamotr_lite_r18_dancetrack.py,
lamotr_lite_mobilenetv2_dancetrack.py, lamotr_lite_people.py (docs/benchmarks.md compares them).
"""

_base_ = './lamotr_dancetrack.py'

model = dict(
    encoder=dict(
        first_level=1,
        fusion=dict(type='FPN', in_channels=[256] * 4, out_channels=256, num_outs=4),
        encoder=dict(num_layers=3, layer_cfg=dict(self_attn_cfg=dict(num_levels=3))),
    )
)
# the detector's encoder has other shapes
load_from = None
