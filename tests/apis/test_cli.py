"""The command `lamotr`: what it prints, and that every error is one line with exit status 2."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from typer.main import get_command

from lamotr_mm.apis import cli, cli_convert
from lamotr_mm.apis.training import training_config
from lamotr_mm.io.cocovid_json import load_cocovid
from lamotr_mm.io.mot_rows import read_rows
from lamotr_mm.preparation.convert import FORMATS


@pytest.fixture
def lamotr(tmp_path, monkeypatch, capsys):
    """``lamotr(*arguments)`` -> (exit status, stdout, stderr), in an empty folder."""
    (tmp_path / 'cwd').mkdir()
    monkeypatch.chdir(tmp_path / 'cwd')

    def call(*arguments):
        status = 0
        try:
            cli.run([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        return (status, *capsys.readouterr())

    return call


def refused(result, *words):
    status, out, err = result
    *before, last = err.splitlines()
    assert status == 2 and out == ''
    assert not any('error' in line or 'Traceback' in line or 'Usage' in line for line in before)
    assert ': error: ' in last and last.startswith('lamotr')
    assert all(word in last for word in words), last


@pytest.fixture
def folder(tmp_path, videos):
    (tmp_path / 'walk').mkdir()
    for number, image in enumerate(videos[0], 1):
        cv2.imwrite(str(tmp_path / 'walk' / f'{number}.png'), image)
    return tmp_path / 'walk'


def test_the_script_is_installed():
    script = {e.name: e.value for e in metadata.distribution('lamotr_mm').entry_points}
    if 'lamotr' not in script:
        pytest.skip('installed before the command was there: pip install -e . --no-deps')
    assert script['lamotr'] == 'lamotr_mm.apis.cli:main'


def test_help_and_version(lamotr):
    status, out, _ = lamotr('--help')
    assert status == 0
    commands = ('track', 'eval', 'train', 'test', 'models', 'info', 'explain', 'convert')
    assert list(get_command(cli.app).commands) == list(commands)
    assert all(command in out for command in commands)
    for command in commands:
        status, out, _ = lamotr(command, '--help')
        assert status == 0 and f'lamotr {command}' in out
    assert lamotr('--version')[1].startswith('lamotr_mm ')


def test_completion_knows_the_models():
    """As bash asks for it; in a process, since the library ends the one that it answers in."""
    code = 'from lamotr_mm.apis.cli import main; main()'
    environment = dict(
        _LAMOTR_COMPLETE='complete_bash',
        COMP_WORDS='lamotr info lamotr_peo',
        COMP_CWORD='2',
        PYTHONPATH=':'.join(filter(None, sys.path)),
        OMP_NUM_THREADS='1',
    )
    done = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ['lamotr_people'], done.stderr


def test_track_fills_gaps_and_counts(lamotr, folder, tiny_tracker):
    pytest.importorskip('supervision', reason='optional: pip install "lamotr_mm[results]"')
    config, checkpoint = tiny_tracker
    status, out, err = lamotr(
        'track', folder, '--model', config, '--weights', checkpoint, '--mot-out', 'a.txt',
        '--fill-gaps', 3, '--device', 'cpu', '--polygon', '0,0,192,0,192,128,0,128',
    )  # fmt: skip
    assert status == 0, err
    rows = read_rows('a.txt')
    assert f'5 frames, {len(np.unique(rows[:, 1]))} tracks' in out
    assert 'boxes filled in' in out and '0,0,192,0,192,128,0,128: now ' in out
    assert [file.name for file in Path().iterdir()] == ['a.txt']


def test_eval_prints_the_table(lamotr, lamotr_data):
    folder = lamotr_data / 'tud' / 'TUD-Campus'
    status, out, _ = lamotr('eval', folder / 'gt.txt', folder / 'test.txt')
    assert status == 0
    head, row = (out.splitlines()[k].split('|')[1:-1] for k in (1, 3))
    table = dict(zip(map(str.strip, head), map(str.strip, row)))
    # the published values: MOTA 52.6, IDF1 55.8
    assert (table['sequence'], table['MOTA'], table['IDF1']) == ('TUD-Campus', '52.65', '55.77')
    assert (table['FP'], table['FN'], table['IDSW']) == ('13', '150', '7')


def test_models_and_info(lamotr):
    out = lamotr('models')[1]
    assert 'lamotr_people' in out and '69.7 54.6' in out and 'lamotr_dancetrack' in out
    out = lamotr('info', 'lamotr_people')[1]
    assert 'knows: pedestrian of data/people/annotations/train.json' in out
    assert 'parameters: 1,633,712 trainable' in out


def test_convert_is_the_tool(lamotr, tmp_path):
    folder = tmp_path / 'data' / 'train' / 'a'
    (folder / 'img1').mkdir(parents=True)
    (folder / 'gt').mkdir()
    cv2.imwrite(str(folder / 'img1' / '000001.jpg'), np.zeros((32, 48, 3), np.uint8))
    (folder / 'gt' / 'gt.txt').write_text('1,1,2,3,4,5,1,1,1\n1,2,8,3,4,5,1,2,1\n')
    status, _, err = lamotr(
        'convert', 'mot', tmp_path / 'data', '--split', 'x=train', 'y=train', '--classes', 'a', 'b'
    )
    assert status == 0, err
    names = sorted(file.name for file in (tmp_path / 'data' / 'annotations').iterdir())
    assert names == ['x.json', 'y.json']


def test_options_in_the_form_of_mmdet():
    """Against argparse, whose `nargs` mmdet's tools use."""
    for given, spread in (
        ('c.py --cfg-options a=1 b=2 --amp', 'c.py --cfg-options a=1 --cfg-options b=2 --amp'),
        ('c.py --resume', 'c.py --resume auto'),
        ('--resume --amp c.py', '--resume auto --amp c.py'),
        ('c.py --resume x.pth', 'c.py --resume x.pth'),
        ('c.py --cfg-options', 'c.py --cfg-options'),
        ('c.py --cfg-options=a=1', 'c.py --cfg-options=a=1'),
    ):
        command = get_command(cli.app).commands['train']
        assert command._spread(given.split()) == spread.split()


