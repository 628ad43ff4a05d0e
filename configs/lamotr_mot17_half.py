"""LA-MOTR on the first halves of MOT17's sequences, validated on the second: for development."""

_base_ = [
    './_base_/lamotr_r50.py',
    './_base_/datasets/mot17_half.py',
    './_base_/schedules/adamw_130e.py',
    './_base_/default_runtime.py',
]

model = dict(tracklet_update=dict(weight=0.5), lifecycle=dict(miss_tolerance=15))
# each validation takes longer than an epoch
train_cfg = dict(val_interval=10)

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_dab-deformable-detr_r50.pth'
