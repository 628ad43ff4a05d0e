"""Videos and still images in one training, on one rank and on two."""

import json
from collections import Counter

import cv2
import pytest
import torch
from clip_probe import describe
from mmdet.datasets.samplers import TrackImgSampler
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from test_distributed import free_port
from workshop import HEIGHT, ROOT, WIDTH, Workshop, box_of, draw

# 6 frames of video and 5 still images; identities of both start at 1
CONFIG = """
custom_imports = dict(imports=['lamotr_mm', 'probes', 'clip_probe'])
member = _base_.train_dataloader.dataset
still_pipeline = [
    *_base_.train_pipeline[:1],
    dict(
        type='TransformBroadcaster',
        transforms=[dict(type='lamotr_mm.LoadFrame'), dict(type='LoadTrackAnnotations')],
    ),
    dict(type='lamotr_mm.RepeatedRandomShift', max_shift=8),
    dict(type='TransformBroadcaster', transforms=[_base_.resize]),
    *_base_.train_pipeline[-1:],
]
train_dataloader = dict(
    batch_size={clips},
    num_workers={workers},
    persistent_workers={workers} > 0,
    dataset=dict(
        _delete_=True,
        type='lamotr_mm.ConcatVideoDataset',
        datasets=[member, dict(member, data_root='stills/', pipeline=still_pipeline)],
    ),
)
train_cfg = dict(max_epochs={epochs})
custom_hooks = [
    dict(type='lamotr_mm.SeedHook'),
    dict(type='lamotr_mm.FiniteLossHook'),
    dict(type='ClipProbe', out_dir='{out}'),
]
val_dataloader = val_evaluator = val_cfg = None
del member, still_pipeline
"""
STILLS = 5


@pytest.fixture
def sets(workshop) -> Workshop:
    """Two short videos below videos/, still images below stills/."""
    workshop.sequence('four', length=4)
    workshop.sequence('two', length=2, identities=(4,))
    assert workshop.convert() == 0
    write_stills(workshop)
    return workshop


def write_stills(workshop: Workshop) -> None:
    """Each image is a video of one frame; its boxes have ids of their own."""
    folder = workshop.folder / 'stills'
    (folder / 'Images').mkdir(parents=True)
    (folder / 'annotations').mkdir()
    videos, images, annotations = [], [], []
    for number in range(STILLS):
        name = f'still{number}'
        cv2.imwrite(str(folder / 'Images' / f'{name}.png'), draw(number, (1, 2)))
        videos.append(dict(id=number, name=name))
        frame = dict(frame_id=0, mot_frame_id=1, width=WIDTH, height=HEIGHT)
        file_name = f'Images/{name}.png'
        images.append(dict(id=number, video_id=number, file_name=file_name, **frame))
        for identity in (1, 2):
            annotation = dict(image_id=number, category_id=1, bbox=box_of(identity, number))
            annotation |= dict(id=len(annotations), instance_id=len(annotations) + 1)
            annotations.append(annotation)
    content = dict(categories=[dict(id=1, name='pedestrian')], videos=videos)
    content |= dict(images=images, annotations=annotations)
    (folder / 'annotations' / 'train.json').write_text(json.dumps(content))


def config(sets: Workshop, out: str, clips: int = 1, epochs: int = 2, workers: int = 0):
    text = CONFIG.format(clips=clips, epochs=epochs, workers=workers, out=out)
    return sets.config(text, f'{out}.py')


def clips_by_epoch(sets: Workshop, out: str) -> list[list[list[tuple]]]:
    """By epoch and rank, what `ClipProbe` wrote."""
    files = sorted((sets.folder / out).glob('*.pth'), key=lambda file: int(file.stem))
    return [torch.load(file, weights_only=False) for file in files]


def assert_complete(clips: list[tuple], padding: int) -> None:
    """Every start once, but for so many of them twice."""
    counts = Counter(video for video, *_ in clips)
    expected = dict(four=4, two=2) | {f'still{number}': 1 for number in range(STILLS)}
    assert counts.keys() == expected.keys()
    assert sum(counts[name] - expected[name] for name in expected) == padding
    assert all(0 <= counts[name] - expected[name] <= padding for name in expected)


def reference(path, epochs: int) -> list[list[tuple]]:
    """By epoch, the clips of one rank in their order, from the data set alone."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(Config.fromfile(path).train_dataloader.dataset)
    sampler = TrackImgSampler(dataset, seed=0)
    clips = []
    for epoch in range(epochs):
        dataset.set_epoch(epoch)
        sampler.set_epoch(epoch)
        samples = [dataset[index] for index in sampler]
        clips.append([describe(s['inputs'], s['data_samples']) for s in samples])
    return clips


def test_one_rank_that_is_resumed(sets):
    """11 clips in batches of two: 6 iterations an epoch. The epoch after a stop is the one that a
    training without it would have had."""
    sets.train(config(sets, 'first', clips=2, epochs=1), '--work-dir', 'run')
    path = config(sets, 'second', clips=2, workers=2)
    sets.train(path, '--work-dir', 'run', '--resume')
    seen = clips_by_epoch(sets, 'first') + clips_by_epoch(sets, 'second')
    for (clips,), expected in zip(seen, reference(path, 2), strict=True):
        assert clips == expected
        assert_complete(clips, padding=0)
    assert seen[0] != seen[1]
    checkpoint = torch.load('run/epoch_2.pth', weights_only=False)
    assert checkpoint['meta']['iter'] == 12


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_two_ranks_share_the_clips(sets):
    """6 clips on each rank, one of the 11 twice; taken in turn, they are those of one rank."""
    script, path = ROOT / 'tools' / 'dist_train.sh', config(sets, 'two', workers=1)
    status, output = sets.run(script, path, '2', PORT=free_port())
    assert status == 0, output
    for shares, whole in zip(clips_by_epoch(sets, 'two'), reference(path, 2), strict=True):
        assert [len(share) for share in shares] == [6, 6]
        assert_complete(shares[0] + shares[1], padding=1)
        assert [clip for pair in zip(*shares) for clip in pair] == [*whole, whole[0]]
