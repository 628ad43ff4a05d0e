"""ClipSampler: hand-worked clips, and properties over all starts."""

import itertools
import random

import pytest

from lamotr_mm.datasets import ClipSampler


def clips(sampler, start, length, draws=200):
    """All clips that come up."""
    random.seed(0)
    return {tuple(sampler.sample_frames(start, length)) for _ in range(draws)}


@pytest.mark.parametrize(
    ('start', 'length', 'expected'),
    [
        (0, 10, {(0, 1, 2), (0, 2, 4), (0, 3, 6), (0, 4, 8)}),  # (9 - 0) // 2 = 4
        (5, 10, {(5, 6, 7), (5, 7, 9)}),
        (6, 10, {(6, 7, 8)}),
        (7, 10, {(7, 8, 9)}),
        (8, 10, {(7, 8, 9)}),  # the start moves back
        (9, 10, {(7, 8, 9)}),
        (0, 3, {(0, 1, 2)}),
        (2, 3, {(0, 1, 2)}),
        (0, 2, {(0, 1, 1)}),  # the last frame again
        (1, 2, {(0, 1, 1)}),
        (0, 1, {(0, 0, 0)}),
    ],
)
def test_by_hand(start, length, expected):
    assert clips(ClipSampler(clip_len=3, max_interval=10), start, length) == expected


def test_intervals_are_uniform_up_to_the_largest():
    random.seed(0)
    sampler = ClipSampler(clip_len=2, max_interval=4)
    counts = dict.fromkeys((1, 2, 3, 4), 0)
    for _ in range(4000):
        first, second = sampler.sample_frames(10, 1000)
        assert first == 10
        counts[second - first] += 1
    # standard deviation of a count: 27
    assert all(abs(count - 1000) < 120 for count in counts.values())


@pytest.mark.parametrize('clip_len', [1, 2, 3, 5])
def test_every_start_of_every_video(clip_len):
    sampler = ClipSampler(clip_len=clip_len, max_interval=3)
    for length in range(1, 12):
        for start in range(length):
            for clip in clips(sampler, start, length, draws=20):
                assert len(clip) == clip_len
                assert clip[0] == max(0, min(start, length - clip_len))
                assert clip[0] >= 0 and clip[-1] <= length - 1
                if length >= clip_len:
                    steps = {b - a for a, b in itertools.pairwise(clip)}
                    assert len(steps) <= 1 and steps <= {1, 2, 3}
                else:
                    assert clip == tuple(min(i, length - 1) for i in range(clip_len))


def video(length):
    images = [dict(frame_id=i, mot_frame_id=i + 451, instances=[dict(id=i)]) for i in range(length)]
    return dict(video_id=3, video_length=length, images=images)


def test_result_is_a_list_per_key():
    info = video(2) | dict(key_frame_id=0)
    results = ClipSampler(clip_len=3).transform(info)
    assert dict(results) == dict(
        frame_id=[0, 1, 1],
        mot_frame_id=[451, 452, 452],
        instances=[[dict(id=0)], [dict(id=1)], [dict(id=1)]],
        video_id=[3, 3, 3],
        video_length=[3, 3, 3],
        ori_video_length=[2, 2, 2],
        key_frame_flags=[True, False, False],
    )
    # the video's own frames are as they were
    assert info['images'] == video(2)['images']


def test_draws_a_start_where_none_is_given():
    random.seed(0)
    starts = {ClipSampler(clip_len=1).transform(video(5))['frame_id'][0] for _ in range(100)}
    assert starts == {0, 1, 2, 3, 4}


def test_reversed_clips():
    """The same clips backwards, in the share that is asked for; off, no number is drawn."""
    forward = clips(ClipSampler(clip_len=3), 0, 10)
    assert clips(ClipSampler(clip_len=3, reverse_prob=1.0), 0, 10) == {c[::-1] for c in forward}
    both = ClipSampler(clip_len=3, reverse_prob=0.25)
    random.seed(0)
    backwards = sum(both.sample_frames(5, 100)[0] > 5 for _ in range(4000))
    assert abs(backwards - 1000) < 120  # standard deviation 27
    results = ClipSampler(clip_len=3, reverse_prob=1.0).transform(video(3) | dict(key_frame_id=0))
    assert results['frame_id'] == [2, 1, 0]
    assert results['instances'] == [[dict(id=2)], [dict(id=1)], [dict(id=0)]]
    random.seed(0)
    ClipSampler(clip_len=3).sample_frames(0, 10)
    state = random.getstate()
    random.seed(0)
    random.randint(1, 4)
    assert random.getstate() == state


def test_clips_that_jump():
    """By hand: one gap is longer, up to the end of the video and no more than `max_jump`."""
    sampler = ClipSampler(clip_len=3, max_interval=1, jump_prob=1.0, max_jump=2)
    assert clips(sampler, 0, 10) == {(0, 2, 3), (0, 3, 4), (0, 1, 3), (0, 1, 4)}
    assert clips(sampler, 6, 10) == {(6, 8, 9), (6, 7, 9)}  # room for one
    assert clips(sampler, 7, 10) == {(7, 8, 9)}
    assert clips(ClipSampler(clip_len=1, jump_prob=1.0), 2, 10) == {(2,)}
    backwards = ClipSampler(clip_len=2, max_interval=1, reverse_prob=1.0, jump_prob=1.0, max_jump=1)
    assert clips(backwards, 0, 10) == {(2, 0)}
    some = ClipSampler(clip_len=2, max_interval=1, jump_prob=0.25)
    random.seed(0)
    jumps = sum(some.sample_frames(0, 100) != [0, 1] for _ in range(4000))
    assert abs(jumps - 1000) < 120  # standard deviation 27


@pytest.mark.parametrize('arguments', [dict(clip_len=0), dict(max_interval=0), dict(max_jump=0)])
def test_arguments(arguments):
    with pytest.raises(ValueError, match='ClipSampler needs clip_len >= 1'):
        ClipSampler(**arguments)


@pytest.mark.parametrize('name', ['reverse_prob', 'jump_prob'])
def test_probability(name):
    with pytest.raises(ValueError, match=rf'{name}=1\.5 of ClipSampler'):
        ClipSampler(**{name: 1.5})
