"""Table 5, row 2: cross-attention in SGLA, q = tracklets, k and v = objects."""

_base_ = '../lamotr_synthetic.py'

model = dict(sgla=dict(queries='tracklets'))
