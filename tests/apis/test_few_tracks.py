"""What is said after a video without tracks, for the shipped configs and for users' own."""

from pathlib import Path

import pytest
from mmengine.config import Config

from lamotr_mm.apis.few_tracks import few_tracks_hint, training_data
from lamotr_mm.datasets import MOTVideoDataset

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ('name', 'known'),
    [
        ('pets', 'pedestrian of data/pets09_s2l1/annotations/train.json'),
        ('synthetic', 'figure of SyntheticVideoDataset'),
        (
            'mot17_crowdhuman',
            'pedestrian of data/MOT17/annotations/train.json and '
            'data/crowdhuman/annotations/val.json',
        ),
    ],
)
def test_shipped_configs(name, known):
    assert training_data(Config.fromfile(ROOT / f'configs/lamotr_{name}.py')) == known


def training_on(**dataset) -> Config:
    return Config(dict(train_dataloader=dict(dataset=dataset)))


def test_own_configs():
    hive = dict(type='lamotr_mm.MOTVideoDataset', data_root='data/hive', ann_file='ann/a.json')
    assert training_data(training_on(**hive)) == 'pedestrian of data/hive/ann/a.json'
    hive['metainfo'] = dict(classes=('bee', 'wasp'))
    assert training_data(training_on(**hive)) == 'bee, wasp of data/hive/ann/a.json'
    hive |= dict(type=MOTVideoDataset, ann_file='/elsewhere/a.json')
    assert training_data(training_on(**hive)) == 'bee, wasp of /elsewhere/a.json'
    wrapped = training_on(type='RepeatDataset', times=2, dataset=hive)
    assert training_data(wrapped) == 'bee, wasp of /elsewhere/a.json'
    assert training_data(training_on(type='Unknown')) == 'objects of Unknown'
    silent = 'what they were trained on, which the config does not say'
    assert training_data(Config(dict(train_dataloader=None))) == training_data(Config()) == silent


def test_hint_is_for_almost_no_tracks():
    config = Config.fromfile(ROOT / 'configs/lamotr_pets.py')
    assert few_tracks_hint(config, frames=10, boxes=5) is None
    assert few_tracks_hint(config, frames=1, boxes=1) is None
    assert few_tracks_hint(config, frames=10, boxes=4) == (
        'Few tracks (4 boxes in 10 frames): weights of lamotr_pets.py know pedestrian of '
        'data/pets09_s2l1/annotations/train.json; for other scenes see "Few or no tracks" in '
        'docs/tracking.md'
    )
    assert 'weights of this config know' in few_tracks_hint(Config(), frames=1, boxes=0)
    assert '## Few or no tracks' in (ROOT / 'docs/tracking.md').read_text()
