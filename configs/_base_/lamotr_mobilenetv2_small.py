"""A small LA-MOTR that trains on a CPU: MobileNetV2, d = 128, 3 levels, 2 encoder and 3 decoder
layers, L = 2.
"""

_base_ = './lamotr_r50.py'

embed_dims = 128
num_levels = 3
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(
        _delete_=True,
        type='mmdet.MobileNetV2',
        # 7, not 6: the last convolution would else be an unused parameter, which DDP refuses
        out_indices=(2, 4, 7),
        # strides 2 to 8, which are most of the backward pass on a CPU
        frozen_stages=3,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
    ),
    neck=dict(in_channels=[32, 96, 1280], out_channels=embed_dims, num_outs=num_levels),
    encoder=dict(
        num_levels=num_levels,
        positional_encoding=dict(num_feats=embed_dims // 2),
        encoder=dict(
            num_layers=2,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=embed_dims, num_levels=num_levels),
                ffn_cfg=dict(embed_dims=embed_dims, feedforward_channels=256),
            ),
        ),
    ),
    sotd_head=dict(
        num_queries=60,
        decoder=dict(
            num_layers=3,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=embed_dims),
                cross_attn_cfg=dict(embed_dims=embed_dims, num_levels=num_levels),
                ffn_cfg=dict(embed_dims=embed_dims, feedforward_channels=512),
            ),
        ),
    ),
    sgla=dict(embed_dims=embed_dims, num_layers=2, ffn_dims=256),
    clip_tracklets=dict(drop_prob=0.1, false_positive_prob=0.3, spare_slots=2),
    tracklet_slots=16,
)
