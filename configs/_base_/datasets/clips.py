# What every data set has in common: named parts of pipelines, loaders, the metric. A file that
# inherits this puts its pipelines together from the parts, as in mot_clip.py.

# for the frames of a clip: all alike, or each by itself
alike = dict(type='TransformBroadcaster', share_random_params=True)
each = dict(type='TransformBroadcaster')

load_frame = dict(type='lamotr_mm.LoadFrame')
load_boxes = dict(type='LoadTrackAnnotations')
flip = dict(type='RandomFlip', prob=0.5)
# what comes before sizes and crops; HSV first of all, since it writes into the image
load_and_vary = dict(
    **alike, transforms=[load_frame, load_boxes, dict(type='YOLOXHSVRandomAug'), flip]
)
pack = dict(type='PackTrackInputs', meta_keys=('video_name', 'mot_frame_id'))

train_dataloader = dict(
    batch_size=1,  # clips
    num_workers=1,
    persistent_workers=True,
    # each frame starts one clip an epoch; a fixed seed, so that a resumed run goes on the same
    sampler=dict(type='TrackImgSampler', seed=0),
    dataset=dict(seed=0),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='lamotr_mm.VideoFrameSampler'),  # frame after frame
    dataset=dict(test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='lamotr_mm.TrackingMetric')
test_evaluator = val_evaluator
