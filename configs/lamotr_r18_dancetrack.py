"""Another backbone is a few overridden keys: ResNet-18."""

_base_ = './lamotr_dancetrack.py'

model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[128, 256, 512]),
)
# no detector with this backbone to start from
load_from = None
