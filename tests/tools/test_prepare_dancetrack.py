"""`prepare_dancetrack.py` on miniature downloads, and what all benchmarks share: archives, links,
interruptions.
"""

import dataclasses
import shutil
import zipfile
from collections import namedtuple

import pytest
from miniature_downloads import (
    below,
    check_split,
    load,
    prepare,
    sequence,
    tree,
    write_files,
    write_zip,
)

from lamotr_mm.io.archives import Archive
from lamotr_mm.preparation import downloads as downloads_module
from lamotr_mm.preparation import official, official_splits

DANCE = {
    'train1': ('dancetrack0001', 'dancetrack0002'),
    'train2': ('dancetrack0052',),
    'val': ('dancetrack0004',),
    'test1': ('dancetrack0003',),
    'test2': ('dancetrack0093',),
}


def make_dance(folders=DANCE):
    """Per archive its files, and per split its sequences."""
    archives, splits = {}, {'train': {}, 'val': {}, 'test': {}}
    for archive, names in folders.items():
        split = archive.rstrip('12')
        archives[archive] = {}
        for name in names:
            ids = (0, 3) if split != 'test' else ()
            files, rows = sequence(name, 2 + len(names), ids, annotated=split != 'test')
            archives[archive] |= below(archive, files)
            splits[split][name] = files, rows
    return archives, splits


@pytest.fixture
def downloads(tmp_path):
    """The zips of DanceTrack with a few of its sequences."""
    archives, splits = make_dance()
    for name, files in archives.items():
        write_zip(tmp_path / 'downloads' / f'{name}.zip', files)
    return tmp_path / 'downloads', splits


@pytest.fixture
def few(monkeypatch):
    """DanceTrack is made of the miniature's sequences only."""
    splits = {'train': DANCE['train1'] + DANCE['train2'], 'val': DANCE['val']}
    splits['test'] = DANCE['test1'] + DANCE['test2']
    benchmark = dataclasses.replace(official.DANCETRACK, splits=splits)
    monkeypatch.setattr(official, 'DANCETRACK', benchmark)


def test_dancetrack_zips(downloads, few, tmp_path, capsys):
    """train1 and train2 become one; every box and frame; the zips stay; a table."""
    src, splits = downloads
    before = tree(src)
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 0
    for split, made in splits.items():
        check_split(out, split, made)
    assert load(out, 'test')['annotations'] == []
    assert load(out, 'train')['videos'][0]['fps'] == 20
    assert load(out, 'train')['categories'] == [dict(id=1, name='pedestrian')]
    assert tree(src) == before
    assert sorted(f.name for f in out.iterdir()) == ['annotations', 'test', 'train', 'val']
    assert not [f for f in out.rglob('*') if f.name.startswith('.')]
    shown = capsys.readouterr().out
    # 2 sequences of 4 frames and 1 of 3, with 2 people each
    (line,) = (line for line in shown.splitlines() if line.strip().startswith('train'))
    assert line.split() == ['train', '3', 'of', '3', '11', '22', '6', '0', '0', '0', '0']
    assert 'left out' not in shown


def test_a_second_call_unpacks_nothing(downloads, few, tmp_path, monkeypatch):
    src, _ = downloads
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 0
    made = tree(out)
    stamps = {f: f.stat().st_mtime_ns for f in out.rglob('*.jpg')}
    (out / 'annotations' / 'val.json').unlink()
    monkeypatch.setattr(downloads_module, 'Archive', None)
    assert prepare('dancetrack', src, '--out', out) == 0
    assert prepare('dancetrack', out, '--out', out) == 0
    assert tree(out) == made
    assert {f: f.stat().st_mtime_ns for f in out.rglob('*.jpg')} == stamps


def test_all_hundred_sequences(tmp_path, capsys):
    """The official lists: 40, 25 and 35, in both halves of train and test."""
    names = official_splits.DANCETRACK
    folders = {
        'train1': names['train'][:20],
        'train2': names['train'][20:],
        'val': names['val'],
        'test1': names['test'][:20],
        'test2': names['test'][20:],
    }
    for archive, part in folders.items():
        files = {}
        for name in part:
            files |= sequence(name, 1, (1,), annotated='test' not in archive)[0]
        write_zip(tmp_path / f'{archive}.zip', below(archive, files))
    out = tmp_path / 'data'
    assert prepare('dancetrack', tmp_path, '--out', out) == 0
    for split, count in (('train', 40), ('val', 25), ('test', 35)):
        assert len(load(out, split)['videos']) == count
        assert f'{count} of {count}' in capsys.readouterr().out or split != 'train'
    (tmp_path / 'data' / 'val' / 'dancetrack0097' / 'img1').rename(tmp_path / 'img1')
    shutil.rmtree(tmp_path / 'data' / 'val' / 'dancetrack0097')
    (tmp_path / 'val.zip').unlink()
    assert prepare('dancetrack', tmp_path, '--out', out) == 1
    assert 'DanceTrack val: 1 of 25 sequences are missing' in capsys.readouterr().err


