"""A small LA-MOTR on synthetic video: what `make train-demo` trains and `make demo` shows."""

_base_ = [
    './_base_/lamotr_mobilenetv2_small.py',
    './_base_/datasets/synthetic.py',
    './_base_/schedules/adamw_18e.py',
    './_base_/default_runtime.py',
]

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='data/pretrained/mobilenetv2.pth'))
)

max_epochs = 2  # of 1,200 clips
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    optimizer=dict(lr=4e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.25)}),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        eta_min_ratio=0.02,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
