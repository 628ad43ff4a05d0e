"""`_base_/datasets/mot17_crowdhuman.py` on coloured rectangles: video next to moving still images.

Pictures and boxes are those of `test_augmentation`.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

spec = importlib.util.spec_from_file_location(
    'coloured', Path(__file__).with_name('test_augmentation.py')
)
coloured = importlib.util.module_from_spec(spec)
spec.loader.exec_module(coloured)
BLUE, RED, NUM_FRAMES = coloured.BLUE, coloured.RED, coloured.NUM_FRAMES


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """The config's training set: a video of 8 frames, and 8 still images."""
    monkeypatch.chdir(tmp_path)
    for name, width, height in (('MOT17', 960, 540), ('crowdhuman', 800, 640)):
        (tmp_path / 'data' / name).mkdir(parents=True)
        coloured.write_video(tmp_path / 'data' / name, width, height)
    write_stills(tmp_path / 'data' / 'crowdhuman' / 'annotations' / 'val.json')
    cfg = Config.fromfile(coloured.ROOT / 'configs' / '_base_' / 'datasets' / 'mot17_crowdhuman.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(cfg.train_dataloader.dataset)


def write_stills(path) -> None:
    """Each image is a video of its own, each box has an id of its own; blue is ignored."""
    content = json.loads(path.read_text())
    content['videos'] = [dict(id=image['id'], name=str(image['id'])) for image in content['images']]
    for image in content['images']:
        image.update(video_id=image['id'], frame_id=0)
    for annotation in content['annotations']:
        annotation['iscrowd'] = int(annotation['instance_id'] == BLUE)
        annotation['instance_id'] += 10 * annotation['image_id']
    path.write_text(json.dumps(content))


def boxes_by_id(frame) -> dict[int, np.ndarray]:
    """Of a frame, ignored ones as well."""
    boxes = {}
    for instances in (frame.gt_instances, frame.ignored_instances):
        boxes |= dict(zip(instances.instances_ids.tolist(), instances.bboxes.numpy()))
    return boxes


def test_videos_and_frames(dataset):
    assert len(dataset) == 1 + NUM_FRAMES
    assert dataset.num_all_imgs == 2 * NUM_FRAMES
    assert dataset.metainfo == dict(classes=('pedestrian',))


def test_boxes_fit_the_pixels_of_moving_stills(dataset):
    motions, numbers = set(), set()
    for epoch in range(2):
        dataset.set_epoch(epoch)
        for still in range(NUM_FRAMES):
            clip = coloured.pictures_and_samples(dataset[(1 + still, 0)])
            assert len(clip) == 3
            seen = []
            for picture, frame in clip:
                found = coloured.colour_extents(picture)
                boxes = {number - 10 * still: box for number, box in boxes_by_id(frame).items()}
                assert found.keys() <= boxes.keys()
                for channel, box in boxes.items():
                    if channel in found:
                        assert np.abs(box - found[channel]).max() <= 4  # blurred edges, enlarged
                    else:
                        assert min(box[2] - box[0], box[3] - box[1]) <= 4
                assert 10 * still + BLUE not in frame.gt_instances.instances_ids
                seen.append(boxes)
                numbers.add(len(boxes))
            if all(BLUE in boxes for boxes in seen):
                centres = [boxes[BLUE].reshape(2, 2).mean(0) for boxes in seen]
                motions.add(tuple(np.sign(np.round(centres[2] - centres[0])).tolist()))
    assert {2, 3} <= numbers  # rectangles that leave or enter, and clips that keep all
    assert len(motions) >= 3


def test_real_video_is_not_shifted(dataset):
    """Blue stands still, red moves on its own."""
    for epoch in range(4):
        dataset.set_epoch(epoch)
        boxes = [boxes_by_id(frame) for _, frame in coloured.pictures_and_samples(dataset[(0, 0)])]
        stands = [b[BLUE].tolist() for b in boxes if BLUE in b]
        assert all(box == stands[0] for box in stands)
        moves = [b[RED].tolist() for b in boxes if RED in b]
        assert len(moves) < 2 or moves[0] != moves[1]


def test_the_documented_mixture(tmp_path):
    """The config of docs/mixing.md loads, its second member augments as its first does."""
    text = (coloured.ROOT / 'docs' / 'mixing.md').read_text()
    block = text.split('```python\n')[1].split('```')[0]
    bases = coloured.ROOT / 'configs' / '_base_' / 'datasets'
    (tmp_path / 'mixed.py').write_text(block.replace("'./", f"'{bases}/"))
    dataset = Config.fromfile(tmp_path / 'mixed.py').train_dataloader.dataset
    assert [member.data_root for member in dataset.datasets] == ['data/dancetrack/', 'data/hall/']
    assert dataset.datasets[0].pipeline == dataset.datasets[1].pipeline
    assert dataset.keys() == {'type', 'datasets'}
