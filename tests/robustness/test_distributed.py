"""`tools/dist_train.sh` with two processes on the CPU."""

import re
import socket

import pytest
import torch
from workshop import EVERY_OBJECT, ROOT, Workshop

# no random numbers in the model; SGD, since AdamW would turn rounding errors of a gradient that is
# nearly 0 into whole steps
CONFIG = """
model = dict(clip_tracklets=dict(drop_prob=0.0, false_positive_prob=0.0))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=0.1), clip_grad=dict(max_norm=1.0)
)
custom_hooks = [*_base_.custom_hooks, dict(type='RankProbe', out_dir='{out}')]
train_dataloader = dict(batch_size={clips}, sampler=dict(seed={seed}))
val_dataloader = val_evaluator = val_cfg = None
"""


@pytest.fixture
def videos(workshop) -> Workshop:
    """Clips with three targets, with one and without any."""
    workshop.sequence('three', length=3)
    workshop.sequence('one', length=1, identities=(7,))
    workshop.sequence('none', length=2, identities=())
    assert workshop.convert() == 0
    return workshop


def records(videos: Workshop, out: str) -> list[dict]:
    """What `RankProbe` wrote, by iteration."""
    files = sorted((videos.folder / out).glob('*.pth'), key=lambda file: int(file.stem))
    return [torch.load(file) for file in files]


def largest_difference(a: dict, b: dict) -> float:
    """Largest absolute difference of two state_dicts."""
    assert a.keys() == b.keys()
    return max(float((a[key].double() - b[key].double()).abs().max()) for key in a)


def free_port() -> str:
    """A port that nobody listens at."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return str(server.getsockname()[1])


def launch(videos: Workshop, script: str, *arguments) -> str:
    """Output of a shell script that starts several processes."""
    status, output = videos.run(ROOT / 'tools' / script, *arguments, PORT=free_port())
    assert status == 0, output
    return output


def flat(by_rank: list[list[int]]) -> list[int]:
    """Counts clip by clip."""
    return [count for counts in by_rank for count in counts]


def is_mixed(by_rank: list[list[int]]) -> bool:
    """Whether one rank has none, and another has some."""
    totals = [sum(counts) for counts in by_rank]
    return min(totals) == 0 < max(totals)


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_two_ranks_equal_one(videos):
    """Equal parameters on both ranks after each step (`RankProbe`), and equal to one rank's with
    both clips in a batch; with a rank without targets and tracklets, and with tracklets on both.

    Measured: the largest difference is 3e-8 after each of three steps of 2e-2.
    """
    # of the order in which the clips come, chosen so that all these cases occur
    seed = 1
    two = videos.config(CONFIG.format(out='two', clips=1, seed=seed), 'two.py')
    output = launch(videos, 'dist_train.sh', two, '2')
    assert 'find_unused_parameters=True' not in output
    one = videos.config(CONFIG.format(out='one', clips=2, seed=seed), 'one.py')
    videos.train(one)

    pairs = list(zip(records(videos, 'two'), records(videos, 'one'), strict=True))
    assert len(pairs) == 3
    for key in ('targets', 'tracklets'):  # one clip on each of two ranks; both on one
        assert all([flat(a[key])] == b[key] for a, b in pairs), f'other {key}'
    assert any(is_mixed(a['targets']) for a, _ in pairs), 'no rank without targets'
    assert any(is_mixed(a['tracklets']) for a, _ in pairs), 'no rank without tracklets'
    assert any(min(flat(a['tracklets'])) > 0 for a, _ in pairs), 'tracklets on one rank only'
    differences = [largest_difference(a['state_dict'], b['state_dict']) for a, b in pairs]
    step = largest_difference(pairs[0][0]['state_dict'], pairs[1][0]['state_dict'])
    print('largest differences', differences, 'largest change in a step', step)
    assert differences[0] <= 1e-6
    assert max(differences) <= 1e-5
    assert step > 1e-3, 'a step that changes nothing proves nothing'


@pytest.mark.soak
def test_two_ranks_are_resumed(videos):
    """Two epochs in one go equal one epoch, and a second one after --resume, bit for bit."""
    text = 'val_dataloader = val_evaluator = val_cfg = None\ntrain_cfg = dict(max_epochs={})'
    long, short = (videos.config(text.format(n), f'epochs{n}.py') for n in (2, 1))
    launch(videos, 'dist_train.sh', long, '2', '--work-dir', 'whole')
    launch(videos, 'dist_train.sh', short, '2', '--work-dir', 'parts')
    launch(videos, 'dist_train.sh', long, '2', '--work-dir', 'parts', '--resume')
    whole, parts = (
        torch.load(videos.folder / run / 'epoch_2.pth', weights_only=False)['state_dict']
        for run in ('whole', 'parts')
    )
    assert largest_difference(whole, parts) == 0


@pytest.mark.soak
def test_two_ranks_score_as_one(videos):
    """Videos split over two ranks give the scores, the tracks and the counts of one rank."""
    config = videos.config(EVERY_OBJECT)
    videos.train(config, '--work-dir', 'run')
    launch(videos, 'dist_test.sh', config, 'run/epoch_1.pth', '2', '--out', 'two')
    videos.test(videos.config(EVERY_OBJECT), 'run/epoch_1.pth', '--out', 'one')
    files = [sorted((videos.folder / run).iterdir()) for run in ('one', 'two')]
    assert [file.name for file in files[0]] == ['none.txt', 'one.txt', 'three.txt']
    assert any(file.read_text() for file in files[0])
    for one, two in zip(*files, strict=True):
        assert one.read_text() == two.read_text()


@pytest.mark.soak
@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (
            'optim_wrapper = dict(optimizer=dict(lr=1e30), clip_grad=None)\n'
            'train_cfg = dict(max_epochs=3)',
            'FloatingPointError: .*not finite',
        ),
        (
            'train_dataloader = dict(num_workers=1)',
            r'ValueError: frame .*none.img1.000002\.png .*is cut off or no image',
        ),
    ],
    ids=['loss', 'frame'],
)
def test_an_error_on_one_rank_ends_both(videos, text, message):
    """No rank waits for ever for another that has failed."""
    if 'frame' in message:
        (videos.videos / 'train' / 'none' / 'img1' / '000002.png').write_text('broken')
    config = videos.config(f'val_dataloader = val_evaluator = val_cfg = None\n{text}')
    status, output = videos.run(ROOT / 'tools' / 'dist_train.sh', config, '2', PORT=free_port())
    assert status != 0
    assert re.search(message, output), output
