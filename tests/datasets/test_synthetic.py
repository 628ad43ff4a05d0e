"""Synthetic video: determinism, ground truth against pixels, and what difficulty means."""

import subprocess
import sys
import zlib
from itertools import pairwise

import numpy as np
import pytest
from mmdet.evaluation.functional import bbox_overlaps
from mmengine.runner import Runner
from scipy.optimize import linear_sum_assignment

from lamotr_mm.datasets import LoadSyntheticFrame, SyntheticVideoDataset
from lamotr_mm.datasets.synthetic.render import MIN_VISIBILITY, SyntheticScene
from lamotr_mm.datasets.synthetic.scene import SceneSpec

PIPELINE = [
    dict(type='TransformBroadcaster', transforms=[dict(type='lamotr_mm.LoadSyntheticFrame')]),
    dict(type='mmdet.PackTrackInputs', meta_keys=('video_name', 'mot_frame_id')),
]


def spec(seed: int, difficulty: int = 2, length: int = 30) -> SceneSpec:
    return SceneSpec(seed, difficulty, length, height=128, width=160)


@pytest.fixture(scope='module')
def videos() -> dict[int, list]:
    """difficulty -> videos, each a list of frames without its pictures."""
    scenes = {level: [SyntheticScene(spec(seed, level)) for seed in range(3)] for level in range(4)}
    return {
        level: [[scene.render(t)._replace(image=None) for t in range(30)] for scene in of_level]
        for level, of_level in scenes.items()
    }


class TestFrames:
    def test_same_seed_same_frames_in_any_order(self):
        forward, backward = SyntheticScene(spec(5)), SyntheticScene(spec(5))
        frames = [forward.render(t) for t in range(6)]
        for t in reversed(range(6)):
            for one, other in zip(frames[t], backward.render(t)):
                assert np.array_equal(one, other)

    def test_another_process_draws_the_same(self):
        code = (
            'from lamotr_mm.datasets.synthetic.render import SyntheticScene\n'
            'from lamotr_mm.datasets.synthetic.scene import SceneSpec\n'
            'import zlib\n'
            'f = SyntheticScene(SceneSpec(7, 3, 9, 128, 160)).render(4)\n'
            'print("crc", zlib.crc32(f.image.tobytes() + f.boxes_xyxy.tobytes()))'
        )
        printed = subprocess.check_output([sys.executable, '-c', code], text=True)
        frame = SyntheticScene(spec(7, difficulty=3, length=9)).render(4)
        here = zlib.crc32(frame.image.tobytes() + frame.boxes_xyxy.tobytes())
        assert int(printed.split('crc')[-1]) == here

    def test_other_seeds_differ(self):
        one, other = (SyntheticScene(spec(seed)).render(0).image for seed in (1, 2))
        assert (one != other).mean() > 0.5

    def test_frames_move_on(self):
        scene = SyntheticScene(spec(3))
        assert (scene.render(0).image != scene.render(5).image).mean() > 0.05

    def test_boxes_enclose_the_pixels_of_their_figures(self):
        scene = SyntheticScene(spec(11))
        for t in range(0, 30, 7):
            frame = scene.render(t)
            masks = {layer.instance_id: layer.sprite for layer in scene.layers(t)}
            for box, instance_id in zip(frame.boxes_xyxy, frame.instance_ids):
                sprite = masks[int(instance_id)]
                rows, columns = np.nonzero(sprite.mask)
                x0, y0 = columns.min() + sprite.left, rows.min() + sprite.top
                x1, y1 = columns.max() + sprite.left + 1, rows.max() + sprite.top + 1
                assert np.allclose(box, np.clip([x0, y0, x1, y1], 0, [160, 128, 160, 128]))

    def test_visibility_is_the_share_of_pixels_on_top(self):
        scene = SyntheticScene(spec(12, difficulty=3))
        frame, layers = scene.render(9), scene.layers(9)
        top = np.zeros((128, 160), int)
        for layer in layers:  # pixel by pixel, apart from the renderer
            for y, x in zip(*np.nonzero(layer.sprite.mask)):
                row, column = y + layer.sprite.top, x + layer.sprite.left
                if 0 <= row < 128 and 0 <= column < 160:
                    top[row, column] = layer.instance_id
        for instance_id, visibility in zip(frame.instance_ids, frame.visibility):
            sprite = next(layer.sprite for layer in layers if layer.instance_id == instance_id)
            assert visibility == pytest.approx((top == instance_id).sum() / sprite.mask.sum())
            assert visibility >= MIN_VISIBILITY

    def test_a_frame_that_is_not_there(self):
        with pytest.raises(IndexError, match='has frames 0 to 29'):
            SyntheticScene(spec(1)).render(30)

    def test_a_video_of_one_frame(self):
        assert SyntheticScene(spec(1, length=1)).render(0).image.shape == (128, 160, 3)


def consecutive_ious(video) -> list[float]:
    """IoU of each figure's boxes in neighbouring frames."""
    ious = []
    for before, after in pairwise(video):
        _, one, other = np.intersect1d(before.instance_ids, after.instance_ids, return_indices=True)
        if len(one):
            ious += list(np.diag(bbox_overlaps(before.boxes_xyxy[one], after.boxes_xyxy[other])))
    return ious


