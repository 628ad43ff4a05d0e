"""mmdet's ByteTrack on LA-MOTR's object detections in the two street scenes (docs/peers.md)."""

_base_ = '../lamotr_people.py'

model = dict(
    _delete_=True,
    type='ByteTrack',
    data_preprocessor=_base_.model.data_preprocessor,
    detector=dict(
        type='lamotr_mm.DetectionsOf',
        model=_base_.model,
        checkpoint='demo/weights/lamotr_people.pth',
        cache_dir='work_dirs/detections',
    ),
    tracker=dict(
        type='ByteTracker',
        motion=dict(type='KalmanFilter'),
        obj_score_thrs=dict(high=0.6, low=0.1),
        init_track_thr=0.7,
        weight_iou_with_det_scores=True,
        match_iou_thrs=dict(high=0.1, low=0.5, tentative=0.3),
        num_tentatives=3,
        num_frames_retain=30,
    ),
)

# for tools/benchmark_trackers.py: rows of its table, and what --tune tries key by key
peer = dict(
    name='ByteTrack',
    thresholds={
        "mmdet's thresholds": {},
        # a DETR's scores are lower than YOLOX's
        'thresholds 0.5': {'tracker.obj_score_thrs.high': 0.5, 'tracker.init_track_thr': 0.5},
    },
    grid={
        'tracker.obj_score_thrs.high': [0.3, 0.4, 0.5, 0.6, 0.7],
        'tracker.obj_score_thrs.low': [0.05, 0.1, 0.2, 0.3],
        'tracker.init_track_thr': [0.3, 0.4, 0.5, 0.6, 0.7],
        'tracker.match_iou_thrs.high': [0.05, 0.1, 0.2, 0.3],
        'tracker.match_iou_thrs.low': [0.3, 0.5, 0.7],
        'tracker.match_iou_thrs.tentative': [0.1, 0.3],
        'tracker.num_tentatives': [1, 2, 3],
        'tracker.num_frames_retain': [5, 10, 30],
    },
)

# nothing is trained
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
custom_hooks = []
load_from = None
