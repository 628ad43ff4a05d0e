"""Whole checkpoints, and those that fit."""

import os

import pytest
import torch
from torch import nn

from lamotr_mm.weights.checkpoints import check_fit, existing_checkpoint


def test_whole_files(tmp_path):
    """What torch writes now, and wrote before 1.6."""
    for name, options in {'now': {}, 'before': dict(_use_new_zipfile_serialization=False)}.items():
        path = str(tmp_path / f'{name}.pth')
        torch.save({'a': torch.ones(3)}, path, **options)
        assert existing_checkpoint(path) == path


def test_files_that_are_cut_off(tmp_path):
    """The answer names another checkpoint, the newest whole one."""
    for number in (1, 2, 3):
        path = tmp_path / f'epoch_{number}.pth'
        torch.save({'a': torch.ones(300)}, path)
        os.utime(path, (number, number))
    for size in (path.stat().st_size - 1, 100, 0):
        os.truncate(path, size)
        with pytest.raises(ValueError, match=r'epoch_3\.pth is cut off.* example .*epoch_2\.pth'):
            existing_checkpoint(str(path))
    (tmp_path / 'epoch_1.pth').unlink()
    (tmp_path / 'epoch_2.pth').unlink()
    with pytest.raises(ValueError, match=r'epoch_3\.pth is cut off.* Fetch or train it again'):
        existing_checkpoint(str(path))


def test_files_that_are_no_checkpoints(tmp_path):
    """Missing, a folder, or text."""
    (path := tmp_path / 'text.pth').write_text('weights')
    with pytest.raises(ValueError, match=r'text\.pth is no file that torch\.save wrote'):
        existing_checkpoint(str(path))
    for path in (tmp_path, tmp_path / 'no.pth'):
        with pytest.raises(ValueError, match='does not exist or is not a file'):
            existing_checkpoint(str(path))


def test_weights_that_fit():
    """All of them, none else, in the same shapes."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = model.state_dict()
    check_fit(model, state, 'w.pth')
    shape = (
        r'w\.pth .* 1 of another shape \(0\.weight: \(3, 5\) in the file, \(3, 2\) in the model\)'
    )
    for change, message in [
        ({'0.weight': torch.zeros(3, 5)}, shape),
        ({'2.bias': torch.zeros(1)}, r'w\.pth .* 1 that the model does not have \(2\.bias\)'),
    ]:
        with pytest.raises(ValueError, match=message):
            check_fit(model, state | change, 'w.pth')
    del state['1.bias']
    with pytest.raises(ValueError, match=r'w\.pth .* 1 missing \(1\.bias\)'):
        check_fit(model, state, 'w.pth')
