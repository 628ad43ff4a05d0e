"""Table 6, 'TAN': tracklet queries by MOTR's Temporal Aggregation Network."""

_base_ = '../lamotr_synthetic.py'

model = dict(
    tracklet_update=dict(type='lamotr_mm.TemporalAggregation', embed_dims=128, ffn_dims=256)
)
