"""`ConcatVideoDataset`: which clips are visited, by which pipeline, with which random numbers."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from mmdet.datasets import BaseVideoDataset
from mmdet.datasets.samplers import TrackImgSampler
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from lamotr_mm.datasets import ConcatVideoDataset, SyntheticVideoDataset
from lamotr_mm.datasets.seeding import SeededPipelineMixin
from lamotr_mm.registry import DATASETS

LENGTHS = dict(walks=(3, 1, 4), stills=(1, 1, 1, 1, 1), swims=(2,))
FRAMES = {
    (name, v, f) for name, videos in LENGTHS.items() for v, n in enumerate(videos) for f in range(n)
}


class Draw:
    """A pipeline that says which it is, which clip it got, and what it drew."""

    def __init__(self, name):
        self.name = name

    def __call__(self, video):
        assert video['name'] == self.name
        start = video.get('key_frame_id')
        return (self.name, video['video_id'], start), (random.random(), np.random.rand())


class Numbers(SeededPipelineMixin, BaseVideoDataset):
    """Videos of so many frames without files."""

    def __init__(self, name, **kwargs):
        self.name = name
        super().__init__(pipeline=[Draw(name)], serialize_data=False, **kwargs)

    def load_data_list(self):
        return [
            dict(name=self.name, video_id=v, video_length=n, images=[dict(instances=[])] * n)
            for v, n in enumerate(LENGTHS[self.name])
        ]

    def filter_data(self):
        return self.data_list


def mixture(*names, **kwargs) -> ConcatVideoDataset:
    return ConcatVideoDataset([Numbers(name, **kwargs) for name in names or LENGTHS])


@pytest.fixture
def sampler_of(monkeypatch):
    """Makes the sampler of one rank."""

    def make(dataset, rank, ranks, epoch):
        monkeypatch.setattr(
            'mmdet.datasets.samplers.track_img_sampler.get_dist_info', lambda: (rank, ranks)
        )
        sampler = TrackImgSampler(dataset, seed=0)
        sampler.set_epoch(epoch)
        return sampler

    return make


def visited(samples) -> list[tuple]:
    return [clip for clip, _ in samples]


@pytest.mark.parametrize('ranks', [1, 2, 4, 5])
def test_every_frame_of_every_member_starts_one_clip(sampler_of, ranks):
    """15 frames: with 2, 4 ranks one clip comes twice, so that ranks are equal."""
    assert len(FRAMES) == 15
    orders = []
    for epoch in range(3):
        shares = []
        for rank in range(ranks):
            dataset = mixture()
            dataset.set_epoch(epoch)
            sampler = sampler_of(dataset, rank, ranks, epoch)
            shares.append(visited(dataset[index] for index in sampler))
            assert len(sampler) == len(shares[-1]) == math.ceil(15 / ranks)
        counts = Counter(clip for share in shares for clip in share)
        assert counts.keys() == FRAMES
        assert max(counts.values()) <= 2
        assert sum(counts.values()) - 15 == -15 % ranks
        orders.append(shares)
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_the_order_does_not_depend_on_the_ranks(sampler_of):
    dataset = mixture()
    orders = []
    for ranks in (1, 3, 5):
        shares = [list(sampler_of(dataset, rank, ranks, epoch=4)) for rank in range(ranks)]
        orders.append([index for step in zip(*shares) for index in step])
    assert orders[0] == orders[1] == orders[2]


def test_it_is_one_video_data_set():
    dataset = mixture()
    assert len(dataset) == 9
    assert dataset.num_all_imgs == 15
    assert [dataset.get_len_per_video(i) for i in range(9)] == [3, 1, 4, 1, 1, 1, 1, 1, 2]
    names = [dataset.get_data_info(i)['name'] for i in range(9)]
    assert names == ['walks'] * 3 + ['stills'] * 5 + ['swims']
    assert dataset[7][0] == ('stills', 4, None)  # a whole video, as with DefaultSampler
    assert len(DefaultSampler(dataset)) == 9
    with pytest.raises(IndexError):
        dataset[(9, 0)]


def test_random_numbers_depend_on_member_seed_epoch_and_index():
    draws = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            dataset = mixture(seed=seed)
            dataset.set_epoch(epoch)
            for video, length in enumerate((3, 1, 4, 1, 1, 1, 1, 1, 2)):
                for start in range(length):
                    clip, numbers = dataset[(video, start)]
                    draws[seed, epoch, *clip] = numbers
    assert len(draws) == 4 * 15
    assert len({number for numbers in draws.values() for number in numbers}) == 2 * len(draws)


def test_the_first_video_of_each_member_draws_its_own_numbers():
    """At one seed, one epoch and one index within the member; alone it draws others again."""
    dataset = mixture()
    draws = [dataset[(video, 0)][1] for video in (0, 3, 8)]
    draws += [Numbers(name)[(0, 0)][1] for name in LENGTHS]
    assert len(set(draws)) == 4  # alone they are alike, as ever


def test_other_members_and_what_came_before_change_nothing():
    dataset = mixture()
    random.random(), np.random.rand()
    assert dataset[(1, 0)] == mixture('walks', 'swims')[(1, 0)] == mixture('walks')[(1, 0)]
    dataset[(8, 1)]
    assert dataset[(1, 0)] == mixture('walks')[(1, 0)]


@pytest.mark.parametrize('workers', [0, 2])
def test_workers_learn_the_epoch(workers):
    """Persistent ones as well; a run that starts at epoch 2 sees what one from 0 sees there."""
    dataset = mixture()
    sampler = TrackImgSampler(dataset, seed=0)
    loader = DataLoader(
        dataset,
        batch_size=2,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=list,
    )
    assert len(loader) == 8
    for epoch in range(3):
        dataset.set_epoch(epoch)
        sampler.set_epoch(epoch)
        samples = [sample for batch in loader for sample in batch]
        reference = mixture()
        reference.set_epoch(epoch)
        assert samples == [reference[index] for index in sampler]
        assert set(visited(samples)) == FRAMES


def test_members_may_be_configs():
    config = dict(type='lamotr_mm.SyntheticVideoDataset', num_videos=2, video_length=3)
    dataset = DATASETS.build(
        dict(type='lamotr_mm.ConcatVideoDataset', datasets=[config, config | dict(offset=5)])
    )
    assert dataset.metainfo == dict(classes=('figure',))
    seeds = [dataset.get_data_info(i)['images'][0]['scene'].seed for i in range(4)]
    assert seeds == [0, 1, 5, 6]
    assert [len(dataset.get_cat_ids(i)) for i in range(4)] == [0] * 4


def test_test_mode_is_refused():
    members = [SyntheticVideoDataset(num_videos=1, test_mode=mode) for mode in (False, True)]
    with pytest.raises(ValueError, match=r'datasets\[1\] \(Synth.* has test_mode=True: mixed sets'):
        ConcatVideoDataset(members)


def test_classes_must_agree():
    members = [Numbers('walks', metainfo=dict(classes=classes)) for classes in (('a', 'b'), ('b',))]
    with pytest.raises(
        ValueError,
        match=r"datasets\[1\].* has metainfo classes=\('b',\), datasets\[0\] has \('a', ",
    ):
        ConcatVideoDataset(members)


def test_a_member_without_classes_is_refused():
    members = [Numbers('walks'), Numbers('swims', metainfo=dict(classes=('a',)))]
    with pytest.raises(ValueError, match=r"classes=\('a',\), datasets\[0\] has None: give both"):
        ConcatVideoDataset(members)


def test_members_must_be_seeded_video_data_sets():
    with pytest.raises(TypeError, match=r'datasets\[1\] \(list\) must be a video data set with'):
        ConcatVideoDataset([Numbers('walks'), []])
    with pytest.raises(TypeError, match=r'datasets\[0\] \(ConcatVideoDataset\) must be'):
        ConcatVideoDataset([mixture()])


def test_no_member():
    with pytest.raises(ValueError, match=r'needs datasets=\[\.\.\.\], got none'):
        ConcatVideoDataset([])
