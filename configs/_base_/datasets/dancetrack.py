# DanceTrack (https://github.com/DanceTrack/DanceTrack): 40 sequences train, 25 validate, 35 test,
# converted by tools/dataset_converters/prepare_dancetrack.py.
_base_ = './mot_clip.py'

data_root = 'data/dancetrack/'

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

val_evaluator = dict(benchmark='DanceTrack')
test_evaluator = val_evaluator

# the split without ground truth, for tools/test.py --submission
submission = dict(benchmark='DanceTrack', ann_file='annotations/test.json')
