"""LA-MOTR* on SportsMOT (Table 3): the same recipe on plain Deformable DETR."""

_base_ = './lamotr_sportsmot.py'

model = dict(sotd_head=dict(type='lamotr_mm.DeformableSOTDHead'))

# the official COCO weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_deformable-detr_r50.pth'
