"""Table 6, 'TIM': tracklet queries by MeMOTR's Temporal Interaction Module with its memory."""

_base_ = '../lamotr_synthetic.py'

model = dict(
    tracklet_update=dict(type='lamotr_mm.TemporalInteraction', embed_dims=128, ffn_dims=512)
)
