"""`VideoFrameSampler`: whole videos to ranks, also when there are more ranks than videos."""

import pytest
from mmdet.datasets.samplers import TrackImgSampler

from lamotr_mm.datasets import SyntheticVideoDataset, VideoFrameSampler


def frames_by_rank(monkeypatch, videos: int, ranks: int, test_mode: bool = True) -> list[list]:
    dataset = SyntheticVideoDataset(num_videos=videos, video_length=3, test_mode=test_mode)
    shares = []
    for rank in range(ranks):
        for module in ('lamotr_mm.datasets.samplers', 'mmdet.datasets.samplers.track_img_sampler'):
            monkeypatch.setattr(f'{module}.get_dist_info', lambda rank=rank: (rank, ranks))
        sampler = VideoFrameSampler(dataset, seed=0)
        shares.append(list(sampler))
        assert len(sampler) == len(shares[-1])
    return shares


def test_more_ranks_than_videos(monkeypatch):
    assert frames_by_rank(monkeypatch, videos=1, ranks=3) == [[(0, 0), (0, 1), (0, 2)], [], []]


@pytest.mark.parametrize('videos, ranks', [(2, 1), (2, 2), (5, 2)])
def test_enough_videos_is_as_mmdet(monkeypatch, videos, ranks):
    shares = frames_by_rank(monkeypatch, videos, ranks)
    for rank in range(ranks):
        monkeypatch.setattr(
            'mmdet.datasets.samplers.track_img_sampler.get_dist_info',
            lambda rank=rank: (rank, ranks),
        )
        dataset = SyntheticVideoDataset(num_videos=videos, video_length=3, test_mode=True)
        assert shares[rank] == list(TrackImgSampler(dataset, seed=0))


def test_training_visits_every_frame_once(monkeypatch):
    one, other = frames_by_rank(monkeypatch, videos=2, ranks=2, test_mode=False)
    assert sorted(one + other) == [(v, f) for v in range(2) for f in range(3)]


def test_a_new_epoch_changes_order_and_random_numbers_of_the_data():
    """mmengine's iteration-based loop tells the epoch to nobody but the sampler."""
    dataset = SyntheticVideoDataset(num_videos=3, video_length=5)
    sampler = VideoFrameSampler(dataset, seed=0)
    first = list(sampler)
    sampler.set_epoch(2)
    assert dataset.epoch == 2
    assert list(sampler) != first and sorted(sampler) == sorted(first)
