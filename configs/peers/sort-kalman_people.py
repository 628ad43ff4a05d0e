"""SORT as published: boxes that a Kalman filter predicts, matched by IoU once (docs/peers.md).

Put together of mmdet's ByteTracker without its second round; thresholds are those of the paper
(Bewley et al., 2016): IoU 0.3, three frames to confirm a track, one to miss.
"""

_base_ = './bytetrack_people.py'

model = dict(
    tracker=dict(
        obj_score_thrs=dict(high=0.5, low=1.0),  # no score is above 1: no second round
        init_track_thr=0.5,
        weight_iou_with_det_scores=False,
        match_iou_thrs=dict(high=0.3, tentative=0.3),
        num_tentatives=3,
        num_frames_retain=2,
    ),
)

peer = dict(
    _delete_=True,
    name='SORT with prediction',
    thresholds={"paper's thresholds": {}},
    grid={
        'tracker.obj_score_thrs.high': [0.3, 0.4, 0.5, 0.6, 0.7],
        'tracker.init_track_thr': [0.3, 0.4, 0.5, 0.6, 0.7],
        'tracker.match_iou_thrs.high': [0.1, 0.2, 0.3],
        'tracker.match_iou_thrs.tentative': [0.1, 0.3],
        'tracker.num_tentatives': [1, 2, 3],
        'tracker.num_frames_retain': [2, 5, 10, 30],
    },
)
