"""Clips as pictures: boxes where they belong, in the colour of their id; what the caption says."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.structures import InstanceData

from lamotr_mm.visualization import draw_clips
from lamotr_mm.visualization.contact_sheet import GAP
from lamotr_mm.visualization.draw_clips import LINE, draw_clip
from lamotr_mm.visualization.draw_tracks import colour_of

HEIGHT, WIDTH = 120, 200
TOP = GAP + LINE + GAP  # of the frames, below one line


def instances(boxes, ids, labels=None):
    return InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float).reshape(-1, 4),
        instances_ids=torch.tensor(ids, dtype=torch.int32),
        labels=torch.tensor(labels or [0] * len(ids)),
    )


def frame(number, targets, ignored=(), **meta):
    sample = DetDataSample()
    sample.gt_instances = targets
    sample.ignored_instances = instances(list(ignored), list(range(len(ignored))))
    sample.set_metainfo(
        dict(video_name='walk', mot_frame_id=number, img_shape=(HEIGHT, WIDTH))
        | dict(ori_shape=(HEIGHT, WIDTH))
        | meta
    )
    return sample


def clip(*frames):
    sample = TrackDataSample()
    sample.video_data_samples = list(frames)
    inputs = torch.full((len(frames), 3, HEIGHT, WIDTH), 90, dtype=torch.uint8)
    return inputs, sample


def tile(picture, t, lines=1):
    """Frame t of the picture."""
    y, x = TOP + LINE * (lines - 1), GAP + t * (WIDTH + GAP)
    return picture[y : y + HEIGHT, x : x + WIDTH]


def edges(image, colour):
    """x1, y1, x2, y2 of what has this colour, below the captions."""
    rows, columns = np.nonzero((image[40:] == colour).all(-1))
    return columns.min(), rows.min() + 40, columns.max(), rows.max() + 40


def test_boxes_have_their_place_and_colour():
    positions = {0: {3: (20, 60, 50, 110), 4: (120, 70, 150, 100)}, 1: {3: (40, 65, 70, 115)}}
    frames = [
        frame(7 + 2 * t, instances(list(boxes.values()), list(boxes)))
        for t, boxes in positions.items()
    ]
    inputs, sample = clip(*frames)
    picture = draw_clip(inputs, sample)
    assert picture.dtype == np.uint8
    assert picture.shape == (TOP + HEIGHT + GAP, 2 * WIDTH + 3 * GAP, 3)
    for t, boxes in positions.items():
        for number, box in boxes.items():
            below = tile(picture, t).copy()
            below[: box[1] - 1] = 0  # its label
            np.testing.assert_allclose(edges(below, colour_of(number)), box, atol=1)
    assert not (tile(picture, 1) == colour_of(4)).all(-1).any()
    assert (tile(picture, 1)[40:, 120:] == 90).all()
    assert (inputs == 90).all()  # stays as it was


def test_colours_of_the_image_are_kept():
    inputs, sample = clip(frame(1, instances([], [])))
    inputs[0, :, 50:, 100:] = torch.tensor([10, 20, 30], dtype=torch.uint8)[:, None, None]
    shown = tile(draw_clip(inputs, sample), 0)
    assert (shown[50:, 100:] == (10, 20, 30)).all() and (shown[50:, :100] == 90).all()


def test_ignored_boxes_are_dashed():
    inputs, sample = clip(frame(1, instances([], []), [(20, 50, 120, 110), (150, 50, 400, 500)]))
    shown = tile(draw_clip(inputs, sample), 0)
    white = (shown == draw_clips.IGNORED_COLOUR).all(-1)
    for line in (white[50, 20:121], white[110, 20:121], white[50:111, 20], white[50:111, 120]):
        assert 0.3 < line.mean() < 0.8  # with gaps
        assert np.diff(np.flatnonzero(np.diff(line.astype(int)))).max() < 15
    assert not white[55:105, 25:115].any()
    assert white[50, 150:].any()  # the other one, whose corner is far outside


@pytest.mark.parametrize('original', [True, False])
def test_boxes_of_original_images(original):
    """Test pipelines keep ground truth in px of the original image, here twice as high and wide."""
    meta = dict(ori_shape=(2 * HEIGHT, 4 * WIDTH))
    targets = instances([(80, 120, 200, 200)], [5])
    inputs, sample = clip(frame(1, targets, [(400, 120, 480, 200)], **meta))
    shown = tile(draw_clip(inputs, sample, original_boxes=original), 0)
    if original:
        below = shown.copy()
        below[:59] = 0
        np.testing.assert_allclose(edges(below, colour_of(5)), (20, 60, 50, 100), atol=1)
        ignored = edges(shown, draw_clips.IGNORED_COLOUR)
        np.testing.assert_allclose(ignored, (100, 60, 120, 100), atol=1)
    else:
        assert (shown == 90)[50:, :75].all()


@pytest.fixture
def caption(monkeypatch):
    """Draws a clip; the lines of its caption."""

    def caption(*frames, classes=('bee',)):
        texts = []
        put_caption = draw_clips.put_caption
        monkeypatch.setattr(
            draw_clips, 'put_caption', lambda image, text: texts.append(text) or image
        )
        draw_clip(*clip(*frames), classes)
        monkeypatch.setattr(draw_clips, 'put_caption', put_caption)
        return texts

    return caption


def test_caption(caption):
    empty = instances([], [])
    frames = [frame(number, empty) for number in (433, 436, 439)]
    assert caption(*frames) == ['walk   frame 433, 436, 439   interval 3   200x120 px']
    flipped = frame(1, empty, [(1, 1, 5, 5)], flip=True)
    assert caption(flipped) == ['walk   frame 1   200x120 px   flipped   dashed: ignored']


def test_caption_names_the_ids_of_each_class(caption):
    boxes = [(20, 60, 50, 110)] * 2
    frames = [
        frame(1, instances(boxes, [12, 3], [0, 1])),
        frame(2, instances(boxes, [12, 4], [0, 0])),
    ]
    assert caption(*frames, classes=('bee', 'wasp', 'fly'))[1] == 'bee: 4 12   wasp: 3   fly: '
    picture = draw_clip(*clip(*frames), ('bee', 'wasp', 'fly'))
    assert picture.shape[0] == TOP + LINE + HEIGHT + GAP
    assert (tile(picture, 0, lines=2)[115:] == 90).all()
    for row in (GAP, GAP + LINE):
        assert (picture[row : row + LINE, GAP : GAP + 60] == 255).any()
