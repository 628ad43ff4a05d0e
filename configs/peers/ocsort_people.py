"""mmdet's OC-SORT on LA-MOTR's object detections in the two street scenes (docs/peers.md)."""

_base_ = './bytetrack_people.py'

model = dict(
    type='OCSORT',
    tracker=dict(
        _delete_=True,
        type='OCSORTTracker',
        motion=dict(type='KalmanFilter'),
        obj_score_thr=0.3,
        init_track_thr=0.7,
        weight_iou_with_det_scores=True,
        match_iou_thr=0.3,
        num_tentatives=3,
        vel_consist_weight=0.2,
        vel_delta_t=3,
        num_frames_retain=30,
    ),
)

peer = dict(
    _delete_=True,
    name='OC-SORT',
    thresholds={"mmdet's thresholds": {}},
    grid={
        'tracker.obj_score_thr': [0.2, 0.3, 0.4, 0.5, 0.6],
        'tracker.init_track_thr': [0.3, 0.4, 0.5, 0.6, 0.7],
        'tracker.match_iou_thr': [0.1, 0.2, 0.3],
        'tracker.num_tentatives': [1, 2, 3],
        'tracker.vel_consist_weight': [0.0, 0.2, 0.4],
        'tracker.num_frames_retain': [5, 10, 30],
    },
)
