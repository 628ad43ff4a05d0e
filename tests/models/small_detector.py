"""A detector that the tiny model may take its proposals from."""

PLACES = 5
PROPOSALS = dict(
    type='lamotr_mm.DenseProposals',
    neck=dict(type='mmdet.FPN', in_channels=[32, 64], out_channels=16, num_outs=2),
    bbox_head=dict(
        type='mmdet.ATSSHead',
        num_classes=1,
        in_channels=16,
        feat_channels=32,
        stacked_convs=1,
        anchor_generator=dict(
            type='mmdet.AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=2,
            scales_per_octave=1,
            strides=[16, 32],
        ),
        bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='mmdet.GIoULoss'),
        loss_centerness=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True),
        test_cfg=dict(
            nms_pre=100,
            min_bbox_size=0,
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.6),
            max_per_img=PLACES,
        ),
    ),
)
# overrides of the tiny model
TAKES = {'proposals': PROPOSALS, 'sotd_head.takes_proposals': True}
