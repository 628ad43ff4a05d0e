"""Frames with hand-made detections, and every peer."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from lamotr_mm.peers.comparison import KeptFrame, load_peer

PEERS = Path(__file__).parents[2] / 'configs' / 'peers'
NAMES = sorted(path.stem.removesuffix('_people') for path in PEERS.glob('*.py'))


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')


@pytest.fixture(params=NAMES)
def peer(request):
    return load_peer(PEERS / f'{request.param}_people.py')


@pytest.fixture
def peer_of():
    return lambda name: load_peer(PEERS / f'{name}_people.py')


@pytest.fixture
def detected():
    """Frame by frame from boxes xyxy, detected with a score; ids of the targets are as given."""

    def make(boxes_of_frames, score=0.9, ids=None):
        frames = []
        for number, boxes in enumerate(boxes_of_frames):
            boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
            owners = range(1, len(boxes) + 1) if ids is None else ids[number]
            instances = [
                dict(bbox=box, bbox_label=0, instance_id=owner, ignore_flag=0)
                for box, owner in zip(boxes.tolist(), owners)
            ]
            meta = dict(frame_id=number, video_id=0, video_name='v', instances=instances)
            sample = DetDataSample(metainfo=meta)
            sample.pred_instances = InstanceData(
                bboxes=boxes,
                scores=torch.full((len(boxes),), score),
                labels=torch.zeros(len(boxes), dtype=torch.long),
            )
            frames.append(KeptFrame(TrackDataSample(video_data_samples=[sample]), None))
        return frames

    return make
