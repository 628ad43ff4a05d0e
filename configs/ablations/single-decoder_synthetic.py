"""Table 4, Single decoder: MOTR's label assignment and life of a track, without association."""

_base_ = '../lamotr_synthetic.py'

model = dict(
    sgla=dict(_delete_=True, type='lamotr_mm.NoAssociation'),
    criterion=dict(_delete_=True, type='lamotr_mm.SingleDecoderLoss'),
    lifecycle=dict(birth_iou=1.0, keep_iou=1.0),  # MOTR suppresses no duplicates
)
