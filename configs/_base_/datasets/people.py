# Two street scenes with a static camera, PETS09-S2L1 (768x576 px, 7 fps) and ADL-Rundle-6 (MOT15:
# 1920x1080 px, 30 fps). tools/dataset_converters/prepare_people.py makes data_root; `fit` and `dev`
# are parts of `train` to choose settings on.
_base_ = './small_clip.py'

data_root = 'data/people/'

train_pipeline = [
    dict(_base_.take_clip, reverse_prob=0.5, jump_prob=0.3),
    _base_.load_and_vary,
    # tools/dataset_converters/cut_out_targets.py makes the folder
    dict(type='lamotr_mm.CopyPasteTracks', cutouts=data_root + 'cutouts', prob=0.6),
    *_base_.train_pipeline[2:],
]

train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
