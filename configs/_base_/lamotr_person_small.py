"""A small LA-MOTR of people: its object queries start from the boxes of a frozen detector on the
same backbone, Intel's person-vehicle-bike-detection-2003
(tools/model_converters/openvino_detector.py).
"""

_base_ = './lamotr_mobilenetv2_small.py'

person_detector = 'data/pretrained/person_detector.pth'

model = dict(
    backbone=dict(
        _delete_=True,
        type='lamotr_mm.FoldedMobileNetV2',
        out_indices=(2, 4, 6),
        # it has learned persons already: all of it stays as it is
        frozen_stages=7,
        init_cfg=dict(type='Pretrained', checkpoint=person_detector, prefix='backbone.'),
    ),
    neck=dict(in_channels=[32, 96, 320]),
    proposals=dict(
        type='lamotr_mm.DenseProposals',
        neck=dict(
            type='FPN',
            in_channels=[32, 96, 320],
            out_channels=32,
            num_outs=5,
            add_extra_convs='on_output',
        ),
        bbox_head=dict(
            type='ATSSHead',
            num_classes=1,
            in_channels=32,
            feat_channels=32,
            stacked_convs=4,
            anchor_generator=dict(
                type='AnchorGenerator',
                ratios=[0.5, 1.0, 2.0],
                octave_base_scale=8,
                scales_per_octave=1,
                strides=[8, 16, 32, 64, 128],
            ),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[0.0, 0.0, 0.0, 0.0],
                target_stds=[0.1, 0.1, 0.2, 0.2],
            ),
            loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True),
            test_cfg=dict(
                nms_pre=1000,
                min_bbox_size=0,
                score_thr=0.05,
                nms=dict(type='nms', iou_threshold=0.6),
                max_per_img=40,
            ),
        ),
        init_cfg=dict(type='Pretrained', checkpoint=person_detector, prefix='proposals.'),
    ),
    sotd_head=dict(takes_proposals=True),
)
