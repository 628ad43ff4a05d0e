"""M(0) encodes how far objects are from where each tracklet was seen last, instead of 0."""

_base_ = '../lamotr_synthetic.py'

model = dict(sgla=dict(anchor_cue=True))