def test_dancetrack_folders_are_linked(tmp_path, few):
    """What was unpacked is not copied, and stays as it is; a moved source is linked anew."""
    archives, splits = make_dance()
    src = tmp_path / 'elsewhere' / 'DanceTrack'
    for files in archives.values():
        write_files(src, files)
    before = tree(src)
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 0
    for split, made in splits.items():
        check_split(out, split, made)
        assert all((out / split / name).is_symlink() for name in made)
    assert tree(src) == before
    src.rename(tmp_path / 'moved')
    assert prepare('dancetrack', tmp_path / 'moved', '--out', out) == 0
    check_split(out, 'train', splits['train'])


def test_dancetrack_in_place(tmp_path, few):
    """Unpacked in data/dancetrack itself: links that survive a move, and no links to itself."""
    archives, splits = make_dance()
    out = tmp_path / 'data'
    for files in archives.values():
        write_files(out, files)
    assert prepare('dancetrack', out, '--out', out) == 0
    assert (out / 'train' / 'dancetrack0001').is_symlink()
    assert not (out / 'val' / 'dancetrack0004').is_symlink()
    out.rename(tmp_path / 'other')
    for split, made in splits.items():
        check_split(tmp_path / 'other', split, made)


def test_folder_comes_before_zip(downloads, few, tmp_path):
    """Some unpacked, the rest packed."""
    src, splits = downloads
    write_files(src, make_dance()[0]['train1'])
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 0
    links = {f.name: f.is_symlink() for f in (out / 'train').iterdir()}
    assert links == {'dancetrack0001': True, 'dancetrack0002': True, 'dancetrack0052': False}
    check_split(out, 'train', splits['train'])


def test_missing_archives(downloads, few, tmp_path, capsys):
    """Named with the sequences they hold; nothing is unpacked. With --allow-partial what is there
    is converted, and the rest is named."""
    src, splits = downloads
    for name in ('train2', 'test1', 'test2'):
        (src / f'{name}.zip').unlink()
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 1
    err = capsys.readouterr().err
    assert f'train: 1 of 3 sequences are missing in {src} (dancetrack0052): train2.zip' in err
    assert '2 of 2 sequences' in err and 'test1.zip and test2.zip is not there' in err
    assert 'https://huggingface.co/datasets/noahcao/dancetrack, or give --allow-partial' in err
    assert err.count('error:') == 1 and not out.exists()

    assert prepare('dancetrack', src, '--out', out, '--allow-partial') == 0
    assert 'left out: DanceTrack train: 1 of 3 sequences' in capsys.readouterr().out
    del splits['train']['dancetrack0052']
    check_split(out, 'train', splits['train'])
    check_split(out, 'val', splits['val'])
    assert not (out / 'annotations' / 'test.json').exists()


def test_nothing_there(tmp_path, capsys):
    assert prepare('dancetrack', tmp_path / 'none', '--out', tmp_path / 'data') == 1
    assert 'none does not exist' in capsys.readouterr().err
    assert prepare('dancetrack', tmp_path, '--out', tmp_path / 'data', '--allow-partial') == 1
    err = capsys.readouterr().err
    assert '40 of 40 sequences' in err and 'and 35 more' in err and '--allow-partial' not in err
    assert not (tmp_path / 'data').exists()


@pytest.mark.parametrize('stop', [1, 9, 13])
def test_interrupted(downloads, few, tmp_path, monkeypatch, capsys, stop):
    """After so many files: only whole sequences are there; the next call completes them."""
    src, splits = downloads
    out = tmp_path / 'data'
    copy, count = Archive.copy, iter(range(1, 999))

    def interrupt(self, *arguments):
        if next(count) == stop:
            raise KeyboardInterrupt
        copy(self, *arguments)

    monkeypatch.setattr(Archive, 'copy', interrupt)
    assert prepare('dancetrack', src, '--out', out) == 130
    assert 'interrupted' in capsys.readouterr().err
    there = tree(out) if out.exists() else {}
    whole = {}
    for split, made in splits.items():
        for name, (files, _) in made.items():
            if (out / split / name).exists():
                whole |= below(split, files)
    assert there == whole
    assert (len(whole) > 0) == (stop > 6)
    assert prepare('dancetrack', src, '--out', out) == 0
    for split, made in splits.items():
        check_split(out, split, made)


