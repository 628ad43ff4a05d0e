# The paper's DanceTrack schedule (Sec. 4.2): AdamW, 18 epochs, learning rate x 0.1 after 12.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=5e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    # where the paper is silent, as in Deformable DETR: 2e-5 for these
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'sampling_offsets': dict(lr_mult=0.1),
            # of plain Deformable DETR; the DAB base has none
            'reference_points': dict(lr_mult=0.1),
        }
    ),
)
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=18, by_epoch=True, milestones=[12], gamma=0.1),
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=18, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# the rate is for 4 GPUs with one clip each; --auto-scale-lr fits it to others
auto_scale_lr = dict(enable=False, base_batch_size=4)
