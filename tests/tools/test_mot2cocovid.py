"""`mot2cocovid.py` on miniatures of each layout and on real sequences."""

import importlib.util
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 48, 32


def convert(*arguments):
    """Exit status of the tool."""
    spec = importlib.util.spec_from_file_location(
        'tool_mot2cocovid', ROOT / 'tools' / 'dataset_converters' / 'mot2cocovid.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(list(map(str, arguments)))


def make_sequence(folder, length=4, rows=(), name='{:08d}.jpg', seqinfo=True):
    (folder / 'img1').mkdir(parents=True)
    (folder / 'gt').mkdir()
    _, data = cv2.imencode('.jpg', np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    for number in range(1, length + 1):
        (folder / 'img1' / name.format(number)).write_bytes(data.tobytes())
    (folder / 'gt' / 'gt.txt').write_text(''.join(f'{row}\n' for row in rows))
    if seqinfo:
        (folder / 'seqinfo.ini').write_text(
            f'[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=20\nseqLength={length}\n'
            f'imWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n'
        )
    return folder


def rows_of(content, name, ignored=False):
    """Rows frame, id, x, y, w, h of a video, by the original numbers, in order of frame and id."""
    (video,) = (video['id'] for video in content['videos'] if video['name'] == name)
    frames = {i['id']: i['mot_frame_id'] for i in content['images'] if i['video_id'] == video}
    return sorted(
        (frames[a['image_id']], a['mot_instance_id'], *a['bbox'])
        for a in content['annotations']
        if a['image_id'] in frames and a['iscrowd'] == ignored
    )


def reference(file, keep=lambda table: table[:, 0] > 0):
    """The same of a gt.txt, as NumPy reads it."""
    table = np.loadtxt(file, delimiter=',', ndmin=2)
    return sorted(map(tuple, table[keep(table)][:, :6].tolist()))


def walk(length, ids, suffix='1,1,1'):
    """Rows of boxes with values of their own."""
    return [
        f'{frame},{i},{frame + 0.25 * i},{i},{5 + i},{9.5 - i},{suffix}'
        for frame in range(1, length + 1)
        for i in ids
    ]


def load(file):
    return json.loads(Path(file).read_text())


# ---------------------------------------------------------------- layouts


@pytest.fixture
def dancetrack(tmp_path):
    """train/ and val/ with annotations, test/ without; rows in no order."""
    for split, number, ids in (('train', 1, (0, 1)), ('train', 2, (3,)), ('val', 4, (1, 2, 3))):
        rows = walk(4 + number, ids)
        np.random.default_rng(number).shuffle(rows)
        make_sequence(tmp_path / split / f'dancetrack000{number}', 4 + number, rows)
    folder = make_sequence(tmp_path / 'test' / 'dancetrack0003', 2)
    (folder / 'gt' / 'gt.txt').unlink()
    (folder / 'gt').rmdir()
    return tmp_path


def test_dancetrack(dancetrack, capsys):
    """Without any option: three splits, every value that of gt.txt, what was done is printed."""
    assert convert(dancetrack) == 0
    out = capsys.readouterr().out
    assert '4 sequences, classes as in dancetrack' in out
    assert 'dancetrack0004' in out
    names = {'train': ['dancetrack0001', 'dancetrack0002'], 'val': ['dancetrack0004']}
    for split, expected in (names | {'test': ['dancetrack0003']}).items():
        content = load(dancetrack / 'annotations' / f'{split}.json')
        assert [video['name'] for video in content['videos']] == expected
        assert content['categories'] == [dict(id=1, name='pedestrian')]
        for image in content['images']:
            assert (dancetrack / image['file_name']).is_file()
            assert int(Path(image['file_name']).stem) == image['mot_frame_id']
            assert (image['width'], image['height']) == (WIDTH, HEIGHT)
        for name in names.get(split, []):
            gt = dancetrack / split / name / 'gt' / 'gt.txt'
            assert rows_of(content, name) == reference(gt)
        assert {(v['fps'], v['width'], v['height']) for v in content['videos']} == {(20, 48, 32)}
    assert content['annotations'] == [] and len(content['images']) == 2


def test_identities_differ_between_videos(dancetrack):
    """Id 1 of one video and of another are two; those of one video stay one."""
    assert convert(dancetrack, '--split', 'all=train,val') == 0
    content = load(dancetrack / 'annotations' / 'all.json')
    videos = {image['id']: image['video_id'] for image in content['images']}
    pairs = {
        (videos[a['image_id']], a['mot_instance_id'], a['instance_id'])
        for a in content['annotations']
    }
    assert len(pairs) == len({pair[:2] for pair in pairs}) == len({pair[2] for pair in pairs}) == 6


def test_a_second_run_changes_nothing(dancetrack):
    assert convert(dancetrack) == 0
    before = {f: f.read_bytes() for f in dancetrack.rglob('*') if f.is_file()}
    assert convert(dancetrack) == 0
    assert {f: f.read_bytes() for f in dancetrack.rglob('*') if f.is_file()} == before


def test_mot15(tmp_path):
    """Rows of ten columns, no seqinfo.ini; rows with flag 0 are ignored boxes."""
    rows = walk(3, (1, 2), '1,-1,-1,-1') + walk(3, (7,), '0,4.5,5.5,0')
    make_sequence(tmp_path / 'train' / 'TUD-Campus', 3, rows, '{:06d}.jpg', seqinfo=False)
    assert convert(tmp_path, '--benchmark', 'mot15') == 0
    content = load(tmp_path / 'annotations' / 'train.json')
    gt = tmp_path / 'train' / 'TUD-Campus' / 'gt' / 'gt.txt'
    assert rows_of(content, 'TUD-Campus') == reference(gt, lambda t: t[:, 6] == 1)
    assert rows_of(content, 'TUD-Campus', ignored=True) == reference(gt, lambda t: t[:, 6] == 0)
    assert {a['visibility'] for a in content['annotations']} == {1.0}


def test_mot17_in_halves(tmp_path):
    """Pedestrians to track, distractors ignored, cars left out; the halves share no frame."""
    rows = walk(7, (1, 2), '1,1,0.5') + walk(7, (3,), '0,1,0')
    rows += walk(7, (4,), '0,7,1') + walk(7, (5,), '0,8,1') + walk(7, (6,), '0,3,1')
    make_sequence(tmp_path / 'train' / 'MOT17-02-FRCNN', 7, rows, '{:06d}.jpg')
    make_sequence(tmp_path / 'train' / 'MOT17-02-DPM', 7, [], '{:06d}.jpg')
    splits = ['half-train=train/*FRCNN:half-train', 'half-val=train/*FRCNN:half-val']
    assert convert(tmp_path, '--split', *splits) == 0
    gt = tmp_path / 'train' / 'MOT17-02-FRCNN' / 'gt' / 'gt.txt'
    for split, first, last in (('half-train', 1, 4), ('half-val', 5, 7)):
        content = load(tmp_path / 'annotations' / f'{split}.json')
        assert [image['mot_frame_id'] for image in content['images']] == [*range(first, last + 1)]
        assert [image['frame_id'] for image in content['images']] == [*range(last + 1 - first)]

        def targets(t, first=first, last=last):
            return (t[:, 0] >= first) & (t[:, 0] <= last) & (t[:, 7] == 1) & (t[:, 6] == 1)

        def ignored(t, first=first, last=last):
            inside = (t[:, 0] >= first) & (t[:, 0] <= last)
            return inside & (np.isin(t[:, 7], (7, 8)) | ((t[:, 7] == 1) & (t[:, 6] == 0)))

        assert rows_of(content, 'MOT17-02-FRCNN') == reference(gt, targets)
        assert rows_of(content, 'MOT17-02-FRCNN', ignored=True) == reference(gt, ignored)
        names = {c['id']: c['name'] for c in content['categories']}
        assert names == {
            1: 'pedestrian',
            2: 'person_on_vehicle',
            7: 'static_person',
            8: 'distractor',
            12: 'reflection',
        }


def test_own_classes_and_ranges(tmp_path):
    """Two classes, a range of frames that keeps its numbers, an output folder."""
    rows = walk(6, (1,), '1,1,1') + walk(6, (2,), '1,2,1')
    make_sequence(tmp_path / 'data' / 'hive', 6, rows)
    arguments = ['--split', 'part=hive:3-4', '--classes', 'fly', 'bee', '--out-dir']
    assert convert(tmp_path / 'data', *arguments, tmp_path / 'out') == 0
    content = load(tmp_path / 'out' / 'part.json')
    assert content['categories'] == [dict(id=1, name='fly'), dict(id=2, name='bee')]
    assert [(i['frame_id'], i['mot_frame_id']) for i in content['images']] == [(0, 3), (1, 4)]
    assert {(a['mot_instance_id'], a['category_id']) for a in content['annotations']} == {
        (1, 1),
        (2, 2),
    }
    gt = tmp_path / 'data' / 'hive' / 'gt' / 'gt.txt'
    expected = reference(gt, lambda t: (t[:, 0] == 3) | (t[:, 0] == 4))
    assert rows_of(content, 'hive') == expected
    assert not (tmp_path / 'data' / 'annotations').exists()


def test_root_and_absolute_paths(tmp_path):
    """A folder that has the sequences itself, and one elsewhere."""
    for name in ('a', 'b'):
        make_sequence(tmp_path / 'data' / name, 2, walk(2, (1,)))
    make_sequence(tmp_path / 'other' / 'c', 2, walk(2, (1,)))
    splits = ['all=.', f'away={tmp_path}/other/c']
    assert convert(tmp_path / 'data', '--split', *splits) == 0
    for split, names in (('all', ['a', 'b']), ('away', ['c'])):
        content = load(tmp_path / 'data' / 'annotations' / f'{split}.json')
        assert [video['name'] for video in content['videos']] == names
        for image in content['images']:
            assert (tmp_path / 'data' / image['file_name']).is_file()


def write_video(file, count):
    """Frames of grey 20, 40, ... without loss."""
    with av.open(str(file), 'w') as container:
        stream = container.add_stream('ffv1', rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'bgr0'
        for number in range(1, count + 1):
            image = np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
        container.mux(stream.encode())


def video_sequence(root, rows):
    folder = root / 'train' / 'clip'
    (folder / 'gt').mkdir(parents=True)
    (folder / 'gt' / 'gt.txt').write_text('\n'.join(rows))
    write_video(folder / 'clip.mkv', 5)
    return folder


def test_video_file(tmp_path):
    """Its frames are extracted once, in order."""
    folder = video_sequence(tmp_path, walk(5, (1,)))
    assert convert(tmp_path) == 0
    content = load(tmp_path / 'annotations' / 'train.json')
    for number, image in enumerate(content['images'], start=1):
        frame = cv2.imread(str(tmp_path / image['file_name']))
        assert np.abs(frame.astype(int) - 20 * number).max() <= 2
    assert len(content['images']) == 5
    assert rows_of(content, 'clip') == reference(folder / 'gt' / 'gt.txt')
    first = folder / 'img1' / '000001.jpg'
    stamp = first.stat().st_mtime_ns
    assert convert(tmp_path) == 0
    assert first.stat().st_mtime_ns == stamp


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('3,1,1,2,3', "gt.txt:5: 9 columns expected (10 in MOT15), got 5: '3,1,1,2,3'"),
        ('3,9,1,two,3,4,1,1,1', "gt.txt:5: column 4 is no number: 'two'"),
        ('3,9,1,nan,3,4,1,1,1', "gt.txt:5: column 4 is not finite: 'nan'"),
        ('3,9,1,2,inf,4,1,1,1', "gt.txt:5: column 5 is not finite: 'inf'"),
        ('5,9,1,2,3,4,1,1,1', 'gt.txt:5: frame 5 is outside 1..4'),
        ('3,1,1,2,3,4,1,1,1', 'gt.txt:5: id 1 is in frame 3 already, at line 3'),
    ],
)
def test_broken_row(tmp_path, capsys, row, message):
    """One error with file, line and value; the good split isn't written either, an earlier
    result stays."""
    make_sequence(tmp_path / 'train' / 'good', 4, walk(4, (1,)))
    bad = make_sequence(tmp_path / 'val' / 'bad', 4, [*walk(4, (1,)), row])
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'train.json').write_text('{}')
    assert convert(tmp_path) == 1
    err = capsys.readouterr().err
    assert f'{bad}/gt/{message}' in err
    assert err.count('error:') == 1 and 'Traceback' not in err
    assert [f.name for f in (tmp_path / 'annotations').iterdir()] == ['train.json']
    assert (tmp_path / 'annotations' / 'train.json').read_text() == '{}'