def test_every_error_is_one_line(lamotr, folder, tiny_tracker, tmp_path):
    config, checkpoint = tiny_tracker
    (tmp_path / 'text.pth').write_text('no weights')
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken' / 'a.txt').write_text('x\n')
    torch.save({}, tmp_path / 'empty.pth')
    own = ('--model', config, '--weights', checkpoint, '--device', 'cpu')
    for words, arguments in (
        (('Missing command',), ()),
        (("No such command 'trak'",), ('trak',)),
        (("Missing argument 'INPUT'", 'lamotr track'), ('track',)),
        (('No such option', '--nme'), ('track', folder, '--nme', 1)),
        (('--end', 'integer'), ('track', folder, '--end', 'x')),
        (('none.mp4: no such video',), ('track', 'none.mp4')),
        (('people2', 'nor is it one of'), ('track', folder, '--model', 'people2')),
        (('no weights come with lamotr_mot17',), ('track', folder, '--model', 'lamotr_mot17')),
        (('text.pth',), ('track', folder, '--weights', tmp_path / 'text.pth')),
        (('--fill-gaps', '--mot-out'), ('track', folder, *own, '--fill-gaps', 2)),
        (('1,x', 'give numbers'), ('track', folder, *own, '--line', '1,x')),
        (('device abacus',), ('track', folder, *own[:4], '--device', 'abacus')),
        (('camera 99',), ('track', 99, *own)),
        (('cannot be opened',), ('track', 'rtsp://127.0.0.1:1/a', *own)),
        (('none: no such file',), ('eval', 'none', 'none')),
        (('broken/a.txt',), ('eval', tmp_path / 'broken', tmp_path / 'broken')),
        (("'KITTI'",), ('eval', 'a', 'b', '--benchmark', 'KITTI')),
        (('config no.py does not exist',), ('train', 'no.py')),
        (('takes KEY=VALUE',), ('train', config, '--cfg-options', 'a')),
        (('no.pth does not exist',), ('train', config, '--resume', 'no.pth')),
        (('no.pth does not exist',), ('test', config, 'no.pth')),
        (("'fp8'",), ('test', config, checkpoint, '--precision', 'fp8')),
        (('config none does not exist',), ('info', 'none')),
        (('none is not a folder',), ('convert', 'mot', 'none')),
        (('Missing command',), ('convert',)),
    ):
        refused(lamotr(*arguments), *words)
    assert not list(Path().iterdir())


def test_an_error_of_a_run_is_one_line(lamotr, tiny_tracker, monkeypatch):
    """Of `lamotr`; the doors in tools/ keep the traceback."""

    def broken(cfg):
        raise ValueError('train.json: video a, frame 1:\n  box is not finite')

    monkeypatch.setattr('lamotr_mm.apis.training.train', broken)
    monkeypatch.setattr('lamotr_mm.apis.training.training_config', lambda *args: training_config)
    refused(lamotr('train', tiny_tracker[0]), 'frame 1:; box is not finite')
    with pytest.raises(ValueError, match='box is not finite'):
        cli.run([tiny_tracker[0]], 'train', 'train.py')


def test_ctrl_c(lamotr, folder, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr('lamotr_mm.apis.track_command.track_source', interrupted)
    status, _, err = lamotr('track', folder)
    assert status == 130 and 'interrupted' in err


def test_convert_annotations(lamotr, tmp_path):
    """KITTI: a car, a pedestrian that is not asked for; then a class that is not there."""
    assert list(get_args(cli_convert.AnnotationFormat)) == list(FORMATS)
    labels, images = tmp_path / 'training' / 'label_02', tmp_path / 'training' / 'image_02' / '0000'
    labels.mkdir(parents=True)
    images.mkdir(parents=True)
    row = '0 {} {} 0 0 0 10 20 30 60 0 0 0 0 0 0 0\n'
    (labels / '0000.txt').write_text(row.format(1, 'Car') + row.format(2, 'Pedestrian'))
    cv2.imwrite(str(images / '000000.png'), np.zeros((80, 90, 3), np.uint8))
    command = ('convert', 'annotations', 'kitti', tmp_path / 'training', '--out', tmp_path / 'out')
    status, out, _ = lamotr(*command, '--split', 'val', '--classes', 'Car', 'Cyclist')
    assert status == 0 and '0000' in out
    content = load_cocovid(str(tmp_path / 'out' / 'annotations' / 'val.json'))
    assert [annotation['bbox'] for annotation in content['annotations']] == [[10, 20, 20, 40]]
    refused(lamotr(*command, '--classes', 'Bus'), 'no class Bus')
