# For the small models that train on a CPU from an ImageNet backbone: a higher rate than the
# paper's, falling along a cosine. Child configs set max_epochs and T_max.
_base_ = './adamw_18e.py'

optim_wrapper = dict(
    constructor='lamotr_mm.FewGroupsConstructor',
    # fused: one pass over the weights instead of a dozen, which takes few groups
    optimizer=dict(lr=4e-4, weight_decay=1e-4, fused=True),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.25)}),
)
param_scheduler = dict(
    _delete_=True,
    type='CosineAnnealingLR',
    eta_min_ratio=0.02,
    by_epoch=True,
    convert_to_iter_based=True,
)
