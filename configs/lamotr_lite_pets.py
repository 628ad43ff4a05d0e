"""Real time on two CPU cores: frames of 341x256 px, 2 decoder layers, else as
configs/lamotr_pets.py.
"""

_base_ = [
    './_base_/lamotr_mobilenetv2_lite.py',
    './_base_/datasets/pets.py',
    './_base_/schedules/adamw_small.py',
    './_base_/default_runtime.py',
]

multi_scale = dict(_base_.multi_scale, scales=[(short, 512) for short in range(192, 289, 32)])
train_pipeline = [
    _base_.take_clip,
    _base_.load_and_vary,
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
            dict(type='Resize', scale=(448, 256), keep_ratio=True),
            _base_.load_boxes,
        ],
    ),
    _base_.pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='data/pretrained/mobilenetv2.pth')),
    sotd_head=dict(decoder=dict(num_layers=2)),
    # as configs/lamotr_pets.py
    lifecycle=dict(gate=0.3, keep_thr=0.7, birth_iou=0.4, keep_iou=0.4),
)

max_epochs = 10
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
param_scheduler = dict(T_max=max_epochs)
