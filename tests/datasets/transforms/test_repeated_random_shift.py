"""RepeatedRandomShift: hand-worked shifts, and boxes that are found again in the pixels."""

import random

import numpy as np
import pytest
from mmcv.transforms import TransformBroadcaster

from lamotr_mm.datasets import RepeatedRandomShift
from lamotr_mm.datasets.transforms.repeated_random_shift import shift_frame

HEIGHT, WIDTH = 160, 200
# one rectangle per BGR channel, xyxy px; they overlap, and two touch the image's border
RECTANGLES = [[30, 20, 50, 40], [0, 100, 40, 160], [45, 30, 140, 120]]
IDS = [70, 5, 31]


def painted(boxes_xyxy=RECTANGLES) -> np.ndarray:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for channel, (x1, y1, x2, y2) in enumerate(boxes_xyxy):
        image[y1:y2, x1:x2, channel] = 240
    return image


def frame(image=None, boxes_xyxy=RECTANGLES) -> dict:
    return dict(
        img=painted() if image is None else image,
        gt_bboxes=np.array(boxes_xyxy, np.float32),
        gt_bboxes_labels=np.array([0, 1, 2]),
        gt_instances_ids=np.array(IDS),
        gt_ignore_flags=np.array([False, True, False]),
    )


def clip(length=4, **kwargs) -> dict:
    """A still image `length` times, as the broadcaster leaves it."""
    frames = [frame(**kwargs) for _ in range(length)]
    clip = {key: [f[key] for f in frames] for key in frames[0]}
    return clip | dict(img_path=['still.png'] * length, frame_id=[0] * length)


def edges(profile: np.ndarray) -> tuple[float, float] | None:
    """Where a row of pixels rises and falls through half of its level, in px from the border."""
    inside = np.flatnonzero(profile >= 120)
    if not len(inside):
        return None
    first, last = inside[0], inside[-1]
    start, end = 0.0, float(len(profile))
    if first > 0:  # pixel i covers i..i + 1, its value holds at i + 0.5
        below, above = profile[first - 1 : first + 1]
        start = first - 0.5 + (120 - below) / (above - below)
    if last < len(profile) - 1:
        above, below = profile[last : last + 2]
        end = last + 0.5 + (above - 120) / (above - below)
    return start, end


def found_box(image: np.ndarray, channel: int) -> list[float] | None:
    """xyxy of a channel's rectangle, to fractions of a px."""
    pixels = image[..., channel].astype(float)
    across, down = edges(pixels.max(0)), edges(pixels.max(1))
    return [across[0], down[0], across[1], down[1]] if across and down else None


def expected_boxes(shift_x: int, shift_y: int, times: int) -> dict[int, list[float]]:
    """{id: xyxy} after repeated crops and resizes, one coordinate after the other."""
    boxes = {}
    for instance_id, box in zip(IDS, RECTANGLES):
        new = []
        for value, size, shift in zip(box, (WIDTH, HEIGHT) * 2, (shift_x, shift_y) * 2):
            for _ in range(times):
                value = (value - max(shift, 0)) * size / (size - abs(shift))
                value = min(max(value, 0), size)
            new.append(value)
        if new[0] < new[2] and new[1] < new[3]:
            boxes[instance_id] = new
    return boxes


def test_a_shift_by_hand():
    """10 px off the left, 40 off the lower side of 200 x 160."""
    shifted = shift_frame(frame(), shift_x=10, shift_y=-40)
    assert shifted['img'].shape == (HEIGHT, WIDTH, 3)
    # x: (x - 10) * 200 / 190, y: y * 160 / 120; the second box is cut at both sides
    np.testing.assert_allclose(
        shifted['gt_bboxes'],
        [
            [400 / 19, 80 / 3, 800 / 19, 160 / 3],
            [0, 400 / 3, 600 / 19, 160],
            [700 / 19, 40, 2600 / 19, 160],
        ],
        atol=1e-4,
    )
    assert shifted['gt_instances_ids'].tolist() == IDS


