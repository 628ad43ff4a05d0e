"""The motion part of mmdet's StrongSORT on LA-MOTR's object detections (docs/peers.md).

Without ReID, camera motion compensation (the cameras stand still), AFLink and interpolation.
"""

_base_ = './bytetrack_people.py'

model = dict(
    type='lamotr_mm.OnlineStrongSORT',
    reid=dict(type='lamotr_mm.NoAppearance'),
    tracker=dict(
        _delete_=True,
        type='lamotr_mm.MotionStrongSORTTracker',
        motion=dict(type='KalmanFilter', center_only=False, use_nsa=True),
        obj_score_thr=0.6,
        # 9.4877: chi-square with 4 degrees of freedom at 0.95, where the filter gates
        reid=dict(num_samples=None, motion_weight=1.0, match_score_thr=9.4877),
        match_iou_thr=0.7,
        momentums=dict(embeds=0.1),
        num_tentatives=2,
        num_frames_retain=100,
    ),
)

peer = dict(
    _delete_=True,
    name='StrongSORT (motion)',
    thresholds={"mmdet's thresholds": {}},
    grid={
        'tracker.obj_score_thr': [0.3, 0.4, 0.5, 0.6, 0.7],
        'tracker.match_iou_thr': [0.1, 0.3, 0.5, 0.7],
        'tracker.reid.match_score_thr': [1.0, 3.0, 9.4877],
        'tracker.num_tentatives': [1, 2, 3],
        'tracker.num_frames_retain': [5, 10, 30, 100],
    },
)
