# Synthetic video, drawn while training: 256x320 px, difficulties 0 to 3 in turn.
_base_ = './clips.py'

load_synthetic = dict(type='lamotr_mm.LoadSyntheticFrame')

train_pipeline = [
    dict(type='lamotr_mm.ClipSampler', clip_len=3, max_interval=2),
    dict(**_base_.alike, transforms=[load_synthetic, _base_.flip]),
    _base_.pack,
]
test_pipeline = [dict(**_base_.each, transforms=[load_synthetic]), _base_.pack]

train_dataloader = dict(
    dataset=dict(
        type='lamotr_mm.SyntheticVideoDataset',
        split='train',
        num_videos=120,
        video_length=10,
        difficulty=(0, 1, 2, 3),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='lamotr_mm.SyntheticVideoDataset',
        split='val',
        num_videos=4,
        video_length=40,
        difficulty=(0, 1, 2, 3),
        pipeline=test_pipeline,
    )
)
test_dataloader = dict(dataset=val_dataloader['dataset'] | dict(split='test'))
