"""MOTVideoDataset: hand-written json, broken annotations, and loaders that repeat themselves."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from lamotr_mm.datasets import MOTVideoDataset

META_KEYS = ('video_name', 'mot_frame_id')
LOAD = [dict(type='lamotr_mm.LoadFrame'), dict(type='LoadTrackAnnotations')]
TRAIN = [
    dict(type='lamotr_mm.ClipSampler', clip_len=2, max_interval=3),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            *LOAD,
            dict(type='YOLOXHSVRandomAug'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomCrop', crop_size=(40, 40), allow_negative_crop=True),
        ],
    ),
    dict(type='PackTrackInputs', meta_keys=META_KEYS),
]
TEST = [
    dict(type='TransformBroadcaster', transforms=LOAD),
    dict(type='PackTrackInputs', meta_keys=META_KEYS),
]


def annotation(number, image_id, bbox, instance_id, **other):
    base = dict(id=number, image_id=image_id, category_id=1, bbox=bbox, instance_id=instance_id)
    return base | dict(area=bbox[2] * bbox[3], iscrowd=0) | other


@pytest.fixture
def content():
    """Two videos of 3 and 2 frames, 64x48 px, written in disorder."""
    images = [
        dict(id=10 * v + f, video_id=v, frame_id=f, mot_frame_id=f + 451, width=64, height=48)
        | dict(file_name=f'v{v}/img1/{f + 451:06d}.png')
        for v, f in [(2, 1), (1, 2), (1, 0), (2, 0), (1, 1)]
    ]
    annotations = [
        annotation(1, 10, [1, 2, 10, 20], 0, visibility=0.25, mot_conf=1.0),
        annotation(2, 10, [20, 2, 10, 20], 5, iscrowd=1),
        annotation(3, 12, [60, 2, 10, 20], 0),
        annotation(4, 20, [5, 5, 5, 5], 0, category_id=2),
    ]
    categories = [dict(id=1, name='pedestrian'), dict(id=2, name='car')]
    videos = [dict(id=2, name='v2'), dict(id=1, name='v1')]
    return dict(categories=categories, videos=videos, images=images, annotations=annotations)


@pytest.fixture
def build(tmp_path, content):
    """Writes `content` and makes a dataset of it."""

    def build(pipeline=(), **arguments):
        (tmp_path / 'a.json').write_text(json.dumps(content))
        for image in content['images']:
            path = tmp_path / image['file_name']
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(image['id']).integers(0, 256, (48, 64, 3), np.uint8)
            cv2.imwrite(str(path), noise)
        with DefaultScope.overwrite_default_scope('mmdet'):
            return MOTVideoDataset(
                ann_file='a.json',
                data_root=str(tmp_path),
                data_prefix=dict(img_path=''),
                pipeline=list(pipeline),
                **arguments,
            )

    return build


def instances(dataset, video, frame):
    return dataset.get_data_info(video)['images'][frame]['instances']


class TestAnnotations:
    def test_videos_and_frames_are_in_order(self, build, tmp_path):
        dataset = build()
        assert [dataset.get_len_per_video(i) for i in range(len(dataset))] == [3, 2]
        for video, name in enumerate(['v1', 'v2']):
            info = dataset.get_data_info(video)
            assert info['video_id'] == video + 1
            assert info['video_length'] == len(info['images'])
            for index, image in enumerate(info['images']):
                assert (image['frame_id'], image['mot_frame_id']) == (index, index + 451)
                assert image['video_name'] == name
                assert image['img_path'] == str(tmp_path / f'{name}/img1/{index + 451:06d}.png')

    def test_values_by_hand(self, build):
        assert instances(build(), 0, 0) == [
            dict(bbox=[1, 2, 11, 22], bbox_label=0, instance_id=0, ignore_flag=0, category_id=1)
            | dict(mot_conf=1.0, visibility=0.25),
            dict(bbox=[20, 2, 30, 22], bbox_label=0, instance_id=5, ignore_flag=1, category_id=1)
            | dict(mot_conf=1.0, visibility=1.0),
        ]
        # partly outside: as annotated
        assert instances(build(), 0, 2)[0]['bbox'] == [60, 2, 70, 22]

    def test_frames_without_boxes_stay(self, build):
        dataset = build()
        assert instances(dataset, 0, 1) == []
        assert dataset.num_all_imgs == 5
        without = build(filter_cfg=dict(filter_empty_gt=True))
        assert [i['frame_id'] for i in without.get_data_info(0)['images']] == [0, 2]
        assert (len(without), without.get_data_info(0)['video_length']) == (1, 2)

    def test_labels_follow_the_order_of_classes(self, build):
        dataset = build(metainfo=dict(classes=('car', 'pedestrian')))
        assert [i['bbox_label'] for i in instances(dataset, 1, 0)] == [0]
        assert [i['bbox_label'] for i in instances(dataset, 0, 2)] == [1]
        assert dataset.get_cat_ids((1, 0)) == [0]

    def test_ignored_boxes_of_other_classes_stay(self, build, content):
        content['annotations'][3]['iscrowd'] = 1
        (instance,) = instances(build(), 1, 0)
        assert (instance['ignore_flag'], instance['bbox_label'], instance['category_id']) == (
            1,
            0,
            2,
        )

    @pytest.mark.parametrize(
        ('bbox', 'in_training', 'in_test'),
        [
            ([10, 10, 0, 5], 0, 0),
            ([10, 10, 5, -1], 0, 0),
            ([70, 10, 5, 5], 0, 1),  # outside
            ([64, 10, 5, 5], 0, 1),  # touches the border
            ([-4, 10, 4.5, 5], 1, 1),
        ],
    )
    def test_degenerate_and_outside(self, build, content, bbox, in_training, in_test):
        content['annotations'] = [annotation(1, 10, bbox, 1)]
        assert len(instances(build(), 0, 0)) == in_training
        assert len(instances(build(test_mode=True), 0, 0)) == in_test

    def test_a_frame_is_a_copy(self, build):
        dataset = build()
        instances(dataset, 0, 0).clear()
        assert len(instances(dataset, 0, 0)) == 2


class TestBrokenAnnotations:
    def test_no_file(self):
        with pytest.raises(FileNotFoundError, match=r'x/none\.json does not exist: make it with'):
            MOTVideoDataset(ann_file='none.json', data_root='x')

    def test_not_cocovid(self, build, content):
        del content['videos']
        with pytest.raises(ValueError, match=r'a\.json: not CocoVID json, has no videos'):
            build()

    def test_class_that_is_not_there(self, build):
        with pytest.raises(ValueError, match='has no class fly; it has pedestrian, car'):
            build(metainfo=dict(classes=('pedestrian', 'fly')))

    @pytest.mark.parametrize(
        ('number', 'change', 'complaint'),
        [
            (2, dict(bbox=[1, float('nan'), 2, 2]), 'video v1, frame 2: box .*nan.* not finite'),
            (2, dict(bbox=[1, 1, float('inf'), 2]), 'of instance_id 0 is not finite'),
            (1, dict(instance_id=0), 'video v1, frame 0: instance_id 0 is there twice'),
            (1, dict(instance_id=None), 'annotation 2 has no instance_id'),
            (1, dict(image_id=99), 'annotations of image_id 99'),
            (1, dict(bbox=[1, 2, 3]), r'v1, frame 0: annotation 2 has bbox = \[1, 2, 3\]'),
        ],
    )
    def test_is_named(self, build, content, number, change, complaint):
        content['annotations'][number] |= change
        with pytest.raises(ValueError, match=complaint):
            build()

    def test_entry_that_cannot_be_worked_with(self, build, content):
        content['images'][4]['width'] = '64'
        with pytest.raises(ValueError, match=r"a\.json: images\[4\] has width = '64'"):
            build()

    def test_image_of_no_video(self, build, content):
        content['images'][0]['video_id'] = 7
        with pytest.raises(ValueError, match=r'v2/img1/000452\.png is of video 7'):
            build()

    def test_filter_that_leaves_nothing(self, build):
        with pytest.raises(ValueError, match=r"none that passes filter_cfg=.*'min_size': 100"):
            build(filter_cfg=dict(min_size=100))


class TestSamples:
    def test_training_clip(self, build):
        sample = build(TRAIN)[(0, 1)]['data_samples']
        frames = [frame.metainfo for frame in sample.video_data_samples]
        assert [frame['frame_id'] for frame in frames] == [1, 2]
        assert [frame['mot_frame_id'] for frame in frames] == [452, 453]
        assert {frame['video_name'] for frame in frames} == {'v1'}
        assert [frame['video_length'] for frame in frames] == [2, 2]
        assert [frame['ori_video_length'] for frame in frames] == [3, 3]
        assert sample.metainfo['key_frames_inds'] == [0]

    def test_ignored_boxes_are_apart(self, build):
        frame = build(TEST, test_mode=True)[(0, 0)]['data_samples'][0]
        assert frame.gt_instances.instances_ids.tolist() == [0]
        assert frame.gt_instances.bboxes.tolist() == [[1, 2, 11, 22]]
        assert frame.ignored_instances.instances_ids.tolist() == [5]

    def test_epoch_starts_a_clip_at_every_frame(self, build):
        dataset = build(TRAIN)
        loader = Runner.build_dataloader(loader_cfg(dataset, 0))
        assert sorted(loader.sampler) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
        starts = [batch['data_samples'][0][0].metainfo for batch in loader]
        # in the last frame of a video the start moves back
        assert sorted((s['video_id'], s['frame_id']) for s in starts) == [
            (1, 0),
            (1, 1),
            (1, 1),
            (2, 0),
            (2, 0),
        ]

    def test_same_samples_with_and_without_workers(self, build):
        epochs = {}
        for workers in (0, 2):
            dataset = build(TRAIN, seed=4)
            loader = Runner.build_dataloader(loader_cfg(dataset, workers))
            for epoch in (0, 1, 2):
                dataset.set_epoch(epoch)
                loader.sampler.set_epoch(epoch)
                epochs[workers, epoch] = [flatten(batch) for batch in loader]
        for epoch in (0, 1, 2):
            for one, other in zip(epochs[0, epoch], epochs[2, epoch], strict=True):
                assert one[0] == other[0]
                assert all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))
        # pictures of the same frames differ between epochs
        pictures = [
            {index: tensors[0] for index, tensors in epochs[2, epoch]} for epoch in (0, 1, 2)
        ]
        changed = [
            not torch.equal(pictures[0][index], pictures[epoch][index])
            for epoch in (1, 2)
            for index in pictures[0].keys() & pictures[epoch].keys()
        ]
        assert any(changed)


def loader_cfg(dataset, workers):
    return dict(
        batch_size=1,
        num_workers=workers,
        persistent_workers=workers > 0,
        sampler=dict(type='mmdet.TrackImgSampler', seed=0),
        dataset=dataset,
    )


def flatten(batch):
    """(index of the clip's frames, tensors) of a batch of one clip."""
    frames = batch['data_samples'][0].video_data_samples
    index = tuple((frame.metainfo['video_id'], frame.metainfo['frame_id']) for frame in frames)
    tensors = [frame.gt_instances.bboxes for frame in frames]
    tensors += [frame.gt_instances.instances_ids for frame in frames]
    return index, [batch['inputs'][0], *tensors]
