"""`check_dataset.py`: exit statuses, what is printed, the report, and every kind of config."""

import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
dataset = dict(
    type='lamotr_mm.MOTVideoDataset',
    data_root='data',
    ann_file='train.json',
    data_prefix=dict(img_path=''),
    metainfo=dict(classes=('bee',)),
)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dict(dataset, ann_file='val.json', test_mode=True))
test_dataloader = val_dataloader
"""
CONCAT = """
_base_ = './config.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='lamotr_mm.ConcatVideoDataset',
        datasets=[dict(_base_.dataset), dict(_base_.dataset, ann_file='more.json')],
    )
)
"""


def make_json(name, videos, length=3):
    """Writes a json and its images: `length` frames per video, a bee in each."""
    images = [
        dict(id=10 * v + k, video_id=v, file_name=f'{name}{v}/{k + 1}.jpg', frame_id=k)
        | dict(width=64, height=48)
        for v in range(videos)
        for k in range(length)
    ]
    content = dict(
        categories=[dict(id=1, name='bee')],
        videos=[dict(id=v, name=f'{name}{v}') for v in range(videos)],
        images=images,
        annotations=[
            dict(image_id=i['id'], category_id=1, instance_id=i['video_id'], bbox=[1, 2, 30, 40])
            for i in images
        ],
    )
    for image in images:
        path = Path('data') / image['file_name']
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((48, 64, 3), 99, np.uint8))
    Path(f'data/{name}.json').write_text(json.dumps(content))
    return content


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """In a folder with config.py and its data: exit status, stdout and stderr of the tool."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COLUMNS', '160')
    Path('config.py').write_text(CONFIG)
    make_json('train', 2)
    make_json('val', 1)
    spec = importlib.util.spec_from_file_location(
        'tool_check_dataset', ROOT / 'tools' / 'check_dataset.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def check(*arguments):
        try:
            status = module.main(list(map(str, arguments)))
        except SystemExit as stop:
            status = stop.code
        output = capsys.readouterr()
        return status, output.out, output.err

    return check


def rows(text):
    """Cells of the lines of all tables."""
    lines = [line.strip() for line in text.splitlines()]
    return [[c.strip() for c in s.strip('│').split('│')] for s in lines if s.startswith('│')]


@pytest.mark.parametrize('options', [(), ('--fast',), ('--jobs', 4)])
def test_sound_data(check, options):
    status, out, err = check('config.py', *options)
    assert (status, err) == (0, '')
    assert out.rstrip().endswith('nothing wrong')
    assert 'train: data/train.json, videos: 2' in out
    assert 'val, test: data/val.json, videos: 1' in out
    # frames, boxes, ids, ignored, empty, gaps, problems
    assert rows(out) == [
        ['train0', '3', '3', '1', '0', '0', '0', '0'],
        ['train1', '3', '3', '1', '0', '0', '0', '0'],
        ['total', '6', '6', '2', '0', '0', '0', '0'],
        ['val0', '3', '3', '1', '0', '0', '0', '0'],
        ['total', '3', '3', '1', '0', '0', '0', '0'],
    ]


def test_problems_are_listed_with_file_frame_and_box(check):
    content = json.loads(Path('data/train.json').read_text())
    content['annotations'][4]['bbox'] = [0.7, 0.2, 0.3, 0.4]
    Path('data/train.json').write_text(json.dumps(content))
    Path('data/train0/3.jpg').unlink()
    image = Path('data/val0/2.jpg').read_bytes()
    Path('data/val0/2.jpg').write_bytes(image[: len(image) // 2])

    status, out, _ = check('config.py', '--out', 'report.json')
    assert status == 1
    assert out.rstrip().endswith('problems: 3')
    listed = {row[0]: row[1:] for row in rows(out) if len(row) == 4}
    box = 'box [0.7, 0.2, 0.3, 0.4] (x, y, w, h) of id 1, image of 64x48 px, train1/2.jpg'
    assert listed['box below 1 px'] == ['train1', '2', box]
    assert listed['missing image'] == ['train0', '3', 'data/train0/3.jpg does not exist']
    assert listed['unreadable image'][:2] == ['val0', '2']
    assert ['train0', '3', '3', '1', '0', '0', '0', '1'] in rows(out)

    train, val = json.loads(Path('report.json').read_text())['sets']
    assert (train['splits'], val['splits']) == ('train', 'val, test')
    assert train['problems'] == [
        dict(kind='box below 1 px', message=box, file='data/train.json', video='train1', frame=2),
        dict(kind='missing image', message='data/train0/3.jpg does not exist')
        | dict(file='data/train0/3.jpg', video='train0', frame=3),
    ]
    assert [video['frames'] for video in train['videos']] == [3, 3]

    assert check('config.py', '--splits', 'test')[1].rstrip().endswith('problems: 1')
    option = 'train_dataloader.dataset.ann_file=val.json'
    out = check('config.py', '--splits', 'train', '--cfg-options', option)[1]
    assert out.rstrip().endswith('problems: 1') and 'val0' in out


def test_a_missing_json_does_not_hide_the_rest(check):
    Path('data/train.json').unlink()
    Path('data/val0/1.jpg').unlink()
    status, out, _ = check('config.py')
    assert status == 1
    assert 'data/train.json does not exist' in out
    assert 'data/val0/1.jpg does not exist' in out


def test_long_lists_are_cut_on_screen_only(check):
    make_json('train', 210, length=1)
    for k in range(15):
        Path(f'data/train{k}/1.jpg').unlink()
    status, out, _ = check('config.py', '--splits', 'train', '--out', 'report.json', '--fast')
    assert status == 1
    assert 'videos: 210' in out
    # the videos that have problems, the total; then ten problems and the rest
    assert [row[0] for row in rows(out)] == [
        *(f'train{k}' for k in range(15)),
        'total',
        *['missing image'] * 11,
    ]
    assert '... and 5 more: --out FILE writes all' in out
    (report,) = json.loads(Path('report.json').read_text())['sets']
    assert (len(report['videos']), len(report['problems'])) == (210, 15)


def test_concatenation(check):
    make_json('more', 1)
    Path('concat.py').write_text(CONCAT)
    Path('data/more0/1.jpg').unlink()
    status, out, _ = check('concat.py')
    assert status == 1
    titles = ['train: data/train.json', 'train: data/more.json', 'val, test: data/val.json']
    assert [title for title in titles if title in out] == titles
    assert 'data/more0/1.jpg does not exist' in out


def test_split_for_the_server(check):
    """It has no boxes, and is looked at only when it is asked for."""
    content = make_json('server', 1)
    Path('data/server.json').write_text(json.dumps(content | dict(annotations=[])))
    Path('data/server0/2.jpg').unlink()
    Path('server.py').write_text(
        "_base_ = './config.py'\nsubmission = dict(ann_file='server.json')"
    )
    assert check('server.py')[0] == 0
    status, out, _ = check('server.py', '--splits', 'submission')
    assert status == 1
    assert 'data/server0/2.jpg does not exist' in out and out.count('data/server.json') == 1
    assert 'note: no boxes: right for a test split without ground truth' in out
    status, _, err = check('config.py', '--splits', 'submission')
    assert (status, 'no data set for submission' in err) == (2, True)


def test_synthetic_video_has_no_files(check):
    status, out, _ = check(ROOT / 'configs' / 'lamotr_synthetic.py')
    assert status == 0
    assert out.count('lamotr_mm.SyntheticVideoDataset draws its frames') == 3
    assert 'nothing wrong' not in out


def test_wrong_calls(check):
    def refused(*arguments):
        status, out, err = check(*arguments)
        assert (status, out) == (2, '')
        assert err.count('error:') == 1
        return err.splitlines()[-1]

    assert 'config no.py does not exist' in refused('no.py')
    assert "invalid choice: 'dev'" in refused('config.py', '--splits', 'dev')
    assert '--jobs 0: at least one' in refused('config.py', '--jobs', 0)
    Path('empty.py').write_text('train_dataloader = None')
    assert 'empty.py: no data set for train, val, test' in refused('empty.py')
    Path('images.py').write_text("train_dataloader = dict(dataset=dict(type='mmdet.CocoDataset'))")
    assert 'mmdet.CocoDataset is no video data set' in refused('images.py')


def test_report_that_cannot_be_written(check):
    Path('folder').mkdir()
    status, _, err = check('config.py', '--out', 'folder')
    assert status == 2
    assert 'folder is a folder: name a file' in err
    assert list(Path('folder').iterdir()) == []


def test_real_data(check, lamotr_data):
    """Four frames of MOT17, with its ignored classes."""
    shutil.copytree(lamotr_data / 'mot17_mini', 'data/mot17')
    spec = importlib.util.spec_from_file_location(
        'tool_mot2cocovid', ROOT / 'tools' / 'dataset_converters' / 'mot2cocovid.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    split = 'train=MOT17-02-FRCNN:1-4'
    assert module.main(['data/mot17', '--split', split, '--out-dir', 'data']) == 0
    Path('mot17.py').write_text(
        CONFIG.replace("'data'", "'data/mot17'")
        .replace('train.json', '../train.json')
        .replace('bee', 'pedestrian')
    )
    status, out, _ = check('mot17.py', '--splits', 'train')
    assert status == 0
    (row, _) = [row for row in rows(out) if row[0] in ('MOT17-02-FRCNN', 'total')][-2:]
    assert row[:3] == ['MOT17-02-FRCNN', '4', '88']
