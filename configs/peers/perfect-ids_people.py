"""LA-MOTR's object detections with the ids of the ground truth: what association can gain."""

_base_ = './bytetrack_people.py'

model = dict(tracker=dict(_delete_=True, type='lamotr_mm.PerfectIds', score_thr=0.5, iou_thr=0.5))

peer = dict(
    _delete_=True,
    name='perfect ids',
    thresholds={'score > 0.5': {}},
    grid={'tracker.score_thr': [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]},
)
