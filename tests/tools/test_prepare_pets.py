"""`prepare_pets.py`: from the video and from a MOT15 download."""

import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 48, 32


def prepare(*arguments):
    """Exit status of the tool."""
    spec = importlib.util.spec_from_file_location(
        'tool_prepare_pets', ROOT / 'tools' / 'dataset_converters' / 'prepare_pets.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(list(map(str, arguments)))


def files(folder):
    """Content of every file, by its path."""
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob('*') if f.is_file()}


def boxes(content):
    """Rows frame, id, x, y, w, h by the original numbers."""
    frames = {image['id']: image['mot_frame_id'] for image in content['images']}
    return sorted(
        (frames[a['image_id']], a['mot_instance_id'], *a['bbox']) for a in content['annotations']
    )


SPLITS = {'train': (1, 450), 'val': (451, 600)}


def check_splits(out, gt):
    """Frames of both splits, and each box as NumPy reads it."""
    table = np.loadtxt(gt, delimiter=',')
    for split, (first, last) in SPLITS.items():
        content = json.loads((out / 'annotations' / f'{split}.json').read_text())
        numbers = range(first, last + 1)
        assert [image['mot_frame_id'] for image in content['images']] == list(numbers)
        assert [image['frame_id'] for image in content['images']] == list(range(len(numbers)))
        assert [image['file_name'] for image in content['images']] == [
            f'PETS09-S2L1/img1/{number:06d}.jpg' for number in numbers
        ]
        inside = (table[:, 0] >= first) & (table[:, 0] <= last)
        assert boxes(content) == sorted(map(tuple, table[inside][:, :6].tolist()))
        (video,) = content['videos']
        assert (video['name'], video['fps']) == ('PETS09-S2L1', 7)


def test_from_the_video(lamotr_data, tmp_path, capsys):
    """The numbers of the data's description, frames of the video, and a second call."""
    src = lamotr_data / 'pets09_s2l1'
    assert prepare(src, '--out', tmp_path) == 0
    out = capsys.readouterr().out
    assert 'train: frames 1-450, 2528 boxes of 11 people' in out
    assert 'val: frames 451-600, 767 boxes of 8 people' in out
    check_splits(tmp_path, src / 'gt' / 'gt.txt')

    images = sorted((tmp_path / 'PETS09-S2L1' / 'img1').iterdir())
    assert [image.name for image in images] == [f'{n:06d}.jpg' for n in range(1, 601)]
    capture = cv2.VideoCapture(str(src / 'video.avi'))
    for number in range(1, 451):
        assert capture.grab()
        if number in (1, 2, 450):
            shown = capture.retrieve()[1].astype(int)
            mine = cv2.imread(str(images[number - 1])).astype(int)
            others = cv2.imread(str(images[number])).astype(int)
            assert shown.shape == mine.shape == (576, 768, 3)
            # JPEG; a neighbour is farther away
            assert np.abs(mine - shown).mean() < 2
            assert np.abs(mine - shown).mean() < 0.7 * np.abs(others - shown).mean()

    stamps = [image.stat().st_mtime_ns for image in images]
    annotations = files(tmp_path / 'annotations')
    (tmp_path / 'annotations' / 'val.json').unlink()
    assert prepare(src, '--out', tmp_path) == 0
    assert files(tmp_path / 'annotations') == annotations
    assert [image.stat().st_mtime_ns for image in images] == stamps


@pytest.fixture
def mot15(tmp_path):
    """As MOT15 has it: 795 frames, rows of ten columns in order of ids."""
    src = tmp_path / 'train' / 'PETS09-S2L1'
    (src / 'img1').mkdir(parents=True)
    (src / 'gt').mkdir()
    for number in range(1, 796):
        image = np.full((HEIGHT, WIDTH, 3), number % 250, np.uint8)
        cv2.imwrite(str(src / 'img1' / f'{number:06d}.jpg'), image)
    rows = [
        f'{frame},{i},{frame % 20},{i},6.5,9,1,-3.25,{i},0'
        for i in (1, 2, 19)
        for frame in range(1, 796)
        if i < 19 or frame > 500
    ]
    (src / 'gt' / 'gt.txt').write_text('\n'.join(rows))
    return src


def test_from_mot15(mot15, tmp_path, capsys):
    """Frames are copied up to 600, the rest is left out; the source stays as it is."""
    before = files(mot15)
    out = tmp_path / 'pets'
    assert prepare(mot15, '--out', out) == 0
    assert 'val: frames 451-600, 400 boxes of 3 people' in capsys.readouterr().out
    check_splits(out, mot15 / 'gt' / 'gt.txt')
    assert files(mot15) == before
    made = files(out)
    images = {path: data for path, data in made.items() if path.suffix == '.jpg'}
    assert len(images) == 600
    for path, data in images.items():
        assert data == before[Path('img1') / path.name]
    assert b'seqLength=600' in made[Path('PETS09-S2L1/seqinfo.ini')]
    table = np.loadtxt(out / 'PETS09-S2L1' / 'gt' / 'gt.txt', delimiter=',')
    assert len(table) == 1300 and table[:, 0].max() == 600
    # a second call, and one that takes its own result for the source
    assert prepare(mot15, '--out', out) == 0
    assert prepare(out / 'PETS09-S2L1', '--out', out) == 0
    assert files(out) == made


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda src: remove(src / 'gt'), 'gt.txt does not exist: SRC is the folder of'),
        (lambda src: remove(src / 'img1'), 'neither img1/ nor a video file is there'),
        (
            lambda src: [remove(src / 'img1' / f'{n:06d}.jpg') for n in (7, 600)],
            'img1: 2 frames are missing, the first is 7',
        ),
        (lambda src: (src / 'gt' / 'gt.txt').write_text('1,1,nan,1,1,1,1,1,1'), 'gt.txt:1: column'),
        (
            lambda src: [remove(src / 'img1'), (src / 'video.avi').write_text('no video')],
            'video.avi: not a readable video',
        ),
    ],
)
def test_broken_sources(mot15, tmp_path, capsys, damage, message):
    """One error, and nothing half-made; afterwards a good source does."""
    good = tmp_path / 'good'
    shutil.copytree(mot15, good)
    damage(mot15)
    out = tmp_path / 'pets'
    assert prepare(mot15, '--out', out) == 1
    err = capsys.readouterr().err
    assert message in err and err.count('error:') == 1
    assert not out.is_dir() or files(out) == {}
    assert prepare(good, '--out', out) == 0
