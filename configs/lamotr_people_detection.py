"""First stage of configs/lamotr_people.py: detection in single frames, from a person detector's
backbone (docs/training_small_data.md).
"""

_base_ = './lamotr_people.py'

train_pipeline = [dict(_base_.take_clip, clip_len=1), *_base_.train_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

load_from = 'data/pretrained/people_warm.pth'
max_epochs = 1
param_scheduler = _base_.param_scheduler
param_scheduler[1]['T_max'] = max_epochs
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
