"""Table 4, Feature: ByteTrack's strategy on features of a re-identification branch of SOTD."""

_base_ = './iou_synthetic.py'

embed_dims = 128
model = dict(
    sgla=dict(
        _delete_=True,
        type='lamotr_mm.FeatureAssociation',
        embed_dims=embed_dims,
        feature_dims=embed_dims,
    ),
    criterion=dict(type='lamotr_mm.ContrastiveTrackingLoss', asso_weight=1.0, gate=0.75),
    lifecycle=dict(gate=0.75, low_gate=0.75),  # a cosine of 0.5
)
