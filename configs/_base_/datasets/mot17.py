# MOT17 in whole: 7 sequences train, 7 test, none is left to validate on.
_base_ = './mot17_half.py'

train_dataloader = dict(dataset=dict(ann_file='annotations/train.json'))
val_dataloader = None
val_evaluator = None
test_dataloader = dict(dataset=dict(ann_file='annotations/test.json'))
