"""'SGLA w/o RSC' of Table 4: no relative spatial cue, M is made of attention alone."""

_base_ = '../lamotr_synthetic.py'

model = dict(sgla=dict(spatial_cue='none'))
