"""MobileNetV2 and d = 128 at a short side of 544 px."""

_base_ = [
    './_base_/lamotr_mobilenetv2_lite.py',
    './_base_/datasets/dancetrack_lite.py',
    './_base_/schedules/adamw_18e.py',
    './_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        frozen_stages=1,
        init_cfg=dict(type='Pretrained', checkpoint='data/pretrained/mobilenetv2.pth'),
    ),
    sotd_head=dict(num_queries=100),
)
