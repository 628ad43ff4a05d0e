"""Files are read without running what may be in them."""

import argparse
import hashlib
import os
from pathlib import Path

import pytest
import torch

from lamotr_mm.weights.convert import read_source

WEIGHTS = {'a': torch.ones(2)}
# as the official trainings save them
OFFICIAL = dict(
    model=WEIGHTS,
    optimizer=dict(state={0: dict(step=3, exp_avg=torch.ones(2))}, param_groups=[dict(lr=1e-4)]),
    lr_scheduler=dict(step_size=40, last_epoch=50, _last_lr=[1e-5]),
    epoch=49,
    args=argparse.Namespace(
        lr=2e-4, lr_backbone_names=['backbone.0'], coco_path='coco', masks=False
    ),
)


class Hostile:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch ran',)


@pytest.mark.parametrize('zipped', [True, False], ids=['now', 'before torch 1.6'])
def test_official_file(tmp_path, zipped):
    path = tmp_path / 'official.pth'
    torch.save(OFFICIAL, path, _use_new_zipfile_serialization=zipped)
    source = read_source(path)
    assert source.weights.keys() == {'a'}
    assert torch.equal(source.weights['a'], WEIGHTS['a'])
    assert source.others == ['optimizer', 'lr_scheduler', 'epoch', 'args']
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_mmdet_and_memotr_files(tmp_path):
    path = tmp_path / 'file.pth'
    torch.save(dict(meta=dict(dataset_meta=dict(classes=('person',))), state_dict=WEIGHTS), path)
    assert read_source(path).others == ['meta']
    states = dict(start_epoch=12, global_iters=100)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(
        torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))]), [12]
    )
    torch.save(
        dict(model=WEIGHTS, optimizer=None, scheduler=scheduler.state_dict(), states=states), path
    )
    assert read_source(path).others == ['optimizer', 'scheduler', 'states']


@pytest.mark.parametrize('zipped', [True, False], ids=['now', 'before torch 1.6'])
def test_hostile_file(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    checkpoint = dict(model=WEIGHTS, args=Hostile())
    torch.save(checkpoint, 'bad.pth', _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r'bad\.pth is refused: it holds \w+\.system, not only'):
        read_source(Path('bad.pth'))
    assert not Path('ran').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'does not exist'),
        (b'text', 'no file that torch.save wrote'),
        (b'\x80garbage', 'is refused|cannot be read'),
        (dict(weights=WEIGHTS), "no entry 'model' or 'state_dict'"),
        (WEIGHTS, "no entry 'model' or 'state_dict'"),
        ([1], "no entry 'model' or 'state_dict'"),
        (dict(model=torch.nn.Linear(1, 1)), r'is refused: it holds torch\.nn'),
    ],
)
def test_what_is_refused_is_named(tmp_path, content, message):
    path = tmp_path / 'in.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=rf'in\.pth .*({message})'):
        read_source(path)
