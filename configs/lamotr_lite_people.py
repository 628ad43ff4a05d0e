"""Real time on two CPU cores: configs/lamotr_people.py with frames of 341x256 px, the thin encoder
of _base_/lamotr_mobilenetv2_lite.py and 2 decoder layers.
"""

_base_ = './lamotr_people.py'

multi_scale = dict(_base_.multi_scale, scales=[(short, 512) for short in range(192, 289, 32)])
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='RandomChoice',
        transforms=[
            [dict(**_base_.alike, transforms=[multi_scale])],
            [dict(**_base_.alike, transforms=[_base_.crop, multi_scale])],
        ],
    ),
    _base_.pack,
]
test_pipeline = [
    dict(
        **_base_.each,
        transforms=[
            _base_.load_frame,
            dict(type='Resize', scale=(512, 256), keep_ratio=True),
            _base_.load_boxes,
        ],
    ),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    encoder=dict(
        first_level=1,
        fusion=dict(type='BFP', in_channels=128, num_levels=3, refine_level=1, refine_type='conv'),
        encoder=dict(layer_cfg=dict(self_attn_cfg=dict(num_levels=2))),
    ),
    sotd_head=dict(decoder=dict(num_layers=2)),
)
