"""LA-MOTR on MOT17 alone (Table 2): 130 epochs (x 0.1 after 120), w = 0.5 (Sec. 4.2)."""

_base_ = [
    './_base_/lamotr_r50.py',
    './_base_/datasets/mot17.py',
    './_base_/schedules/adamw_130e.py',
    './_base_/default_runtime.py',
]

model = dict(tracklet_update=dict(weight=0.5), lifecycle=dict(miss_tolerance=15))

# no sequence is left to validate on
val_cfg = None

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_dab-deformable-detr_r50.pth'
