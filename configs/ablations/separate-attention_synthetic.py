"""Object and tracklet queries do not attend to each other in the SOTD decoder."""

_base_ = '../lamotr_synthetic.py'

model = dict(sotd_head=dict(separate_attention=True))
