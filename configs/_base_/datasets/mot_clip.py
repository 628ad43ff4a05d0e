# Clips of annotated video, for frames of about 1080p; three frames at intervals of 1-10 as in the
# paper (Sec. 4.2). docs/datasets.md says how to make the json of a data set.
data_root = 'data/mot/'
clip_len = 3
max_interval = 10

# short sides of 608-992 px, long side at most 1536
multi_scale = dict(
    type='RandomChoiceResize',
    scales=[(short, 1536) for short in range(608, 993, 32)],
    keep_ratio=True,
)
meta_keys = ('video_name', 'mot_frame_id')

train_pipeline = [
    dict(type='lamotr_mm.ClipSampler', clip_len=clip_len, max_interval=max_interval),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,  # the whole clip alike
        transforms=[
            dict(type='lamotr_mm.LoadFrame'),
            dict(type='LoadTrackAnnotations'),
            # before any crop or flip: it writes into the image
            dict(type='YOLOXHSVRandomAug'),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    # outside the broadcaster, which would ask it for a branch twice
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='TransformBroadcaster', share_random_params=True, transforms=[multi_scale])],
            [
                dict(
                    type='TransformBroadcaster',
                    share_random_params=True,
                    transforms=[
                        # any long side
                        dict(
                            type='RandomChoiceResize',
                            scales=[(800, 4200), (1000, 4200), (1200, 4200)],
                            keep_ratio=True,
                        ),
                        dict(
                            type='RandomCrop',
                            crop_type='absolute_range',
                            crop_size=(800, 1200),
                            # a frame of the clip may lose all its boxes
                            allow_negative_crop=True,
                        ),
                        multi_scale,
                    ],
                )
            ],
        ],
    ),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]

test_pipeline = [
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='lamotr_mm.LoadFrame'),
            dict(type='Resize', scale=(1536, 800), keep_ratio=True),
            # after Resize: ground truth in px of the original image
            dict(type='LoadTrackAnnotations'),
        ],
    ),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]

train_dataloader = dict(
    batch_size=1,  # clips
    num_workers=2,
    persistent_workers=True,
    # each frame starts one clip an epoch; a fixed seed, so that a resumed run goes on the same
    sampler=dict(type='TrackImgSampler', seed=0),
    dataset=dict(
        type='lamotr_mm.MOTVideoDataset',
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img_path=''),
        metainfo=dict(classes=('pedestrian',)),
        seed=0,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='lamotr_mm.VideoFrameSampler'),  # frame after frame
    dataset=dict(
        type='lamotr_mm.MOTVideoDataset',
        data_root=data_root,
        ann_file='annotations/val.json',
        data_prefix=dict(img_path=''),
        metainfo=dict(classes=('pedestrian',)),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='lamotr_mm.TrackingMetric')
test_evaluator = val_evaluator
