"""LA-MOTR* on DanceTrack (Table 1): the same on plain Deformable DETR."""

_base_ = [
    './_base_/lamotr_deformable-detr_r50.py',
    './_base_/datasets/dancetrack.py',
    './_base_/schedules/adamw_18e.py',
    './_base_/default_runtime.py',
]

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_deformable-detr_r50.pth'
