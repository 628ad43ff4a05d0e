# MOT17 (https://motchallenge.net/data/MOT17): the first half of each training sequence trains, the
# second validates. Converted by tools/dataset_converters/prepare_mot17.py.
_base_ = './mot_clip.py'

data_root = 'data/MOT17/'

# people are smaller than dancers: smaller crops of smaller images
enlarge = dict(_base_.enlarge, scales=[(400, 4200), (500, 4200), (600, 4200)])
crop = dict(_base_.crop, crop_size=(384, 600))

train_pipeline = [
    _base_.take_clip,
    _base_.load_and_vary,
    dict(
        type='RandomChoice',
        transforms=[
            [dict(**_base_.alike, transforms=[_base_.multi_scale])],
            [dict(**_base_.alike, transforms=[enlarge, crop, _base_.multi_scale])],
        ],
    ),
    _base_.pack,
]

train_dataloader = dict(
    dataset=dict(
        data_root=data_root, ann_file='annotations/half-train.json', pipeline=train_pipeline
    )
)
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='annotations/half-val.json'))
test_dataloader = val_dataloader

val_evaluator = dict(benchmark='MOT17')
test_evaluator = val_evaluator

# the split without ground truth, for tools/test.py --submission
submission = dict(benchmark='MOT17', ann_file='annotations/test.json')
