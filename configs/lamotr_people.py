"""A small LA-MOTR on two street scenes, trained on a CPU (docs/training_small_data.md)."""

_base_ = [
    './_base_/lamotr_person_small.py',
    './_base_/datasets/people.py',
    './_base_/schedules/adamw_small.py',
    './_base_/default_runtime.py',
]

model = dict(
    sotd_head=dict(holds_proposals=True),
    sgla=dict(anchor_cue=True),
    criterion=dict(early_asso_weight=1.0),
    tracklet_update=dict(weight=0.6, anchor='object'),
    clip_tracklets=dict(miss_prob=0.3),
    # chosen on held-out training frames (docs/training_small_data.md)
    lifecycle=dict(
        det_thr=0.3,
        new_thr=0.5,
        gate=0.05,
        keep_thr=0.9,
        birth_iou=0.4,
        keep_iou=0.4,
        report='object',
    ),
)

custom_hooks = [
    *_base_.custom_hooks,
    # over about 100 steps
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.01),
]

max_epochs = 3
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    _base_.param_scheduler | dict(T_max=max_epochs),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
