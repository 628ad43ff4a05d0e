# PETS09-S2L1, 768x576 px at 7 fps, at which people move far from frame to frame: frames 1-450
# train, 451-600 validate. tools/dataset_converters/prepare_pets.py makes data_root.
_base_ = './small_clip.py'

data_root = 'data/pets09_s2l1/'

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
