"""A small LA-MOTR on PETS09-S2L1 (frames 1-450 train, 451-600 validate), trained on a CPU."""

_base_ = [
    './_base_/lamotr_mobilenetv2_small.py',
    './_base_/datasets/pets.py',
    './_base_/schedules/adamw_small.py',
    './_base_/default_runtime.py',
]

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='data/pretrained/mobilenetv2.pth')),
    # boxes of a small model are loose; chosen on training frames (docs/model.md)
    lifecycle=dict(gate=0.3, keep_thr=0.7, birth_iou=0.4, keep_iou=0.4),
)

max_epochs = 10
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
param_scheduler = dict(T_max=max_epochs)
