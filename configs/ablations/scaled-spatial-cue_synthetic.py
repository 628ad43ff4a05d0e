"""The relative spatial cue in sizes of the tracklet's box instead of shares of the image."""

_base_ = '../lamotr_synthetic.py'

model = dict(sgla=dict(spatial_cue='scaled'))
