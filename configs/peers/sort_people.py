"""mmdet's SORT on LA-MOTR's object detections in the two street scenes (docs/peers.md).

mmdet's SORTTracker without ReID matches the last boxes, not those that its Kalman filter predicts,
and only of tracks that were there in the last frame; sort-kalman_people.py predicts.
"""

_base_ = './bytetrack_people.py'

model = dict(
    type='DeepSORT',
    tracker=dict(
        _delete_=True,
        type='SORTTracker',
        motion=dict(type='KalmanFilter', center_only=False),
        obj_score_thr=0.5,
        match_iou_thr=0.5,
        reid=None,
    ),
)

peer = dict(
    _delete_=True,
    name='SORT',
    thresholds={"mmdet's thresholds": {}},
    # further arguments change nothing without ReID
    grid={
        'tracker.obj_score_thr': [0.3, 0.4, 0.5, 0.6, 0.7],
        'tracker.match_iou_thr': [0.1, 0.2, 0.3, 0.4, 0.5, 0.7],
    },
)