def test_left_behind_by_a_kill(downloads, few, tmp_path):
    """A part that an earlier call could not remove is not taken for frames."""
    src, splits = downloads
    out = tmp_path / 'data'
    write_files(out / 'train' / '.dancetrack0001.part' / 'img1', {'00000009.jpg': b'half'})
    assert prepare('dancetrack', src, '--out', out) == 0
    check_split(out, 'train', splits['train'])
    assert not list(out.rglob('.*'))


@pytest.mark.parametrize('share', [0.0, 0.3, 0.99])
def test_cut_off_zip(downloads, few, tmp_path, capsys, share):
    src, splits = downloads
    whole = (src / 'train2.zip').read_bytes()
    (src / 'train2.zip').write_bytes(whole[: int(len(whole) * share)])
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 1
    err = capsys.readouterr().err
    assert f'{src}/train2.zip: cut off or damaged' in err and 'download it again' in err
    assert not out.exists()
    (src / 'train2.zip').write_bytes(whole)
    assert prepare('dancetrack', src, '--out', out) == 0
    check_split(out, 'train', splits['train'])


def test_damaged_within_a_zip(downloads, few, tmp_path, capsys):
    """Found while unpacking: other sequences stay whole, no json appears."""
    src, splits = downloads
    data = (src / 'train2.zip').read_bytes()
    (image,) = (v for k, v in splits['train']['dancetrack0052'][0].items() if k.endswith('1.jpg'))
    at = data.index(image) + len(image) // 2
    (src / 'train2.zip').write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 1
    assert 'train2.zip: cut off or damaged (Bad CRC-32' in capsys.readouterr().err
    assert sorted(f.name for f in (out / 'train').iterdir()) == list(DANCE['train1'])
    assert not (out / 'annotations').exists()


def broken(src, damage):
    """The download, with the files of one sequence changed by `damage`."""
    archives, _ = make_dance()
    files = archives['train1']
    damage(files, 'train1/dancetrack0002')
    write_zip(src / 'train1.zip', files)


def move(files, old, new):
    for path in [path for path in files if path.startswith(old)]:
        files[new + path.removeprefix(old)] = files.pop(path)


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda f, s: f.pop(f'{s}/gt/gt.txt'), 'train1/dancetrack0002: has no gt/gt.txt: download'),
        (lambda f, s: f.pop(f'{s}/seqinfo.ini'), 'train1/dancetrack0002: has no seqinfo.ini'),
        (lambda f, s: move(f, f'{s}/img1', f'{s}/img'), '(dancetrack0002): not in train1.zip and'),
    ],
)
def test_broken_before_unpacking(downloads, few, tmp_path, capsys, damage, message):
    src, _ = downloads
    broken(src, damage)
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 1
    err = capsys.readouterr().err
    assert message in err and err.count('error:') == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (
            lambda f, s: f.pop(f'{s}/img1/00000003.jpg'),
            '1 of the frames 1-4 are missing, the first',
        ),
        (
            lambda f, s: f.update({f'{s}/gt/gt.txt': b'5,1,2,3,4,5,1,1,1'}),
            'gt/gt.txt:1: frame 5 is outside 1..4',
        ),
        (
            lambda f, s: f.update({f'{s}/img1/00000001.jpg': b'none'}),
            '00000001.jpg: not a readable image',
        ),
    ],
)
def test_broken_sequence(downloads, few, tmp_path, capsys, damage, message):
    """Found while converting: no json."""
    src, _ = downloads
    broken(src, damage)
    out = tmp_path / 'data'
    assert prepare('dancetrack', src, '--out', out) == 1
    err = capsys.readouterr().err
    assert message in err and 'dancetrack0002' in err and err.count('error:') == 1
    assert not (out / 'annotations').exists()


def test_something_else_in_the_way(downloads, few, tmp_path, capsys):
    src, _ = downloads
    write_files(tmp_path / 'data' / 'val' / 'dancetrack0004', {'notes.txt': b''})
    assert prepare('dancetrack', src, '--out', tmp_path / 'data') == 1
    assert 'val/dancetrack0004: has no img1/: remove' in capsys.readouterr().err


def test_no_space(downloads, few, tmp_path, monkeypatch, capsys):
    src, _ = downloads
    usage = namedtuple('usage', 'free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage(1000))
    assert prepare('dancetrack', src, '--out', tmp_path / 'data') == 1
    assert 'unpacking takes 0.0 GB, 0.0 are free' in capsys.readouterr().err
    assert not (tmp_path / 'data').exists()


def test_paths_out_of_an_archive(downloads, few, tmp_path):
    src, splits = downloads
    with zipfile.ZipFile(src / 'val.zip', 'a') as archive:
        archive.writestr('val/dancetrack0004/../../../../evil.txt', b'')
    assert prepare('dancetrack', src, '--out', tmp_path / 'data') == 0
    check_split(tmp_path / 'data', 'val', splits['val'])
    assert not list(tmp_path.rglob('evil.txt'))
