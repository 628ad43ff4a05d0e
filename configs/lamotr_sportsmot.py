"""LA-MOTR on SportsMOT (Table 3): 28 epochs (x 0.1 after 18), w = 0.9 (Sec. 4.2)."""

_base_ = [
    './_base_/lamotr_r50.py',
    './_base_/datasets/sportsmot.py',
    './_base_/schedules/adamw_28e.py',
    './_base_/default_runtime.py',
]

model = dict(tracklet_update=dict(weight=0.9))

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_dab-deformable-detr_r50.pth'
