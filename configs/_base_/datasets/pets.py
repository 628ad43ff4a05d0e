# PETS09-S2L1, 768x576 px at 7 fps: frames 1-450 train, 451-600 validate.
# tools/dataset_converters/prepare_pets.py makes data_root.
_base_ = './mot_clip.py'

data_root = 'data/pets09_s2l1/'
clip_len = 3
max_interval = 5  # at 7 fps people move far

# short sides of 288-384 px: a CPU's share
multi_scale = dict(
    type='RandomChoiceResize',
    scales=[(short, 640) for short in range(288, 385, 32)],
    keep_ratio=True,
)
meta_keys = ('video_name', 'mot_frame_id')

train_pipeline = [
    dict(type='lamotr_mm.ClipSampler', clip_len=clip_len, max_interval=max_interval),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='lamotr_mm.LoadFrame'),
            dict(type='LoadTrackAnnotations'),
            dict(type='YOLOXHSVRandomAug'),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='TransformBroadcaster', share_random_params=True, transforms=[multi_scale])],
            [
                dict(
                    type='TransformBroadcaster',
                    share_random_params=True,
                    transforms=[
                        dict(
                            type='RandomCrop',
                            crop_type='relative_range',
                            crop_size=(0.7, 0.7),
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
            dict(type='Resize', scale=(640, 352), keep_ratio=True),
            dict(type='LoadTrackAnnotations'),
        ],
    ),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]

train_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
