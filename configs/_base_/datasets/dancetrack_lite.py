# DanceTrack at short sides of 416-672 px, 544 px to test, for the lighter models.
_base_ = './dancetrack.py'

multi_scale = dict(_base_.multi_scale, scales=[(short, 1024) for short in range(416, 673, 32)])
enlarge = dict(_base_.enlarge, scales=[(544, 2800), (672, 2800), (800, 2800)])
crop = dict(_base_.crop, crop_size=(544, 816))

train_pipeline = [
    _base_.take_clip,
    _base_.load_and_vary,
    dict(
        type='RandomChoice',
        transforms=[
            [dict(**_base_.alike, transforms=[multi_scale])],
            [dict(**_base_.alike, transforms=[enlarge, crop, multi_scale])],
        ],
    ),
    _base_.pack,
]
test_pipeline = [
    dict(
        **_base_.each,
        transforms=[
            _base_.load_frame,
            dict(type='Resize', scale=(1024, 544), keep_ratio=True),
            _base_.load_boxes,
        ],
    ),
    _base_.pack,
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