def iou_association(video) -> float:
    """Share of links between neighbouring frames that one-to-one assignment by IoU finds."""
    found = links = 0
    for before, after in pairwise(video):
        overlaps = bbox_overlaps(before.boxes_xyxy, after.boxes_xyxy)
        rows, columns = linear_sum_assignment(overlaps, maximize=True)
        same = before.instance_ids[rows] == after.instance_ids[columns]
        found += (same & (overlaps[rows, columns] > 0)).sum()
        links += len(np.intersect1d(before.instance_ids, after.instance_ids))
    return found / links


class TestDifficulty:
    def test_overlap_between_frames_falls(self, videos):
        means = [
            np.mean([i for v in videos[level] for i in consecutive_ious(v)]) for level in range(4)
        ]
        assert means == sorted(means, reverse=True)
        assert means[0] > 0.6 and means[3] < 0.3

    def test_association_by_overlap_holds_at_0_and_fails_at_3(self, videos):
        easy, hard = (np.mean([iou_association(v) for v in videos[level]]) for level in (0, 3))
        assert easy > 0.95
        assert hard < 0.6

    def test_figures_vanish_and_return_with_their_id(self, videos):
        returns = 0
        for video in videos[3] + videos[2]:
            for instance_id in np.unique(np.concatenate([f.instance_ids for f in video])):
                there = np.array([instance_id in f.instance_ids for f in video])
                gaps = np.flatnonzero(np.diff(there.astype(int)) == 1)
                returns += int((gaps > np.flatnonzero(there)[0]).sum())
        assert returns > 5

    def test_boxes_cross(self, videos):
        crowded = [
            np.triu(bbox_overlaps(f.boxes_xyxy, f.boxes_xyxy), 1).max(initial=0)
            for video in videos[3]
            for f in video
        ]
        assert max(crowded) > 0.5


class TestDataset:
    @staticmethod
    def dataset(**kwargs) -> SyntheticVideoDataset:
        defaults = dict(num_videos=2, video_length=4, height=128, width=160, pipeline=PIPELINE)
        return SyntheticVideoDataset(**defaults | kwargs)

    @pytest.mark.parametrize('split, first', [('train', 0), ('val', 10_000), ('test', 20_000)])
    def test_splits_have_their_own_seeds(self, split, first):
        scenes = self.dataset(split=split, difficulty=(1, 3), offset=5).scenes
        assert [scene.seed for scene in scenes] == [first + 5, first + 6]
        assert [scene.difficulty for scene in scenes] == [1, 3]

    @pytest.mark.parametrize(
        'kwargs, message',
        [
            (dict(split='dev'), "split='dev': must be one of train, val, test"),
            (dict(split='train', offset=9_999), 'has seeds 0 to 9999: 2 videos from offset 9999'),
            (dict(split='val', num_videos=0), "split 'val' has seeds"),
            (dict(split='val', offset=-1), 'from offset -1 do not fit'),
            (dict(difficulty=4), 'difficulty=4: must be 0, 1, 2 or 3'),
            (dict(difficulty=()), 'at least one'),
            (dict(video_length=0), 'length=0'),
            (dict(height=32), '32x160'),
        ],
    )
    def test_bad_arguments_are_named(self, kwargs, message):
        with pytest.raises(ValueError, match=message):
            self.dataset(**kwargs)

    def test_frames_through_the_loader(self):
        loader = Runner.build_dataloader(
            dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='mmdet.TrackImgSampler', seed=0),
                dataset=self.dataset(split='test', test_mode=True),
            )
        )
        batches = list(loader)
        assert [b['data_samples'][0][0].frame_id for b in batches] == [0, 1, 2, 3] * 2
        for k, batch in enumerate(batches):
            scene = SyntheticScene(SceneSpec(20_000 + k // 4, k // 4, 4, 128, 160))
            frame, sample = scene.render(k % 4), batch['data_samples'][0][0]
            image = batch['inputs'][0][0].permute(1, 2, 0).numpy()
            assert np.array_equal(image, frame.image)
            assert np.array_equal(sample.gt_instances.bboxes.numpy(), frame.boxes_xyxy)
            assert sample.gt_instances.instances_ids.tolist() == frame.instance_ids.tolist()
            assert [i['bbox'] for i in sample.instances] == frame.boxes_xyxy.tolist()
            assert sample.video_name == f'synthetic-{20_000 + k // 4}-d{k // 4}'

    def test_frames_without_figures_stay(self):
        assert self.dataset().get_len_per_video(0) == 4

    def test_transform_fills_in_what_mmdets_loaders_do(self):
        info = self.dataset().get_data_info(0)['images'][2]
        results = LoadSyntheticFrame()(info)
        assert results['img_shape'] == results['ori_shape'] == (128, 160)
        assert (
            len(results['gt_bboxes'])
            == len(results['gt_ignore_flags'])
            == len(results['instances'])
        )
