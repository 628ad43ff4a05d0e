"""Ids by the ground truth, on boxes whose IoU is known."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from lamotr_mm.peers import PerfectIds

TARGETS = [
    dict(bbox=[0, 0, 10, 10], bbox_label=0, instance_id=7, ignore_flag=0),
    dict(bbox=[20, 0, 30, 10], bbox_label=0, instance_id=9, ignore_flag=0),
    dict(bbox=[60, 0, 70, 10], bbox_label=0, instance_id=3, ignore_flag=1),
]


def frame(boxes, scores=None, labels=None, number=0, **meta):
    meta = dict(frame_id=number, instances=TARGETS) | meta
    sample = DetDataSample(metainfo={k: v for k, v in meta.items() if v is not None})
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        scores=torch.tensor(scores or [0.9] * len(boxes)),
        labels=torch.tensor(labels or [0] * len(boxes)),
    )
    return sample


A, B = [0, 0, 10, 9], [21, 0, 31, 10]  # IoU 0.9 with 7, 9/11 with 9
SECOND_ON_A = [0, 2, 10, 10]  # IoU 0.8 with 7
ELSEWHERE = [40, 0, 50, 10]
HALF_OFF = [25, 0, 35, 10]  # IoU 1/3 with 9


def test_ids_follow_the_targets():
    oracle = PerfectIds()
    a, second, b, stray = oracle.track(frame([A, SECOND_ON_A, B, ELSEWHERE])).instances_id.tolist()
    assert len({a, second, b, stray}) == 4
    later = oracle.track(frame([B, ELSEWHERE, SECOND_ON_A, HALF_OFF], number=1))
    ids = later.instances_id.tolist()
    # now the second one is alone on the target
    assert (ids[0], ids[2]) == (b, a)
    # what is on no target is a track of one frame
    assert not {ids[1], ids[3]} & {a, second, b, stray} and ids[1] != ids[3]
    assert later.bboxes.tolist() == [B, ELSEWHERE, SECOND_ON_A, HALF_OFF]


def test_thresholds():
    tracks = PerfectIds(score_thr=0.5).track(frame([A, B], scores=[0.5, 0.51]))
    assert tracks.bboxes.tolist() == [B]
    oracle = PerfectIds(iou_thr=0.3)
    (b,) = oracle.track(frame([B])).instances_id.tolist()
    assert oracle.track(frame([HALF_OFF], number=1)).instances_id.tolist() == [b]


def test_classes_and_ignored_targets():
    oracle = PerfectIds()
    (a,) = oracle.track(frame([A])).instances_id.tolist()
    other_class = oracle.track(frame([A], labels=[1], number=1)).instances_id.tolist()
    assert other_class != [a]
    ignored = [60, 0, 70, 10]
    ids = [oracle.track(frame([ignored], number=n)).instances_id.item() for n in (2, 3)]
    assert ids[0] != ids[1]


def test_a_new_video_and_no_detections():
    oracle = PerfectIds()
    first = oracle.track(frame([A, B])).instances_id.tolist()
    assert len(oracle.track(frame([], number=1)).bboxes) == 0
    assert oracle.track(frame([A, B])).instances_id.tolist() == first


def test_without_ground_truth():
    with pytest.raises(ValueError, match="perfect ids need the ground truth, 'instances'"):
        PerfectIds().track(frame([A], instances=None))
