"""LA-MOTR on DAB-Deformable-DETR with ResNet-50 (Sec. 4.2); 50.29M trainable (Table 7)."""

num_levels = 4
model = dict(
    type='lamotr_mm.LAMOTR',
    data_preprocessor=dict(
        type='mmdet.TrackDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=1,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=50,
        num_stages=4,
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(
        type='mmdet.ChannelMapper',
        in_channels=[512, 1024, 2048],
        kernel_size=1,
        out_channels=256,
        bias=True,  # 'auto' drops the bias that the official weights have
        act_cfg=None,
        norm_cfg=dict(type='GN', num_groups=32),
        num_outs=num_levels,
    ),
    encoder=dict(
        num_levels=num_levels,
        positional_encoding=dict(num_feats=128, normalize=True, offset=-0.5),
        encoder=dict(
            num_layers=6,
            layer_cfg=dict(
                self_attn_cfg=dict(
                    embed_dims=256, num_heads=8, num_levels=num_levels, num_points=4
                ),
                ffn_cfg=dict(embed_dims=256, feedforward_channels=2048, ffn_drop=0.0),
            ),
        ),
    ),
    sotd_head=dict(
        type='lamotr_mm.SOTDHead',
        num_classes=1,
        num_queries=300,
        decoder=dict(
            num_layers=6,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=256, num_heads=8),
                cross_attn_cfg=dict(
                    embed_dims=256, num_heads=8, num_levels=num_levels, num_points=4
                ),
                ffn_cfg=dict(embed_dims=256, feedforward_channels=2048, ffn_drop=0.0),
            ),
        ),
    ),
    sgla=dict(type='lamotr_mm.SGLA', embed_dims=256, num_heads=8, num_layers=4, ffn_dims=1024),
    tracklet_update=dict(type='lamotr_mm.TrackletUpdate', weight=1.0),
    criterion=dict(
        type='lamotr_mm.DecoupledTrackingLoss', det_weight=1.0, tck_weight=1.0, asso_weight=10.0
    ),
    clip_tracklets=dict(score_thr=0.5, iou_thr=0.5),
    lifecycle=dict(
        det_thr=0.5,
        keep_thr=0.5,
        new_thr=0.5,
        gate=0.5,
        miss_tolerance=30,
        birth_iou=0.6,
        keep_iou=0.6,
        class_agnostic=False,
    ),
)
