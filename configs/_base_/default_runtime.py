# What every run shares: hooks, logging, processes, seeds. Types of this package carry the prefix
# `lamotr_mm.`; the default scope stays mmdet's, whose own nested configs are written without one.
default_scope = 'mmdet'
custom_imports = dict(imports=['lamotr_mm', 'lamotr_mm.engine.hooks'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # save_best='track/HOTA' or any other metric keeps the best one too
    checkpoint=dict(type='lamotr_mm.CheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='lamotr_mm.TrackVisualizationHook', draw=False),
)
custom_hooks = [
    # random numbers depend on (seed, epoch, index) only: a resumed run equals an uninterrupted one
    dict(type='lamotr_mm.SeedHook'),
    # a NaN loss ends the run before it reaches a checkpoint
    dict(type='lamotr_mm.FiniteLossHook'),
    # converted weights mean something else to a model with other settings
    dict(type='lamotr_mm.ConvertedWeightsHook'),
    # precision, recall and F1 of the association scores while training and validating
    dict(type='lamotr_mm.AssociationMetricHook'),
    # frozen batch norms of ConvModules as a part of their convolutions: less work
    dict(type='lamotr_mm.FrozenNormHook'),
]

env_cfg = dict(
    # image sizes change from batch to batch: benchmarking would search anew each time
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # tools/train.py and tools/test.py replace it by gloo where there is no GPU
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='mmdet.TrackLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'

load_from = None
resume = False