def test_what_is_usual(tmp_path, capsys):
    """Names with a prefix, from 0; rows of 6 columns with tabs and a headline; macOS's files."""
    folder = make_sequence(tmp_path / 'train' / 'hive', 4, [], 'frame_{:06d}.jpg', seqinfo=False)
    for number in range(1, 5):
        file = folder / 'img1' / f'frame_{number:06d}.jpg'
        file.rename(file.with_name(f'frame_{number - 1:06d}.jpg'))
    (folder / 'img1' / '._frame_000000.jpg').write_bytes(b'Mac OS X')
    (folder / '._hive.mp4').write_bytes(b'Mac OS X')
    (folder / 'seqinfo.ini').write_text('[sequence]\nframerate=12\n')
    table = [row.split(',')[:6] for row in walk(4, (1, 2))]
    lines = [['frame', 'id', 'bb_left', 'bb_top', 'bb_width', 'bb_height'], *table]
    (folder / 'gt' / 'gt.txt').write_text(''.join('\t'.join(line) + '\n' for line in lines))
    assert convert(tmp_path) == 0
    out = capsys.readouterr().out
    assumed = [line for line in out.splitlines() if line.startswith('assumed: ')]
    assert [line.removeprefix('assumed: hive: ') for line in assumed] == [
        "frame numbers are what follows 'frame_' in the names of the images",
        'the names of the images count from 0: frame_000000.jpg is frame 1',
        'columns are separated by tabs',
        'the first line names the columns',
        'frames in gt.txt count from 1',
        'rows of 6 columns end with the box, all are of class pedestrian',
    ]
    content = load(tmp_path / 'annotations' / 'train.json')
    assert rows_of(content, 'hive') == sorted(tuple(map(float, row)) for row in table)
    assert [(i['mot_frame_id'], Path(i['file_name']).name) for i in content['images']] == [
        (number, f'frame_{number - 1:06d}.jpg') for number in range(1, 5)
    ]
    assert content['videos'][0]['fps'] == 12


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--split', 'train=hive:2-9'], 'frames 2-9 are outside 1-4'),
        (['--split', 'train=wasps'], "'wasps' names no sequence"),
        (['--split', 'train=none.txt'], 'none.txt'),
        (['--split', 'train=/hive'], "'/hive' names no sequence"),
        (['--split', 'train=hive,'], "'' names no sequence"),
        (['--split', 'train'], 'a split looks like train='),
        (['--split', 'a=hive:1-2', 'a=hive:3-4'], 'a split is there twice: a, a'),
        ([], 'has no train/, val/ or test/: give --split'),
        (['--benchmark', 'mot17', '--classes', 'bee', '--split', 'a=hive'], 'are fixed'),
    ],
)
def test_broken_arguments(tmp_path, capsys, arguments, message):
    make_sequence(tmp_path / 'hive', 4, walk(4, (1,)))
    assert convert(tmp_path, *arguments) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count('error:') == 1
    assert not (tmp_path / 'annotations').exists()


