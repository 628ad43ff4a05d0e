"""LA-MOTR* on MOT17 alone (Table 2): the same on plain Deformable DETR."""

_base_ = [
    './_base_/lamotr_deformable-detr_r50.py',
    './_base_/datasets/mot17.py',
    './_base_/schedules/adamw_130e.py',
    './_base_/default_runtime.py',
]

model = dict(tracklet_update=dict(weight=0.5), lifecycle=dict(miss_tolerance=15))

# no sequence is left to validate on
val_cfg = None

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_deformable-detr_r50.pth'
