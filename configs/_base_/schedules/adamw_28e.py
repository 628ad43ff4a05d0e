# The paper's SportsMOT schedule (Sec. 4.2): 28 epochs, learning rate x 0.1 after 18.
_base_ = './adamw_18e.py'

train_cfg = dict(max_epochs=28)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=28, by_epoch=True, milestones=[18], gamma=0.1),
]
