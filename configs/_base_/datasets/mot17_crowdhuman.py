# MOT17 in whole and CrowdHuman's validation set to train on, as in Sec. 4.2: 5,316 frames and 4,370
# still images, each of which becomes a clip that moves. docs/mixing.md says how sets are mixed.
_base_ = './mot17.py'

crowdhuman_pipeline = [
    *_base_.train_pipeline[:2],  # take the clip, load it
    dict(type='lamotr_mm.RepeatedRandomShift', max_shift=50, reverse_prob=0.5),
    *_base_.train_pipeline[2:],  # sizes and crops
]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='lamotr_mm.ConcatVideoDataset',
        datasets=[
            _base_.train_dataloader.dataset,
            dict(
                type='lamotr_mm.MOTVideoDataset',
                data_root='data/crowdhuman/',
                ann_file='annotations/val.json',
                data_prefix=dict(img_path=''),
                metainfo=dict(classes=('pedestrian',)),
                seed=0,
                pipeline=crowdhuman_pipeline,
            ),
        ],
    )
)
