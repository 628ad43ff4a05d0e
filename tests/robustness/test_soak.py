"""The tracker over many frames and videos: memory stays flat, and no video knows of another."""

import gc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from workshop import HEIGHT, TINY, WIDTH, draw

PAGES = Path('/proc/self/statm')


@pytest.fixture(scope='module')
def model():
    """The tiny model, untrained, but so that tracks are born, matched, lost, found and ended."""
    cfg = Config.fromfile(TINY)
    init_default_scope('mmdet')
    cfg.model.update(out_score_thr=0.0, out_min_area=0.0)
    cfg.model.lifecycle.update(miss_tolerance=5)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    model.init_weights()
    torch.nn.init.normal_(model.sotd_head.reg_branches[-1][-1].weight, std=0.2)
    centre(model, model.sgla.score, mean=-2.0)
    centre(model, model.sotd_head.cls_branches[-1], mean=2.0)
    return model


def centre(model, layer: torch.nn.Linear, mean: float, std: float = 4.0) -> None:
    """Give the logits of a layer this mean and standard deviation, on a few frames in which every
    object lives."""
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.constant_(layer.bias, 50.0)
    logits = []
    handle = layer.register_forward_hook(lambda *call: logits.append(call[-1].flatten()))
    for _ in track(model, 0, range(10)):
        pass
    handle.remove()
    values = torch.cat(logits)
    with torch.no_grad():
        layer.weight *= std / values.std()
        layer.bias.fill_(mean - (values.mean() - 50.0) * std / values.std())


def track(model, video: int, frames: range):
    """Track frames of a video (its number also decides what is seen), one call a frame; yields
    per frame an array ``(n, 6)``: id, score, box."""
    for frame in frames:
        image = draw(1 + frame * 7, [video, video + 5, video + frame // 20], seed=video)
        sample = DetDataSample(
            metainfo=dict(
                video_id=video,
                frame_id=frame,
                img_shape=(HEIGHT, WIDTH),
                ori_shape=(HEIGHT, WIDTH),
            )
        )
        clip = TrackDataSample()
        clip.video_data_samples = [sample]
        inputs = torch.from_numpy(image).permute(2, 0, 1)[None]
        ((result,),) = model.test_step(dict(inputs=[inputs], data_samples=[clip]))
        tracks = result.pred_track_instances
        columns = tracks.instances_id[:, None], tracks.scores[:, None], tracks.bboxes
        yield np.hstack([column.numpy() for column in columns])


def assert_same_tracks(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    """The same tracks in each frame, bit for bit."""
    assert len(first) == len(second)
    for frame, (a, b) in enumerate(zip(first, second)):
        assert np.array_equal(a, b), f'frame {frame}'


def test_tracks_come_and_go(model):
    """Otherwise the tests below would prove little."""
    found = list(track(model, 1, range(60)))
    ids = [set(rows[:, 0]) for rows in found]
    assert max(map(len, ids)) > 1 and len(set.union(*ids)) > 8
    assert any(a & b for a, b in pairwise(ids)), 'no track goes on'
    assert any(a - b for a, b in pairwise(ids)), 'no track ends or is lost'
    assert any((c & a) - b for a, b, c in zip(ids, ids[1:], ids[2:])), 'no track is found again'


def test_videos_know_nothing_of_each_other(model):
    """A video tracked after others, in whole or begun only, equals the video tracked first."""
    alone = {video: list(track(model, video, range(25))) for video in (1, 2, 3)}
    for video in (3, 1, 1, 2, 3):
        assert_same_tracks(list(track(model, video, range(25))), alone[video])
    # broken off, and then another one or the same one from its start
    list(track(model, 2, range(9)))
    assert_same_tracks(list(track(model, 3, range(25))), alone[3])
    list(track(model, 3, range(9)))
    assert_same_tracks(list(track(model, 3, range(25))), alone[3])
    assert not np.array_equal(alone[1][-1], alone[2][-1]), 'the videos differ'


def test_a_video_that_starts_in_its_middle(model):
    """A new video is a new video although it doesn't start at frame 0."""
    model.reset()
    alone = list(track(model, 2, range(10, 20)))
    list(track(model, 1, range(10)))
    assert_same_tracks(list(track(model, 2, range(10, 20))), alone)


def test_nothing_piles_up(model):
    """200 frames: no tensor more is alive after them than after the first 50."""

    def alive() -> int:
        gc.collect()
        return sum(isinstance(item, torch.Tensor) for item in gc.get_objects())

    frames = track(model, 1, range(200))
    for _ in range(50):
        next(frames)
    before, slots = alive(), model._session.table.slots
    for _ in frames:
        pass
    assert alive() <= before
    assert model._session.table.slots <= 2 * slots


@pytest.mark.soak
@pytest.mark.skipif(not PAGES.is_file(), reason='reads the memory in use from /proc')
def test_10000_frames(model):
    """Memory in use after 10,000 frames, half in one video and half in 50, is that after 1,000."""
    sizes = []
    for video, length in [(0, 1000), (1, 4000), *((video, 100) for video in range(2, 52))]:
        for _ in track(model, video, range(length)):
            pass
        gc.collect()
        sizes.append(int(PAGES.read_text().split()[1]) * 4096 / 2**20)
    print('MiB in use', [round(size, 1) for size in sizes])
    assert max(sizes[1:]) - sizes[0] < 8, sizes
    assert np.mean(sizes[-10:]) - np.mean(sizes[2:12]) < 2, sizes
