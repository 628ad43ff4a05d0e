"""Table 5, row 1: cross-attention in SGLA, q = objects, k and v = tracklets."""

_base_ = '../lamotr_synthetic.py'

model = dict(sgla=dict(queries='objects'))
