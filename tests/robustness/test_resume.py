"""Training that is killed and resumed ends with the weights of an uninterrupted run."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from workshop import ROOT, Workshop

# 9 clips in batches of 2: 5 iterations an epoch
CONFIG = """
train_cfg = dict(max_epochs={epochs})
train_dataloader = dict(num_workers={workers}, persistent_workers={workers} > 0)
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=9)]
val_dataloader = val_evaluator = val_cfg = None
custom_hooks = [*_base_.custom_hooks, {probe}]
"""
PER_EPOCH = 5


@pytest.fixture
def videos(workshop) -> Workshop:
    """Clips to train on."""
    workshop.sequence('three', length=5)
    workshop.sequence('five', length=4, identities=(4, 5, 6, 7, 8))
    assert workshop.convert() == 0
    return workshop


def config(videos: Workshop, name: str, probe: str = '', epochs: int = 3, workers: int = 0) -> Path:
    """A training with a probe in it."""
    text = CONFIG.format(epochs=epochs, workers=workers, probe=probe)
    return videos.config(text, f'{name}.py')


def train(videos: Workshop, path: Path, *arguments: str) -> tuple[int, str]:
    """`tools/train.py` as a process of its own, in the work dir ``run``."""
    tool = ROOT / 'tools' / 'train.py'
    return videos.run(sys.executable, tool, path, '--work-dir', 'run', *arguments)


def assert_equal_checkpoints(a: Path, b: Path) -> None:
    """Weights, optimiser state and scheduler state are the same, bit for bit."""
    first, second = (torch.load(file, weights_only=False) for file in (a, b))
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(first[key], second[key], key)
    for key in ('epoch', 'iter'):
        assert first['meta'][key] == second['meta'][key]


def assert_same(a, b, where: str) -> None:
    """Equality of nested dicts and lists of tensors."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f'{where}.{key}')
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, pair in enumerate(zip(a, b)):
            assert_same(*pair, f'{where}[{index}]')
    else:
        assert a == b, where


def test_killed_in_an_epoch_and_while_saving(videos):
    """SIGKILL in the second epoch, resumed; SIGKILL when half of epoch 2's checkpoint is written,
    resumed from epoch 1's; the end equals that of a run without either."""
    videos.train(config(videos, 'whole'), '--work-dir', 'whole')

    killed = config(videos, 'killed', f'dict(type="KillProbe", after={PER_EPOCH + 2})')
    status, output = train(videos, killed)
    assert status == -signal.SIGKILL, output
    assert Path('run/last_checkpoint').read_text().endswith('epoch_1.pth')

    cut = config(videos, 'cut', 'dict(type="KillProbe", while_saving="epoch_2.pth")')
    status, output = train(videos, cut, '--resume')
    assert status == -signal.SIGKILL, output
    assert 'resumed epoch: 1, iter: 5' in output
    assert Path('run/last_checkpoint').read_text().endswith('epoch_1.pth')

    status, output = train(videos, config(videos, 'last'), '--resume')
    assert status == 0, output
    assert 'resumed epoch: 1, iter: 5' in output
    assert_equal_checkpoints(Path('run/epoch_3.pth'), Path('whole/epoch_3.pth'))
    assert not torch.equal(*(weights(f'run/epoch_{epoch}.pth') for epoch in (1, 3)))

    done = Path('run/epoch_3.pth').read_bytes()
    videos.train(config(videos, 'done'), '--work-dir', 'run', '--resume')
    assert Path('run/epoch_3.pth').read_bytes() == done, 'a run at its end is left alone'


BEST = """
model = dict(
    lifecycle=dict(det_thr=0.0, keep_thr=0.0, new_thr=0.0), out_score_thr=0.0, out_min_area=0.0
)
train_cfg = dict(max_epochs=3)
default_hooks = dict(checkpoint=dict(save_best='track/HOTA', max_keep_ckpts=1))
custom_hooks = [*_base_.custom_hooks, {probe}]
"""


def test_killed_while_the_best_checkpoint_is_saved(videos):
    """`save_best` with one checkpoint kept. SIGKILL when the last checkpoint is written again, to
    note the best score in it, and when the next one is: each time the last one is whole."""

    def config(name: str, probe: str = '') -> Path:
        return videos.config(BEST.format(probe=probe), f'{name}.py')

    videos.train(config('whole'), '--work-dir', 'whole')
    kill = 'dict(type="KillProbe", while_saving="epoch_{}.pth", time={})'

    status, output = train(videos, config('again', kill.format(1, 2)))
    assert status == -signal.SIGKILL, output
    assert Path('run/best_track_HOTA_epoch_1.pth').is_file()

    status, output = train(videos, config('next', kill.format(2, 1)), '--resume')
    assert status == -signal.SIGKILL, output
    assert 'resumed epoch: 1' in output

    videos.train(config('last'), '--work-dir', 'run', '--resume')
    assert_equal_checkpoints(Path('run/epoch_3.pth'), Path('whole/epoch_3.pth'))
    assert sorted(file.name for file in Path('run').glob('epoch_*')) == ['epoch_3.pth']
    for folder in ('run', 'whole'):
        best = sorted(Path(folder).glob('best_track_HOTA_epoch_*.pth'))
        assert best, folder
        assert torch.load(best[-1], weights_only=False)['message_hub']['runtime_info']


def weights(file: str) -> torch.Tensor:
    """All weights of a checkpoint, as one vector."""
    state = torch.load(file, weights_only=False)['state_dict']
    return torch.cat([value.flatten().float() for value in state.values()])


def kill_after(videos: Workshop, command: list, steps: int, delay: float) -> None:
    """Start a training; SIGKILL it and its workers `delay` s after it has logged some steps."""
    runs = logged_steps()
    process = videos.start(*command)
    while process.poll() is None:
        new = logged_steps()[len(runs) :]
        if new and new[0] >= steps:
            break
        time.sleep(0.02)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, Path('output.txt').read_text()


def logged_steps() -> list[int]:
    """Number of steps that each run has logged, in order of the runs; not of those without any."""
    files = sorted(Path('run').glob('2*/vis_data/scalars.json'))
    return [file.read_text().count('\n') for file in files]


@pytest.mark.soak
@pytest.mark.parametrize('workers', [0, 1])
def test_killed_again_and_again(videos, workers):
    """A series of SIGKILLs from outside at random times."""
    epochs, kills = 20, 5
    path = config(videos, 'series', epochs=epochs, workers=workers)
    videos.train(path, '--work-dir', 'whole')

    rng, resumed_from = random.Random(workers), []
    command = [sys.executable, ROOT / 'tools' / 'train.py', path, '--work-dir', 'run', '--resume']
    pointer = Path('run/last_checkpoint')
    for _ in range(kills):
        kill_after(videos, command, rng.randint(1, 3 * PER_EPOCH), rng.random() / 5)
        resumed_from.append(Path(pointer.read_text()).stem if pointer.is_file() else 'the start')
    status, output = videos.run(*command)
    assert status == 0, output
    print(f'{kills} kills, resumed from', resumed_from)
    assert_equal_checkpoints(Path(f'run/epoch_{epochs}.pth'), Path(f'whole/epoch_{epochs}.pth'))
    assert len(set(resumed_from)) > 2
