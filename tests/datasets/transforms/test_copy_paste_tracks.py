"""CopyPasteTracks: who is pasted is found again in the pixels, and walks as it was cut out."""

import random

import cv2
import numpy as np
import pytest

from lamotr_mm.datasets import CopyPasteTracks
from lamotr_mm.datasets.transforms.copy_paste_tracks import FIRST_ID
from lamotr_mm.io.cutouts import Cutout, write_runs

HEIGHT, WIDTH = 200, 300
# of everybody in the clip, xyxy px: one target that stands still
OTHER = [140, 80, 160, 140]


@pytest.fixture
def cutouts(tmp_path):
    """One target in blue, 10x30 px in a picture of 14x34, that walks 4 px a frame to the right."""
    (tmp_path / 'v').mkdir()
    picture = np.zeros((34, 14, 4), np.uint8)
    picture[2:32, 2:12] = 255, 0, 0, 255
    run = []
    for frame in range(0, 20, 2):
        cv2.imwrite(str(tmp_path / f'v/{frame}.png'), picture)
        run.append(Cutout(f'v/{frame}.png', frame, (50 + 4 * frame, 20), (2, 2, 12, 32)))
    write_runs(tmp_path, [run])
    return tmp_path


def clip(frame_ids=(3, 5, 9), boxes=(OTHER,)):
    count = len(frame_ids)
    return dict(
        img=[np.full((HEIGHT, WIDTH, 3), 60, np.uint8) for _ in range(count)],
        gt_bboxes=[np.array(boxes, np.float32).reshape(-1, 4) for _ in range(count)],
        gt_bboxes_labels=[np.zeros(len(boxes), np.int64) for _ in range(count)],
        gt_instances_ids=[np.arange(len(boxes), dtype=np.int32) for _ in range(count)],
        gt_ignore_flags=[np.zeros(len(boxes), bool) for _ in range(count)],
        frame_id=list(frame_ids),
    )


def paste(cutouts, seed, **kwargs):
    random.seed(seed)
    clean = clip(**kwargs)
    before = [image.copy() for image in clean['img']]
    frames = list(clean['img'])
    result = CopyPasteTracks(str(cutouts), prob=1.0, most=1).transform(clean)
    assert all((a == b).all() for a, b in zip(frames, before))  # the loaded images stay
    return result, before


def drawn(image, before):
    """xyxy of the pixels that have changed."""
    rows, columns = np.nonzero((image != before).any(-1))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def test_boxes_are_where_the_pixels_are(cutouts):
    """To three px: pictures stand at whole px, and interpolation blurs their borders."""
    for seed in range(30):
        result, before = paste(cutouts, seed)
        for t in range(3):
            boxes, ids = result['gt_bboxes'][t], result['gt_instances_ids'][t]
            assert boxes.dtype == np.float32 and ids.dtype == np.int32
            assert boxes[0].tolist() == OTHER and ids.tolist() == [0, FIRST_ID]
            assert result['gt_bboxes_labels'][t].tolist() == [0, 0]
            assert result['gt_ignore_flags'][t].tolist() == [False, False]
            np.testing.assert_allclose(boxes[1], drawn(result['img'][t], before[t]), atol=3)


def test_it_walks_as_it_was_cut_out(cutouts):
    """4 px a frame at 30 px of height, to either side, scaled; frames 2 and 4 apart, to the nearest
    of the cutouts, which are 2 apart."""
    directions = set()
    for seed in range(30):
        boxes = np.stack([boxes[1] for boxes in paste(cutouts, seed)[0]['gt_bboxes']])
        scale = (boxes[:, 3] - boxes[:, 1]) / 30
        assert np.ptp(scale) < 1e-4
        steps = np.diff(boxes[:, :2], axis=0)
        np.testing.assert_allclose(np.abs(steps[:, 0]), np.array([8, 16]) * scale[0], atol=1e-3)
        np.testing.assert_allclose(steps[:, 1], 0, atol=1e-3)
        directions.add(np.sign(steps[0, 0]))
    assert directions == {-1, 1}


def test_it_crosses_somebody_in_front(cutouts):
    """In one of the frames: as large as the other, beside it or before it, never behind."""
    for seed in range(30):
        boxes = np.stack([boxes[1] for boxes in paste(cutouts, seed)[0]['gt_bboxes']])
        height = boxes[0, 3] - boxes[0, 1]
        assert 0.9 * 60 - 1e-3 <= height <= 1.2 * 60 + 1e-3
        assert (boxes[:, 3] >= OTHER[3] - 1e-3).all() and (boxes[:, 3] <= OTHER[3] + 9.01).all()
        distance = np.abs((boxes[:, 0] + boxes[:, 2]) / 2 - 150).min()
        assert distance <= 1.5 * 20 + 1e-3


def test_clips_without_room_stay_as_they_are(cutouts):
    for kwargs in (dict(boxes=()), dict(frame_ids=(0, 10, 20))):
        result, before = paste(cutouts, 0, **kwargs)
        assert all((a == b).all() for a, b in zip(result['img'], before))
        assert len(result['gt_bboxes'][0]) == len(kwargs.get('boxes', (OTHER,)))
    random.seed(0)
    CopyPasteTracks(str(cutouts), prob=0.0).transform(clean := clip())
    assert len(clean['gt_bboxes'][0]) == 1


def test_who_leaves_the_image_leaves_the_frame(cutouts):
    """At the right border: what is outside is cut off, and of a target that is mostly outside
    nothing is drawn."""
    border = [[280, 80, 300, 140]]
    counts = set()
    for seed in range(60):
        result, before = paste(cutouts, seed, boxes=border)
        for t in range(3):
            boxes = result['gt_bboxes'][t]
            counts.add(len(boxes))
            assert (boxes >= 0).all() and (boxes[:, 2] <= WIDTH).all()
            changed = bool((result['img'][t] != before[t]).any())
            assert changed == (len(boxes) == 2)
    assert counts == {1, 2}


def test_share_and_number(cutouts):
    random.seed(0)
    transform = CopyPasteTracks(str(cutouts), prob=0.5, most=3)
    counts = [len(transform.transform(clip())['gt_bboxes'][0]) - 1 for _ in range(300)]
    assert abs(sum(count > 0 for count in counts) - 150) < 40  # standard deviation 9
    assert set(counts) == {0, 1, 2, 3}


def test_arguments(cutouts, tmp_path):
    for wrong in (dict(prob=1.5), dict(most=0)):
        with pytest.raises(ValueError, match='CopyPasteTracks needs prob in'):
            CopyPasteTracks(str(cutouts), **wrong)
    with pytest.raises(FileNotFoundError, match='cut_out_targets'):
        CopyPasteTracks(str(tmp_path / 'none'), prob=1.0).transform(clip())