def test_broken_video(tmp_path, capsys):
    folder = video_sequence(tmp_path, walk(5, (1,)))
    (folder / 'seqinfo.ini').write_text('[Sequence]\nseqLength=9\n')
    assert convert(tmp_path) == 1
    assert 'clip.mkv: has 5 frames, 9 are needed' in capsys.readouterr().err
    assert not (tmp_path / 'annotations').exists()
    assert sorted(f.name for f in folder.iterdir()) == ['clip.mkv', 'gt', 'seqinfo.ini']


def test_missing_folder(tmp_path, capsys):
    assert convert(tmp_path / 'nowhere') == 1
    assert 'nowhere is not a folder' in capsys.readouterr().err


# ---------------------------------------------------------------- real sequences


def test_mot17_mini(lamotr_data, tmp_path):
    """Four real frames: boxes one by one; frames that aren't there are an error."""
    root = lamotr_data / 'mot17_mini'
    arguments = [root, '--out-dir', tmp_path, '--split']
    assert convert(*arguments, 'mini=MOT17-02-FRCNN') == 1
    assert list(tmp_path.iterdir()) == []
    assert convert(*arguments, 'mini=MOT17-02-FRCNN:1-4') == 0
    content = load(tmp_path / 'mini.json')
    gt = root / 'MOT17-02-FRCNN' / 'gt' / 'gt.txt'
    assert rows_of(content, 'MOT17-02-FRCNN') == reference(gt, lambda t: t[:, 7] == 1)
    assert rows_of(content, 'MOT17-02-FRCNN', ignored=True) == reference(
        gt, lambda t: np.isin(t[:, 7], (2, 7, 8, 12))
    )
