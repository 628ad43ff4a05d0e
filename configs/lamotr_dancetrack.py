"""LA-MOTR on DanceTrack (Table 1): the recipe of Sec. 4.2 in full.

3-frame clips with a random interval of 1 to 10, one clip on each of 4 GPUs, AdamW at 2e-4 for 18
epochs (x 0.1 after 12), w = 1, images with short side 800 and long side <= 1536.
"""

_base_ = [
    './_base_/lamotr_r50.py',
    './_base_/datasets/dancetrack.py',
    './_base_/schedules/adamw_18e.py',
    './_base_/default_runtime.py',
]

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_dab-deformable-detr_r50.pth'
