# SportsMOT (https://github.com/MCG-NJU/SportsMOT): 45 sequences train, 45 validate, 150 test,
# converted by tools/dataset_converters/prepare_sportsmot.py.
_base_ = './mot_clip.py'

data_root = 'data/sportsmot/'

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

val_evaluator = dict(benchmark='SportsMOT')
test_evaluator = val_evaluator

# the split without ground truth, for tools/test.py --submission
submission = dict(benchmark='SportsMOT', ann_file='annotations/test.json')
