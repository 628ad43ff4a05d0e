"""Table 4, Combination: ByteTrack's strategy on the mean of IoU and cosine similarity."""

_base_ = './feature_synthetic.py'

model = dict(
    sgla=dict(type='lamotr_mm.CombinedAssociation'),
    criterion=dict(gate=0.5),
    lifecycle=dict(gate=0.5, low_gate=0.6),
)
