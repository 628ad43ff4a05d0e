"""A small LA-MOTR on synthetic video: what `make train-demo` trains and `make demo` shows."""

_base_ = [
    './_base_/lamotr_mobilenetv2_small.py',
    './_base_/datasets/synthetic.py',
    './_base_/schedules/adamw_small.py',
    './_base_/default_runtime.py',
]

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='data/pretrained/mobilenetv2.pth'))
)

max_epochs = 2  # of 1,200 clips
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = dict(T_max=max_epochs)
