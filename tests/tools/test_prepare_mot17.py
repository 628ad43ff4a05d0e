"""`prepare_mot17.py` on miniature downloads, with three copies of each sequence."""

import shutil

import numpy as np
import pytest
from miniature_downloads import (
    below,
    load,
    merged,
    prepare,
    rows_of,
    sequence,
    tree,
    write_files,
    write_zip,
)

from lamotr_mm.preparation import official_splits

SUFFIXES = dict(id2='1,1,0.25', id3='0,1,1', id4='1,7,1', id5='1,3,1', id6='1,8,0.5')


def make_mot17():
    """All 42 sequences: {split: {number: (files of the three copies, rows)}}."""
    made = {'train': {}, 'test': {}}
    for split, names in official_splits.MOT17.items():
        for index, name in enumerate(names):
            number = name.split('-')[1]
            files, rows = sequence(
                name, 5 + index, (1, 2, 3, 4, 5, 6), split == 'train', digits=6, **SUFFIXES
            )
            copies = {}
            for detector in ('DPM', 'FRCNN', 'SDP'):
                new = f'MOT17-{number}-{detector}'
                copies |= {path.replace(name, new): data for path, data in files.items()}
                copies[f'{new}/det/det.txt'] = detector.encode()
            made[split][number] = copies, rows
    return made


@pytest.fixture
def mot17():
    return make_mot17()


def mot17_files(made):
    return {
        path: data
        for split, sequences in made.items()
        for path, data in below(split, merged(sequences)).items()
    }


def halves(length):
    """Frames of the halves, from 1: as in mmdet's mot2coco, the first has the middle one."""
    numbers = list(range(1, length + 1))
    return numbers[: length // 2 + 1], numbers[length // 2 + 1 :]


@pytest.mark.parametrize('packed', [True, False])
def test_mot17(mot17, tmp_path, packed):
    """One copy of three; classes by id; two halves that are the whole."""
    src, out = tmp_path / 'downloads', tmp_path / 'data'
    if packed:
        write_zip(src / 'MOT17.zip', below('MOT17', mot17_files(mot17)))
    else:
        write_files(src / 'MOT17', mot17_files(mot17))
    assert prepare('mot17', src, '--out', out) == 0
    for split, sequences in mot17.items():
        names = [f'MOT17-{number}-FRCNN' for number in sequences]
        assert sorted(f.name for f in (out / split).iterdir()) == names
        for number, name in zip(sequences, names):
            files = {k: v for k, v in sequences[number][0].items() if k.startswith(name)}
            assert tree(out / split / name) == {
                path.removeprefix(f'{name}/'): data for path, data in files.items()
            }
    assert [video['name'] for video in load(out, 'test')['videos']] == names
    assert load(out, 'test')['annotations'] == []
    whole = load(out, 'train')
    parts = load(out, 'half-train'), load(out, 'half-val')
    for index, (number, (_, rows)) in enumerate(mot17['train'].items()):
        name = f'MOT17-{number}-FRCNN'
        ids = {1, 2}, {3, 4, 6}  # 5 is a car
        for ignored in (False, True):
            expected = sorted(row for row in rows if row[1] in ids[ignored])
            assert rows_of(whole, name, ignored) == expected
            for content, frames in zip(parts, halves(5 + index)):
                inside = [row for row in expected if row[0] in frames]
                assert rows_of(content, name, ignored) == inside
    assert {a['visibility'] for a in whole['annotations'] if a['mot_instance_id'] == 2} == {0.25}
    images = [{i['file_name'] for i in content['images']} for content in parts]
    assert images[0] | images[1] == {i['file_name'] for i in whole['images']}
    assert not images[0] & images[1]
    assert {i['mot_frame_id'] for i in parts[1]['images'] if i['frame_id'] == 0} == {4, 5, 6, 7}


def test_mot17_of_one_copy(mot17, tmp_path):
    """The others are not needed."""
    write_files(tmp_path, {k: v for k, v in mot17_files(mot17).items() if '-FRCNN/' in k})
    assert prepare('mot17', tmp_path, '--out', tmp_path / 'data') == 0
    assert len(load(tmp_path / 'data', 'train')['videos']) == 7


def test_mot17_without_frcnn(mot17, tmp_path, capsys):
    """Another copy is no substitute."""
    files = {k: v for k, v in mot17_files(mot17).items() if 'MOT17-14-FRCNN' not in k}
    write_zip(tmp_path / 'MOT17.zip', files)
    assert prepare('mot17', tmp_path, '--out', tmp_path / 'data') == 1
    err = capsys.readouterr().err
    assert 'MOT17 test: 1 of 7 sequences are missing' in err
    assert '(MOT17-14-FRCNN): not in MOT17.zip' in err
    # one archive may be named instead of its folder
    arguments = (tmp_path / 'MOT17.zip', '--out', tmp_path / 'data', '--allow-partial')
    assert prepare('mot17', *arguments) == 0
    assert len(load(tmp_path / 'data', 'test')['videos']) == 6


def test_real_mot17(lamotr_data, tmp_path):
    """Four frames of a real sequence, of which seqinfo.ini is cut to as many."""
    name = 'MOT17-02-FRCNN'
    source = lamotr_data / 'mot17_mini' / name
    folder = tmp_path / 'src' / 'train' / name
    shutil.copytree(source, folder)
    ini = (folder / 'seqinfo.ini').read_text().splitlines()
    ini = ['seqLength=4' if line.startswith('seqLength') else line for line in ini]
    (folder / 'seqinfo.ini').write_text('\n'.join(ini))
    table = np.loadtxt(folder / 'gt' / 'gt.txt', delimiter=',')
    table = table[table[:, 0] <= 4]
    np.savetxt(folder / 'gt' / 'gt.txt', table, fmt='%g', delimiter=',')
    assert prepare('mot17', tmp_path / 'src', '--out', tmp_path, '--allow-partial') == 0
    people = table[(table[:, 7] == 1) & (table[:, 6] == 1)]
    assert rows_of(load(tmp_path, 'train'), name) == sorted(map(tuple, people[:, :6].tolist()))
    halves = [load(tmp_path, half) for half in ('half-train', 'half-val')]
    assert [[i['mot_frame_id'] for i in half['images']] for half in halves] == [[1, 2, 3], [4]]
