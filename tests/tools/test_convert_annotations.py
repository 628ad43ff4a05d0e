"""The command line of `lamotr_mm.preparation.convert`; what it does: tests/io/annotations."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'dataset_converters' / 'convert_annotations.py'
    spec = importlib.util.spec_from_file_location('tool_convert_annotations', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *arguments: module.main(list(map(str, arguments)))


@pytest.fixture
def part(tmp_path):
    """VisDrone with two sequences of one frame."""
    folder = tmp_path / 'VisDrone2019-MOT-val'
    (folder / 'annotations').mkdir(parents=True)
    for name in ('uav1', 'uav2'):
        (folder / 'annotations' / f'{name}.txt').write_text('1,0,5,6,7,8,1,1,0,0\n')
        (folder / 'sequences' / name).mkdir(parents=True)
        file = folder / 'sequences' / name / '0000001.jpg'
        cv2.imwrite(str(file), np.zeros((20, 30, 3), np.uint8))
    return folder


def test_all_options(tool, part, tmp_path, capsys):
    options = ['--split', 'val', '--classes', 'pedestrian', '--videos', 'uav2']
    media = part.rename(tmp_path / 'other') / 'sequences'
    arguments = ['visdrone', tmp_path / 'other', '--out', tmp_path / 'out', '--media', media]
    assert tool(*arguments, *options) == 0
    content = json.loads((tmp_path / 'out' / 'annotations' / 'val.json').read_text())
    assert [video['name'] for video in content['videos']] == ['uav2']
    assert content['categories'] == [dict(id=1, name='pedestrian')]
    assert 'uav2' in capsys.readouterr().out


def test_one_line_of_error(tool, part, tmp_path, capsys):
    (part / 'annotations' / 'uav2.txt').write_text('1,0,5,6,7\n')
    assert tool('visdrone', part, '--out', tmp_path / 'out') == 1
    err = capsys.readouterr().err
    assert err.count('error:') == 1 and 'uav2.txt:1: 10 columns expected, got 5' in err
    assert not (tmp_path / 'out' / 'annotations').exists()


def test_help_names_each_format(tool, capsys):
    with pytest.raises(SystemExit) as end:
        tool('--help')
    assert end.value.code == 0
    out = capsys.readouterr().out
    for name in ('cvat-mot', 'cvat-video', 'kitti', 'visdrone', 'bdd100k', 'label-studio'):
        assert f'\n  {name} ' in out