@pytest.mark.parametrize('shift_x', [-50, -7, 0, 50])
@pytest.mark.parametrize('shift_y', [-50, 0, 13, 50])
def test_boxes_fit_the_pixels(shift_x, shift_y):
    """Over five frames; a box is dropped when, and only when, nothing of it is to be seen."""
    now = frame()
    for times in range(1, 5):
        now = shift_frame(now, shift_x, shift_y)
        boxes = dict(zip(now['gt_instances_ids'].tolist(), now['gt_bboxes']))
        expected = expected_boxes(shift_x, shift_y, times)
        assert boxes.keys() == expected.keys()
        for channel, instance_id in enumerate(IDS):
            found = found_box(now['img'], channel)
            if instance_id in boxes:
                np.testing.assert_allclose(boxes[instance_id], expected[instance_id], atol=1e-3)
                np.testing.assert_allclose(found, boxes[instance_id], atol=0.25)
            else:
                assert found is None


def test_labels_and_flags_go_with_their_box():
    """50 px off the left three times: the first two rectangles leave."""
    now = frame()
    for _ in range(3):
        now = shift_frame(now, 50, 0)
    assert now['gt_instances_ids'].tolist() == [31]
    assert now['gt_bboxes_labels'].tolist() == [2]
    assert now['gt_ignore_flags'].tolist() == [False]
    assert len(now['gt_bboxes']) == 1


def test_each_frame_is_the_one_before_shifted():
    shifts = set()
    for seed in range(40):
        random.seed(seed)
        result = RepeatedRandomShift(max_shift=50, reverse_prob=0.0)(clip())
        random.seed(seed)
        shift_x, shift_y = random.randint(-50, 50), random.randint(-50, 50)
        shifts.add((shift_x > 0, shift_y > 0))
        before = frame()
        for t in range(4):
            assert (result['img'][t] == before['img']).all()
            assert (result['gt_bboxes'][t] == before['gt_bboxes']).all()
            assert result['gt_instances_ids'][t].tolist() == before['gt_instances_ids'].tolist()
            before = shift_frame(before, shift_x, shift_y)
    assert len(shifts) == 4


def test_reversed_in_time_half_of_the_time():
    turned = 0
    for seed in range(400):
        random.seed(seed)
        result = RepeatedRandomShift()(clip(length=3))
        unchanged = [bool((image == painted()).all()) for image in result['img']]
        assert unchanged in ([True, False, False], [False, False, True])
        turned += unchanged[2]
    assert 160 < turned < 240  # standard deviation 10


def test_the_reverse_is_the_same_clip():
    clips = []
    for reverse_prob in (0.0, 1.0):
        random.seed(6)
        clips.append(RepeatedRandomShift(reverse_prob=reverse_prob)(clip()))
    for t in range(4):
        for key in frame():
            assert (clips[0][key][t] == clips[1][key][3 - t]).all()


def test_shifts_stay_within_their_limit():
    drawn = [RepeatedRandomShift(max_shift=3)._draw_shift(100) for _ in range(300)]
    assert set(drawn) == set(range(-3, 4))
    # an image of 9 px can lose 4 at most
    assert {RepeatedRandomShift()._draw_shift(9) for _ in range(300)} == set(range(-4, 5))


def test_a_tiny_image_survives():
    image = np.zeros((1, 2, 3), np.uint8)
    results = RepeatedRandomShift()(clip(image=image, boxes_xyxy=[[0, 0, 2, 1]] * 3))
    assert [image.shape for image in results['img']] == [(1, 2, 3)] * 4


def test_real_video_is_left_alone():
    results = clip(length=2)
    results['img_path'] = ['000001.png', '000002.png']
    before = {key: list(values) for key, values in results.items()}
    after = RepeatedRandomShift(reverse_prob=1.0)(results)
    assert after.keys() == before.keys()
    for key, values in before.items():
        assert all(a is b for a, b in zip(after[key], values))


def test_a_clip_of_one_frame_is_left_alone():
    assert (RepeatedRandomShift()(clip(length=1))['img'][0] == painted()).all()


def test_an_image_without_boxes():
    results = clip()
    for key in ('gt_bboxes', 'gt_bboxes_labels', 'gt_instances_ids', 'gt_ignore_flags'):
        results[key] = [values[:0] for values in results[key]]
    assert [len(boxes) for boxes in RepeatedRandomShift()(results)['gt_bboxes']] == [0] * 4


def test_a_broadcaster_refuses_it():
    """There it would see single frames."""
    broadcaster = TransformBroadcaster([RepeatedRandomShift()], share_random_params=True)
    with pytest.raises(RuntimeError, match='RepeatedRandomShift'):
        broadcaster(clip())


@pytest.mark.parametrize('wrong', [dict(max_shift=-1), dict(reverse_prob=1.5)])
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match='RepeatedRandomShift needs'):
        RepeatedRandomShift(**wrong)
