# A LA-MOTR of 0.1M parameters on frames of 64x96 px: a step takes a fraction of a second. It
# inherits the bases that the shipped configs do, and trains with their augmentation.
_base_ = [
    '../../../configs/_base_/lamotr_r50.py',
    '../../../configs/_base_/datasets/mot_clip.py',
    '../../../configs/_base_/schedules/adamw_18e.py',
    '../../../configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['lamotr_mm', 'probes'], allow_failed_imports=False)

embed_dims, num_heads, num_levels = 32, 4, 2
model = dict(
    backbone=dict(
        depth=18,
        base_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        init_cfg=None,
    ),
    neck=dict(
        in_channels=[16, 32],
        out_channels=embed_dims,
        norm_cfg=dict(type='GN', num_groups=4),
        num_outs=num_levels,
    ),
    encoder=dict(
        num_levels=num_levels,
        positional_encoding=dict(num_feats=embed_dims // 2),
        encoder=dict(
            num_layers=1,
            layer_cfg=dict(
                self_attn_cfg=dict(
                    embed_dims=embed_dims, num_heads=num_heads, num_levels=num_levels
                ),
                ffn_cfg=dict(embed_dims=embed_dims, feedforward_channels=64),
            ),
        ),
    ),
    sotd_head=dict(
        num_queries=12,
        decoder=dict(
            num_layers=2,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=embed_dims, num_heads=num_heads),
                cross_attn_cfg=dict(
                    embed_dims=embed_dims, num_heads=num_heads, num_levels=num_levels
                ),
                ffn_cfg=dict(embed_dims=embed_dims, feedforward_channels=64),
            ),
        ),
    ),
    sgla=dict(embed_dims=embed_dims, num_heads=num_heads, num_layers=2, ffn_dims=64),
    # thresholds 0: tracklets from the first step on
    clip_tracklets=dict(
        score_thr=0.0, iou_thr=0.0, drop_prob=0.1, false_positive_prob=0.3, spare_slots=2
    ),
    tracklet_slots=4,
)

# all frames get one size, so that a batch of clips needs no padding
resize = dict(type='Resize', scale=(96, 64), keep_ratio=False)
meta_keys = ('video_name', 'mot_frame_id')
train_pipeline = [
    dict(type='lamotr_mm.ClipSampler', clip_len=3, max_interval=2),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='lamotr_mm.LoadFrame'),
            dict(type='LoadTrackAnnotations'),
            dict(type='YOLOXHSVRandomAug'),
            dict(type='RandomFlip', prob=0.5),
            dict(
                type='RandomCrop',
                crop_type='relative_range',
                crop_size=(0.8, 0.8),
                allow_negative_crop=True,
            ),
            resize,
        ],
    ),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='lamotr_mm.LoadFrame'),
            resize,
            dict(type='LoadTrackAnnotations'),
        ],
    ),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]
data_root = 'videos/'
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=1))
