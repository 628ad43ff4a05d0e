"""Checkpoints and losses that are broken or of another config: one error with the culprit."""

import math
import shutil
from pathlib import Path

import pytest
import torch
from workshop import NO_VALIDATION, Workshop, assert_one_error, truncate

OTHER_MODEL = """
model = dict(sotd_head=dict(num_queries=20), sgla=dict(num_layers=3))
"""


@pytest.fixture(scope='module')
def trained_folder(tmp_path_factory) -> Path:
    """One sequence, and ``run/epoch_1.pth`` of the tiny config."""
    folder = tmp_path_factory.mktemp('trained')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        workshop = Workshop(folder)
        workshop.sequence('a')
        assert workshop.convert() == 0
        workshop.train(workshop.config(NO_VALIDATION), '--work-dir', 'run')
    return folder


@pytest.fixture
def trained(trained_folder, workshop) -> Workshop:
    """A copy of `trained_folder` to damage."""
    shutil.copytree(trained_folder, workshop.folder, dirs_exist_ok=True)
    return workshop


def test_resuming_a_copied_work_dir(trained, trained_folder, capfd):
    """A copy of a work dir is resumed from its own checkpoint, not from the original's."""
    assert str(trained_folder) in Path('run/last_checkpoint').read_text()
    config = trained.config(NO_VALIDATION + 'train_cfg = dict(max_epochs=2)')
    trained.train(config, '--work-dir', 'run', '--resume')
    assert Path('run/epoch_2.pth').is_file()
    assert 'Load checkpoint from run/epoch_1.pth' in ''.join(capfd.readouterr())


def test_checkpoint_of_another_config(trained):
    """Neither testing nor resuming goes on with weights that fit only in part."""
    other = trained.config(OTHER_MODEL, 'other.py')
    with pytest.raises(ValueError, match=r'epoch_1\.pth .*query_embedding'):
        trained.test(other, 'run/epoch_1.pth')
    with pytest.raises(ValueError, match=r'epoch_1\.pth .*query_embedding'):
        trained.train(other, '--resume', 'run/epoch_1.pth')
    with pytest.raises(ValueError, match=r'epoch_1\.pth .*query_embedding'):
        trained.train(other, '--work-dir', 'run', '--resume')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (truncate, r'epoch_1\.pth is cut off'),
        (lambda f: f.write_text('no checkpoint'), r'epoch_1\.pth'),
        (lambda f: f.write_bytes(b''), r'epoch_1\.pth'),
    ],
)
def test_broken_checkpoint(trained, capsys, damage, message):
    """One line that names the file."""
    damage(Path('run/epoch_1.pth'))
    config = trained.config()
    for call in (
        lambda: trained.test(config, 'run/epoch_1.pth'),
        lambda: trained.train(config, '--work-dir', 'run', '--resume'),
        lambda: trained.train(config, '--resume', 'run/epoch_1.pth'),
    ):
        with pytest.raises(SystemExit):
            call()
        assert_one_error(capsys.readouterr().err, message)


def test_checkpoint_with_nan(trained):
    """A checkpoint whose weights are not finite is told at the first frame."""
    checkpoint = torch.load('run/epoch_1.pth', weights_only=False)
    checkpoint['state_dict']['sotd_head.cls_branches.1.weight'][0, 0] = math.nan
    torch.save(checkpoint, 'nan.pth')
    with pytest.raises(FloatingPointError, match='not finite: the checkpoint is broken'):
        trained.test(trained.config(), 'nan.pth')


def test_nan_loss(workshop):
    """An absurd learning rate ends the run; the checkpoints before it are sound."""
    workshop.sequence('a', length=8)
    assert workshop.convert() == 0
    text = NO_VALIDATION + (
        'optim_wrapper = dict(optimizer=dict(lr=1e30), clip_grad=None)\n'
        'default_hooks = dict(checkpoint=dict(by_epoch=False))\n'
    )
    with pytest.raises(FloatingPointError, match=r'not finite.*lower'):
        workshop.train(workshop.config(text), '--work-dir', 'run')
    last = Path('run/last_checkpoint')
    if last.is_file():
        state = torch.load(last.read_text(), weights_only=False)['state_dict']
        assert all(torch.isfinite(value).all() for value in state.values())


def test_two_videos_in_a_batch(trained):
    """Tracking takes one video at a time."""
    text = 'test_dataloader = dict(batch_size=2)'
    with pytest.raises(ValueError, match='batch_size=1'):
        trained.test(trained.config(text), 'run/epoch_1.pth')
