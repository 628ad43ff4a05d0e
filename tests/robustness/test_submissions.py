"""`tools/test.py --submission` on a miniature test split without ground truth."""

import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from test_distributed import launch
from workshop import EVERY_OBJECT, Workshop, assert_one_error, load_tool

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.preparation.official_splits import DANCETRACK

SUBMISSION = """
submission = dict(benchmark='DanceTrack', ann_file='annotations/test.json')
test_dataloader = dict(dataset=dict(ann_file='annotations/test.json'))
"""


def make_split(workshop: Workshop, names) -> None:
    for index, name in enumerate(names):
        folder = workshop.sequence(name, length=1 + index % 2, split='test', identities=(index,))
        shutil.rmtree(folder / 'gt')
    assert workshop.convert('--split', 'test=test') == 0


@pytest.fixture
def split(workshop) -> Workshop:
    """The official sequences, of one or two frames each, and weights."""
    make_split(workshop, DANCETRACK['test'])
    torch.manual_seed(0)
    model = init_model(str(workshop.config(EVERY_OBJECT)))
    torch.save(dict(state_dict=model.state_dict()), 'weights.pth')
    return workshop


def contents(path: str) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_zip_that_passes(split, capsys):
    config = split.config(EVERY_OBJECT + SUBMISSION)
    split.test(config, 'weights.pth', '--submission', 'new/a.zip', '--out', 'tracks')
    files = contents('new/a.zip')
    assert set(files) == {f'tracker/{name}.txt' for name in DANCETRACK['test']}
    for name, text in files.items():
        assert text and text == Path('tracks', Path(name).name).read_text()
        frames = {row.split(',')[0] for row in text.splitlines()}
        length = len(list(Path('videos/test', Path(name).stem, 'img1').iterdir()))
        assert frames == {str(frame + 1) for frame in range(length)}
    check = load_tool('check_submission')
    capsys.readouterr()
    options = ['--benchmark', 'DanceTrack', '--ann-file', 'videos/annotations/test.json']
    assert check.main(['new/a.zip', *options]) == 0
    assert '35 files' in capsys.readouterr().out
    assert check.main(['new/a.zip', '--benchmark', 'SportsMOT']) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == 'v_-9kabh1K8UA_c008.txt is missing' and len(lines) == 150 + 35
    assert 'Traceback' not in ''.join(lines)


@pytest.mark.soak
@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_two_ranks_write_the_same_zip(split):
    config = split.config(EVERY_OBJECT + SUBMISSION)
    launch(split, 'dist_test.sh', config, 'weights.pth', '2', '--submission', 'two.zip')
    split.test(split.config(EVERY_OBJECT + SUBMISSION), 'weights.pth', '--submission', 'one.zip')
    assert Path('one.zip').read_bytes() == Path('two.zip').read_bytes()


def refused(workshop: Workshop, capsys, config: str, *arguments: str) -> str:
    """The error of `tools/test.py`, which comes before any frame is tracked."""
    with pytest.raises(SystemExit) as stop:
        workshop.test(workshop.config(config), 'weights.pth', '--work-dir', 'run', *arguments)
    assert stop.value.code == 2 and not Path('run').exists()
    return capsys.readouterr().err


def test_what_is_refused(workshop, capsys):
    torch.save(dict(state_dict={}), 'weights.pth')
    missing = refused(workshop, capsys, SUBMISSION, '--submission', 'a.zip')
    assert_one_error(missing, r'videos/annotations/test\.json does not exist: convert')
    make_split(workshop, DANCETRACK['test'][:3])
    capsys.readouterr()
    part = refused(workshop, capsys, SUBMISSION, '--submission', 'a.zip')
    assert_one_error(part, r'test\.json has 3 of the 35 sequences .*is the download complete')
    no_key = refused(workshop, capsys, '', '--submission', 'a.zip')
    assert_one_error(no_key, '--submission needs submission=dict')
    for name in ('a.txt', 'run.zip/'):
        assert_one_error(refused(workshop, capsys, SUBMISSION, '--submission', name), 'FILE.zip')
    assert_one_error(
        refused(workshop, capsys, SUBMISSION), r'test\.json has no ground truth .*--submission'
    )
    assert not Path('a.zip').exists()
