# DanceTrack: https://github.com/DanceTrack/DanceTrack. Its test split has no boxes: for the server
# set test_dataloader.dataset.ann_file=annotations/test.json.
_base_ = './mot_clip.py'

data_root = 'data/dancetrack/'

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
