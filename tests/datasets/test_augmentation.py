"""Pipelines of the configs: boxes fit the pixels, and all frames of a clip are changed alike.

The pictures are pure red, green and blue rectangles on grey: red moves, blue stands still, green
lies partly outside the image. Where a colour is found after augmentation, there its box must be.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

ROOT = Path(__file__).resolve().parents[2]
NUM_FRAMES = 8
# BGR channel = instance id
BLUE, GREEN, RED = range(3)


def boxes_xyxy(frame, width, height):
    """Boxes of the three rectangles in px; {channel: [x1, y1, x2, y2]}."""
    unit = height // 16
    return {
        BLUE: [6 * unit, 10 * unit, 8 * unit, 13 * unit],
        GREEN: [width - 2 * unit, height - 3 * unit, width + unit, height + unit],
        RED: [(1 + frame) * unit, 2 * unit, (3 + frame) * unit, 6 * unit],
    }


def write_video(root, width, height):
    images, annotations = [], []
    (root / 'annotations').mkdir()
    for frame in range(NUM_FRAMES):
        picture = np.full((height, width, 3), 60, np.uint8)
        for channel, box in boxes_xyxy(frame, width, height).items():
            x1, y1, x2, y2 = box
            picture[y1:y2, x1:x2] = np.eye(3)[channel] * 220
            annotations.append(
                dict(
                    id=len(annotations),
                    image_id=frame,
                    category_id=1,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    instance_id=channel,
                )
            )
        cv2.imwrite(str(root / f'{frame}.png'), picture)
        images.append(
            dict(
                id=frame,
                video_id=0,
                frame_id=frame,
                mot_frame_id=frame + 1,
                file_name=f'{frame}.png',
                width=width,
                height=height,
            )
        )
    content = dict(categories=[dict(id=1, name='pedestrian')], videos=[dict(id=0, name='colours')])
    content |= dict(images=images, annotations=annotations)
    for split in ('train', 'val'):
        (root / 'annotations' / f'{split}.json').write_text(json.dumps(content))


def colour_extents(picture):
    """{channel: [x1, y1, x2, y2]} of the pixels in which one channel stands out."""
    values = np.sort(picture.astype(int), axis=-1)
    vivid = values[..., 2] - values[..., 1] > 60
    extents = {}
    for channel in (BLUE, GREEN, RED):
        ys, xs = np.nonzero(vivid & (picture.argmax(-1) == channel))
        if len(ys):
            extents[channel] = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    return extents


def build(config, split, root):
    cfg = Config.fromfile(ROOT / 'configs' / '_base_' / 'datasets' / config)
    dataset = cfg[f'{split}_dataloader'].dataset
    dataset.data_root = str(root)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(dataset)


def pictures_and_samples(sample):
    pictures = sample['inputs'].permute(0, 2, 3, 1).numpy()
    return list(zip(pictures, sample['data_samples'].video_data_samples))


@pytest.mark.parametrize(
    ('config', 'width', 'height', 'epochs'),
    [('pets.py', 768, 576, 40), ('dancetrack.py', 1280, 720, 8)],
)
def test_boxes_fit_the_pixels_of_every_frame(tmp_path, config, width, height, epochs):
    write_video(tmp_path, width, height)
    dataset = build(config, 'train', tmp_path)
    flips, shapes, numbers = set(), set(), set()
    for epoch in range(epochs):
        dataset.set_epoch(epoch)
        clip = pictures_and_samples(dataset[(0, 2)])
        assert len(clip) == 3
        for picture, frame in clip:
            found = colour_extents(picture)
            gt = frame.gt_instances
            boxes = dict(zip(gt.instances_ids.tolist(), gt.bboxes.numpy()))
            # slivers of a px or two at the border of a crop may be blurred away
            assert found.keys() <= boxes.keys()
            for channel, box in boxes.items():
                if channel in found:
                    assert np.abs(box - found[channel]).max() <= 2.5
                else:
                    assert min(box[2] - box[0], box[3] - box[1]) <= 2.5
            h, w = picture.shape[:2]
            assert (gt.bboxes.numpy() >= 0).all() and (gt.bboxes.numpy() <= [w, h, w, h]).all()
            assert len(gt.labels) == len(gt.bboxes)
            assert frame.metainfo['img_shape'] == (h, w)
            numbers.add(len(boxes))
        # one flip, size, crop and colour for all: what stands still looks the same
        assert len({(f.metainfo['flip'], f.metainfo['img_shape']) for _, f in clip}) == 1
        still = [
            {i: b.tolist() for i, b in zip(g.instances_ids.tolist(), g.bboxes) if i != RED}
            for g in (frame.gt_instances for _, frame in clip)
        ]
        assert still[0] == still[1] == still[2]
        greys = [np.median(picture.reshape(-1, 3), axis=0).tolist() for picture, _ in clip]
        assert greys[0] == greys[1] == greys[2]
        flips.add(frame.metainfo['flip'])
        shapes.add(frame.metainfo['img_shape'])
    assert flips == {True, False}
    assert len(shapes) > 3
    assert {2, 3} <= numbers  # crops that lose a rectangle, and others


def test_colours_change_from_clip_to_clip(tmp_path):
    write_video(tmp_path, 96, 64)
    dataset = build('pets.py', 'train', tmp_path)
    greys = set()
    for epoch in range(12):
        dataset.set_epoch(epoch)
        greys.add(tuple(np.median(dataset[(0, 0)]['inputs'][0].reshape(3, -1), axis=1)))
    assert len(greys) > 3


@pytest.mark.parametrize(
    ('config', 'width', 'height', 'short', 'long'),
    [('pets.py', 768, 576, None, 640), ('dancetrack.py', 1280, 720, 800, 1536)],
)
def test_testing_resizes_and_keeps_the_ground_truth(tmp_path, config, width, height, short, long):
    write_video(tmp_path, width, height)
    dataset = build(config, 'val', tmp_path)
    for index in (0, 5):
        ((picture, frame),) = pictures_and_samples(dataset[(0, index)])
        gt = frame.gt_instances
        # in px of the original image, and not clipped
        reference = boxes_xyxy(index, width, height)
        assert {i: b.tolist() for i, b in zip(gt.instances_ids.tolist(), gt.bboxes)} == reference
        assert frame.metainfo['ori_shape'] == (height, width)
        h, w = picture.shape[:2]
        assert abs(w / h - width / height) < 0.01
        assert max(h, w) <= long
        if short:
            assert min(h, w) == short
        scale = np.array([*frame.metainfo['scale_factor']] * 2)
        found = colour_extents(picture)
        assert np.abs(np.array(reference[RED]) * scale - found[RED]).max() <= 1.5
        assert (frame.metainfo['frame_id'], frame.metainfo['mot_frame_id']) == (index, index + 1)
