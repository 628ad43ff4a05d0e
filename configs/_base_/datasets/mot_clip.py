# Clips of annotated video, for frames of about 1080p; three frames at intervals of 1-10 as in the
# paper (Sec. 4.2). docs/datasets.md says how to make the json of a data set.
_base_ = './clips.py'

data_root = 'data/mot/'

take_clip = dict(type='lamotr_mm.ClipSampler', clip_len=3, max_interval=10)
# short sides of 608-992 px, long side at most 1536
multi_scale = dict(
    type='RandomChoiceResize',
    scales=[(short, 1536) for short in range(608, 993, 32)],
    keep_ratio=True,
)
# any long side
enlarge = dict(
    type='RandomChoiceResize', scales=[(800, 4200), (1000, 4200), (1200, 4200)], keep_ratio=True
)
crop = dict(
    type='RandomCrop',
    crop_type='absolute_range',
    crop_size=(800, 1200),
    allow_negative_crop=True,  # a frame of the clip may lose all its boxes
)

train_pipeline = [
    take_clip,
    _base_.load_and_vary,
    # outside the broadcasters, which would ask it for a branch twice
    dict(
        type='RandomChoice',
        transforms=[
            [dict(**_base_.alike, transforms=[multi_scale])],
            [dict(**_base_.alike, transforms=[enlarge, crop, multi_scale])],
        ],
    ),
    _base_.pack,
]
# boxes after Resize: ground truth in px of the original image
test_pipeline = [
    dict(
        **_base_.each,
        transforms=[
            _base_.load_frame,
            dict(type='Resize', scale=(1536, 800), keep_ratio=True),
            _base_.load_boxes,
        ],
    ),
    _base_.pack,
]

train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        type='lamotr_mm.MOTVideoDataset',
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img_path=''),
        metainfo=dict(classes=('pedestrian',)),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='lamotr_mm.MOTVideoDataset',
        data_root=data_root,
        ann_file='annotations/val.json',
        data_prefix=dict(img_path=''),
        metainfo=dict(classes=('pedestrian',)),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
