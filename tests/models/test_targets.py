"""Ground truth in tracklet slots."""

import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from lamotr_mm.models.targets import clip_targets

CPU = torch.device('cpu')


def test_slots_follow_the_first_appearance_of_an_id(make_clip):
    clip = make_clip(
        [
            {7: [0, 0, 48, 32]},
            {5: [24, 16, 72, 48], 7: [48, 32, 96, 64]},
            {2: [0, 0, 9.6, 6.4], 5: [0, 0, 96, 64]},
        ]
    )
    frames = clip_targets([clip], CPU)
    assert [frame.present[0].tolist() for frame in frames] == [
        [True, False, False],
        [True, True, False],
        [False, True, True],
    ]
    # ids 7, 5, 2; the label is id % 2; cxcywh as shares of width 96 and height 64
    assert frames[1].labels.tolist() == [[1, 1, 0]]
    expected = [[0.75, 0.75, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0]]
    torch.testing.assert_close(frames[1].boxes_cxcywh[0], torch.tensor(expected))
    torch.testing.assert_close(frames[2].boxes_cxcywh[0, 2], torch.tensor([0.05, 0.05, 0.1, 0.1]))
    assert all(frame.img_shapes == [(64, 96)] for frame in frames)


def test_clips_of_a_batch_are_padded_to_the_same_slots(make_clip):
    one = make_clip([{1: [0, 0, 10, 10]}, {}])
    three = make_clip([{4: [0, 0, 9, 9]}, {5: [0, 0, 8, 8], 6: [1, 1, 9, 9]}], img_shape=(32, 48))
    frames = clip_targets([one, three], CPU, spare_slots=2)
    assert [frame.present.tolist() for frame in frames] == [
        [[True, False, False, False, False], [True, False, False, False, False]],
        [[False, False, False, False, False], [False, True, True, False, False]],
    ]
    assert frames[0].img_shapes == [(64, 96), (32, 48)]
    # each clip is normalised by its own image
    torch.testing.assert_close(frames[0].boxes_cxcywh[1, 0, 2:], torch.tensor([9 / 48, 9 / 32]))


def test_a_clip_without_targets_has_one_absent_slot(make_clip):
    frames = clip_targets([make_clip([{}, {}])], CPU)
    assert len(frames) == 2
    assert all(frame.boxes_cxcywh.shape == (1, 1, 4) for frame in frames)
    assert not any(frame.present.any() for frame in frames)


def test_ignored_regions_are_padded_to_the_same_number(make_clip):
    one, other = make_clip([{}, {1: [0, 0, 9, 9]}]), make_clip([{}, {}], img_shape=(32, 48))
    regions = torch.tensor([[0, 0, 48, 32], [24, 16, 72, 48]]).float()
    one[1].ignored_instances = InstanceData(bboxes=regions)
    other[0].ignored_instances = InstanceData(bboxes=HorizontalBoxes(regions[:1]))
    other[1].ignored_instances = InstanceData(bboxes=regions[:0])
    first, second = clip_targets([one, other], CPU)
    assert first.ignored_cxcywh.shape == second.ignored_cxcywh.shape == (2, 2, 4)
    expected = torch.tensor([[0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]])
    torch.testing.assert_close(second.ignored_cxcywh[0], expected)
    torch.testing.assert_close(first.ignored_cxcywh[1, 0], torch.tensor([0.5, 0.5, 1.0, 1.0]))
    assert not first.ignored_cxcywh[0].any()
    assert not second.ignored_cxcywh[1].any()
    assert second.present.tolist() == [[True], [False]]  # a region is no target
    assert clip_targets([make_clip([{}])], CPU)[0].ignored_cxcywh.shape == (1, 0, 4)


def test_an_id_twice_in_a_frame_is_refused(make_clip):
    clip = make_clip([{1: [0, 0, 5, 5]}, {1: [0, 0, 5, 5], 3: [0, 0, 6, 6]}])
    clip[1].gt_instances.instances_ids[1] = 1
    with pytest.raises(ValueError, match=r'frame_1\.png: ids \[1\] are annotated more than once'):
        clip_targets([clip], CPU)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_box_that_is_not_finite_is_refused(make_clip, value):
    clip = make_clip([{1: [0, 0, 5, 5]}, {1: [0, 0, value, 5]}])
    with pytest.raises(ValueError, match=r'frame_1\.png: a ground-truth box is not finite'):
        clip_targets([clip], CPU)
