# The paper's MOT17 schedule (Sec. 4.2): 130 epochs, learning rate x 0.1 after 120. The paper is
# silent on weight decay; 1e-4 here, 5e-4 on DanceTrack and SportsMOT.
_base_ = './adamw_18e.py'

optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
train_cfg = dict(max_epochs=130)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=130, by_epoch=True, milestones=[120], gamma=0.1),
]
