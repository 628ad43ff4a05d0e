# Synthetic video, drawn while training: 256x320 px, difficulties 0 to 3 in turn.
clip_len = 3
max_interval = 2
meta_keys = ('video_name', 'mot_frame_id')

train_pipeline = [
    dict(type='lamotr_mm.ClipSampler', clip_len=clip_len, max_interval=max_interval),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='lamotr_mm.LoadSyntheticFrame'),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='TransformBroadcaster', transforms=[dict(type='lamotr_mm.LoadSyntheticFrame')]),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]

train_dataloader = dict(
    batch_size=1,  # clips
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='TrackImgSampler', seed=0),
    dataset=dict(
        type='lamotr_mm.SyntheticVideoDataset',
        split='train',
        num_videos=120,
        video_length=10,
        difficulty=(0, 1, 2, 3),
        seed=0,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='lamotr_mm.VideoFrameSampler'),
    dataset=dict(
        type='lamotr_mm.SyntheticVideoDataset',
        split='val',
        num_videos=4,
        video_length=40,
        difficulty=(0, 1, 2, 3),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader | dict(dataset=val_dataloader['dataset'] | dict(split='test'))

val_evaluator = dict(type='lamotr_mm.TrackingMetric')
test_evaluator = val_evaluator
