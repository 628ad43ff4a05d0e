"""`prepare_dancetrack.py`, `prepare_sportsmot.py`, `prepare_mot17.py` on miniature downloads."""

import dataclasses
import importlib.util
import json
import os
import shutil
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamotr_mm.datasets import official, official_splits

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 24, 16


def prepare(name, *arguments):
    """Exit status of the tool."""
    file = ROOT / 'tools' / 'dataset_converters' / f'prepare_{name}.py'
    spec = importlib.util.spec_from_file_location(f'tool_prepare_{name}', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(list(map(str, arguments)))


def sequence(name, length=3, ids=(1, 2), annotated=True, digits=8, **suffixes):
    """Files of a sequence by their paths, and rows frame, id, x, y, w, h as they were drawn.

    Args:
        suffixes: `flag,class,visibility` of an id as ``id7='1,3,0.5'``; else 1,1,1.
    """
    rng = np.random.default_rng(sum(map(ord, name)))
    files = {
        f'{name}/seqinfo.ini': (
            f'[Sequence]\nname={name}\nimDir=img1\nframeRate=20\nseqLength={length}\n'
            f'imWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n'
        ).encode()
    }
    for number in range(1, length + 1):
        image = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        files[f'{name}/img1/{number:0{digits}d}.jpg'] = cv2.imencode('.jpg', image)[1].tobytes()
    rows = [
        (frame, i, *np.round(rng.uniform(1, 12, 4), 2).tolist())
        for frame in range(1, length + 1)
        for i in ids
    ]
    if annotated:
        lines = [
            f'{", ".join(map(str, row))}, {suffixes.get(f"id{row[1]}", "1,1,1")}\r\n'
            for row in rows
        ]
        rng.shuffle(lines)
        files[f'{name}/gt/gt.txt'] = ''.join(lines).encode()
    return files, rows


def below(folder, files):
    return {f'{folder}/{path}': content for path, content in files.items()}


def write_zip(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in files.items():
            # folders have entries of their own
            if Path(name).name == 'seqinfo.ini':
                archive.writestr(f'{Path(name).parent}/', b'')
            archive.writestr(name, content)


def write_tar(path, files, source):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_files(source, files)
    with tarfile.open(path, 'w') as archive:
        for folder in sorted(source.iterdir()):
            archive.add(folder, f'./{folder.name}')
    shutil.rmtree(source)


def write_files(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def tree(folder):
    """Content of every file, by its path; links are followed."""
    return {
        (Path(root) / name).relative_to(folder).as_posix(): (Path(root) / name).read_bytes()
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
    }


def load(out, name):
    return json.loads((out / 'annotations' / f'{name}.json').read_text())


def rows_of(content, name, ignored=False):
    """Rows frame, id, x, y, w, h of a video."""
    (video,) = (video['id'] for video in content['videos'] if video['name'] == name)
    frames = {i['id']: i['mot_frame_id'] for i in content['images'] if i['video_id'] == video}
    return sorted(
        (frames[a['image_id']], a['mot_instance_id'], *a['bbox'])
        for a in content['annotations']
        if a['image_id'] in frames and a['iscrowd'] == ignored
    )


def check_split(out, split, made):
    """A json file and the frames it names, against what the generator wrote.

    Args:
        made (dict): Per sequence its files and rows; rows are {} where nothing is annotated.
    """
    content = load(out, split)
    assert [video['name'] for video in content['videos']] == sorted(made)
    paths = {image['file_name'] for image in content['images']}
    expected = below(split, {k: v for files, _ in made.values() for k, v in files.items()})
    assert paths == {path for path in expected if path.endswith('.jpg')}
    for path in paths:
        assert (out / path).read_bytes() == expected[path]
    assert {(i['width'], i['height']) for i in content['images']} == {(WIDTH, HEIGHT)}
    for name, (_, rows) in made.items():
        assert rows_of(content, name) == sorted(rows)
    identities = {(i, a['instance_id']) for i, a in _annotations(content)}
    assert (
        len({i for _, i in identities})
        == len(identities)
        == sum(len({row[1] for row in rows}) for _, rows in made.values())
    )


def _annotations(content):
    """Pairs of (video, original id) and annotation."""
    videos = {image['id']: image['video_id'] for image in content['images']}
    for a in content['annotations']:
        yield (videos[a['image_id']], a['mot_instance_id']), a


# ---------------------------------------------------------------- DanceTrack

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
    monkeypatch.setattr(official, 'Archive', None)
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
    copy, count = official.Archive.copy, iter(range(1, 999))

    def interrupt(self, *arguments):
        if next(count) == stop:
            raise KeyboardInterrupt
        copy(self, *arguments)

    monkeypatch.setattr(official.Archive, 'copy', interrupt)
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
        (lambda f, s: move(f, s, 'val/dancetrack0002'), 'lies in val/, DanceTrack has it in train'),
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


# ---------------------------------------------------------------- SportsMOT

SPORTS = {
    'train': ('v_-6Os86HzwCs_c001', 'v_1LwtoLPw2TU_c006'),
    'val': ('v_00HRwkvvjtQ_c001',),
    'test': ('v_-9kabh1K8UA_c008', 'v_aAb0psypDj4_c003'),
}


def make_sports(splits=SPORTS):
    """Per split its sequences: files and rows."""
    return {
        split: {
            name: sequence(name, 2, (0, 7) if split != 'test' else (), split != 'test', digits=6)
            for name in names
        }
        for split, names in splits.items()
    }


def merged(made):
    return {path: data for files, _ in made.values() for path, data in files.items()}


def lists(splits=SPORTS):
    return {f'splits_txt/{s}.txt': ' \n'.join(names).encode() for s, names in splits.items()}


def sports_zip(src, made):
    files = lists() | {'splits_txt/football.txt': b''}
    # ground truth once more, without frames
    files[f'scripts/ref/{SPORTS["train"][0]}/gt/gt.txt'] = b'1,1,1,1,1,1,1,1,1'
    for split, sequences in made.items():
        files |= below(f'dataset/{split}', merged(sequences))
    write_zip(src / 'sportsmot_publish.zip', below('sportsmot_publish', files))


def sports_folders(src, made):
    write_files(src, lists())
    for split, sequences in made.items():
        write_files(src / 'dataset' / split, merged(sequences))


def sports_flat(src, made):
    write_files(src, lists())
    for sequences in made.values():
        write_files(src / 'dataset', merged(sequences))


def sports_tars(src, made):
    for split, sequences in made.items():
        files = below(split, merged(sequences))
        write_tar(src / 'dataset' / f'{split}.tar', files, src / 'source')


@pytest.mark.parametrize('layout', [sports_zip, sports_folders, sports_flat, sports_tars])
def test_sportsmot(tmp_path, capsys, layout):
    """The zip of the challenge, what it unpacks to, one folder for all splits, tars by split."""
    made = make_sports()
    layout(tmp_path / 'downloads', made)
    out = tmp_path / 'data'
    arguments = ('sportsmot', tmp_path / 'downloads', '--out', out)
    assert prepare(*arguments) == 1
    err = capsys.readouterr().err
    if layout is sports_tars:
        assert '43 of 45 sequences are missing' in err and '148 of 150' in err
        assert 'not in train.tar' in err
    else:
        assert 'splits_txt/train.txt lists 2 sequences, SportsMOT has 45: download' in err
    assert not out.exists()
    assert prepare(*arguments, '--allow-partial') == 0
    for split, sequences in made.items():
        check_split(out, split, sequences)
    shown = capsys.readouterr().out
    assert all(text in shown for text in ('2 of 45', '1 of 45', '2 of 150'))


def test_sportsmot_lists_decide(tmp_path):
    """A flat folder, and lists that put a sequence elsewhere than the ones shipped here."""
    moved = SPORTS | {'train': SPORTS['train'][:1], 'val': (*SPORTS['val'], SPORTS['train'][1])}
    made = make_sports(moved)
    write_files(tmp_path / 'src', lists(moved))
    for sequences in made.values():
        write_files(tmp_path / 'src' / 'dataset', merged(sequences))
    assert prepare('sportsmot', tmp_path / 'src', '--out', tmp_path, '--allow-partial') == 0
    content = load(tmp_path, 'val')
    assert {video['name'] for video in content['videos']} == set(moved['val'])


def test_sportsmot_in_two_lists(tmp_path, capsys):
    write_files(tmp_path, lists(SPORTS | {'val': SPORTS['train']}))
    assert prepare('sportsmot', tmp_path, '--out', tmp_path / 'x', '--allow-partial') == 1
    assert f'list {", ".join(SPORTS["train"])} twice' in capsys.readouterr().err


def test_all_of_sportsmot(tmp_path, capsys):
    """240 sequences; then one is gone."""
    made = make_sports_of_one_frame()
    for split, files in made.items():
        write_tar(tmp_path / f'{split}.tar', below(split, files), tmp_path / 'source')
    out = tmp_path / 'data'
    assert prepare('sportsmot', tmp_path, '--out', out) == 0
    counts = {split: len(load(out, split)['videos']) for split in made}
    assert counts == {'train': 45, 'val': 45, 'test': 150}
    shutil.rmtree(out / 'test' / 'v_iF9bKPWdZlc_c003')
    (tmp_path / 'test.tar').unlink()
    assert prepare('sportsmot', tmp_path, '--out', out) == 1
    err = capsys.readouterr().err
    assert '1 of 150 sequences are missing' in err
    assert '(v_iF9bKPWdZlc_c003): test.tar is not there' in err


def make_sports_of_one_frame():
    return {
        split: merged({n: sequence(n, 1, (1,), split != 'test', digits=6) for n in names})
        for split, names in official_splits.SPORTSMOT.items()
    }


@pytest.mark.parametrize('size', [0, 300, 2000, 5000, -512])
def test_cut_off_tar(tmp_path, capsys, size):
    """Within a header, within a file, at the end."""
    made = make_sports()
    sports_tars(tmp_path, made)
    tar = tmp_path / 'dataset' / 'val.tar'
    whole = tar.read_bytes()
    end = len(whole.rstrip(b'\0'))
    tar.write_bytes(whole[: size if size >= 0 else end + size])
    assert prepare('sportsmot', tmp_path, '--out', tmp_path / 'data', '--allow-partial') == 1
    assert f'{tar}: cut off or damaged' in capsys.readouterr().err
    assert not (tmp_path / 'data').exists()


# ---------------------------------------------------------------- MOT17

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


@pytest.mark.parametrize('packed', [True, False])
def test_mot17_copies_differ(mot17, tmp_path, capsys, packed):
    """A box that one copy has otherwise; the order of rows and missing copies don't matter."""
    files = mot17_files(mot17)
    rows = files['train/MOT17-04-SDP/gt/gt.txt'].splitlines()
    files['train/MOT17-04-SDP/gt/gt.txt'] = b'\n'.join(sorted(rows))
    files = {path: data for path, data in files.items() if 'MOT17-02-DPM' not in path}
    src = tmp_path / 'good'
    if packed:
        write_zip(src / 'MOT17.zip', files)
    else:
        write_files(src, files)
    assert prepare('mot17', src, '--out', tmp_path / 'data') == 0

    files['train/MOT17-09-SDP/gt/gt.txt'] = files['train/MOT17-09-SDP/gt/gt.txt'].replace(
        b'1, 1, ', b'1, 1, 9', 1
    )
    src = tmp_path / 'bad'
    if packed:
        write_zip(src / 'MOT17.zip', files)
    else:
        write_files(src, files)
    assert prepare('mot17', src, '--out', tmp_path / 'none') == 1
    err = capsys.readouterr().err
    assert 'MOT17-09-FRCNN: gt/gt.txt differs from that of MOT17-09-SDP (' in err
    assert not (tmp_path / 'none').exists()


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
