"""LA-MOTR* on SportsMOT (Table 3): the same on plain Deformable DETR."""

_base_ = [
    './_base_/lamotr_deformable-detr_r50.py',
    './_base_/datasets/sportsmot.py',
    './_base_/schedules/adamw_28e.py',
    './_base_/default_runtime.py',
]

model = dict(tracklet_update=dict(weight=0.9))

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_deformable-detr_r50.pth'
