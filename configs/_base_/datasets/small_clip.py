# Clips for the small models that train on a CPU: frames of about 640x384 px.
_base_ = './mot_clip.py'

take_clip = dict(type='lamotr_mm.ClipSampler', clip_len=3, max_interval=5)
# short sides of 288-384 px
multi_scale = dict(
    type='RandomChoiceResize',
    scales=[(short, 640) for short in range(288, 385, 32)],
    keep_ratio=True,
)
crop = dict(
    type='RandomCrop',
    crop_type='relative_range',
    crop_size=(0.7, 0.7),
    allow_negative_crop=True,
)

train_pipeline = [
    take_clip,
    _base_.load_and_vary,
    dict(
        type='RandomChoice',
        transforms=[
            [dict(**_base_.alike, transforms=[multi_scale])],
            [dict(**_base_.alike, transforms=[crop, multi_scale])],
        ],
    ),
    _base_.pack,
]
test_pipeline = [
    dict(
        **_base_.each,
        transforms=[
            _base_.load_frame,
            dict(type='Resize', scale=(640, 352), keep_ratio=True),
            _base_.load_boxes,
        ],
    ),
    _base_.pack,
]

train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
