"""LA-MOTR's output boxes with the ids of the ground truth: what its own association lacks."""

_base_ = './perfect-ids_people.py'

model = dict(detector=dict(boxes='tracks'), tracker=dict(score_thr=0.0))

# every reported box takes part: nothing to tune
peer = dict(_delete_=True, name="perfect ids on LA-MOTR's boxes", thresholds={'all': {}}, grid={})
