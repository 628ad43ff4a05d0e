"""Splits and CocoVID json from small MOTChallenge folders."""

import json

import cv2
import numpy as np
import pytest

from lamotr_mm.io.mot_folder import MOTFormatError
from lamotr_mm.io.mot_gt import class_rule
from lamotr_mm.preparation.cocovid import Part, make_cocovid, parse_split, write_json


def make_sequence(folder, length=6, rows=()):
    (folder / 'img1').mkdir(parents=True)
    (folder / 'gt').mkdir()
    _, png = cv2.imencode('.png', np.zeros((40, 60, 3), np.uint8))
    for number in range(1, length + 1):
        (folder / 'img1' / f'{number:06d}.png').write_bytes(png.tobytes())
    (folder / 'gt' / 'gt.txt').write_text('\n'.join(rows))
    return folder


@pytest.fixture
def root(tmp_path):
    for name in ('train/a', 'train/b', 'val/c'):
        make_sequence(tmp_path / name)
    return tmp_path


class TestSplit:
    @pytest.mark.parametrize(
        ('text', 'names'),
        [
            ('x=train', ['a', 'b']),
            ('x=train/a', ['a']),
            ('x=b,c', ['b', 'c']),
            ('x=*/*', ['a', 'b', 'c']),
            ('x=list.txt', ['c', 'a']),
        ],
    )
    def test_which_sequences(self, root, text, names):
        (root / 'list.txt').write_text('name\nc\na\n')
        name, parts = parse_split(text, root)
        assert name == 'x'
        assert [part.folder.name for part in parts] == names

    def test_frames(self, root):
        _, parts = parse_split('x=a:2-4,b:half-val,c', root)
        assert [part.bounds(6) for part in parts] == [(2, 4), (5, 6), (1, 6)]

    @pytest.mark.parametrize('length', [2, 3, 9, 600])
    def test_halves_are_mmdets(self, root, length):
        numbers = list(range(1, length + 1))
        cut = length // 2 + 1
        (_, last), (first, end) = (
            Part(root, half).bounds(length) for half in ('half-train', 'half-val')
        )
        assert numbers[:last] == numbers[:cut]
        assert numbers[first - 1 : end] == numbers[cut:]

    @pytest.mark.parametrize(
        ('text', 'complaint'),
        [
            ('train', 'a split looks like'),
            ('train=', 'a split looks like'),
            ('../x=a', 'a split looks like'),
            ('x=nothing', "'nothing' names no sequence"),
            ('x=a:5', 'frames look like'),
            ('x=a:1-2,train', 'more than once'),
        ],
    )
    def test_what_is_wrong(self, root, text, complaint):
        with pytest.raises(ValueError, match=complaint):
            parse_split(text, root)

    def test_range_beyond_the_end(self, root):
        with pytest.raises(ValueError, match='frames 4-9 are outside 1-6'):
            Part(root / 'train' / 'a', '4-9').bounds(6)


class TestMakeCocovid:
    def test_by_hand(self, tmp_path):
        make_sequence(
            tmp_path / 'a',
            rows=['2,7,1,2,3,4,1,1,0.5', '3,7,2,2,3,4,1,1,1', '4,9,3,2,3,4,0,1,1'],
        )
        make_sequence(tmp_path / 'b', rows=['1,7,50,2,30,4,1,1,1', '1,0,90,2,3,4,1,1,1'])
        parts = [Part(tmp_path / 'a', '3-5'), Part(tmp_path / 'b', '1-2')]
        content, summary = make_cocovid(parts, tmp_path, class_rule('custom'))
        assert content['categories'] == [dict(id=1, name='pedestrian')]
        assert [video['name'] for video in content['videos']] == ['a', 'b']
        assert content['images'][1] == dict(
            id=2,
            video_id=1,
            file_name='a/img1/000004.png',
            width=60,
            height=40,
            frame_id=1,
            mot_frame_id=4,
        )
        assert [image['frame_id'] for image in content['images']] == [0, 1, 2, 0, 1]
        assert [image['mot_frame_id'] for image in content['images']] == [3, 4, 5, 1, 2]
        keys = ('id', 'image_id', 'instance_id', 'mot_instance_id', 'iscrowd', 'bbox')
        assert [tuple(a[key] for key in keys) for a in content['annotations']] == [
            (1, 1, 0, 7, 0, [2, 2, 3, 4]),
            (2, 2, 1, 9, 1, [3, 2, 3, 4]),
            (3, 4, 2, 0, 0, [90, 2, 3, 4]),
            (4, 4, 3, 7, 0, [50, 2, 30, 4]),
        ]
        # id 7 of another video is somebody else
        assert summary[0] | dict(boxes=1, ids=1, ignored=1, frames='3-5') == summary[0]
        assert summary[1] | {'boxes': 2, 'ids': 2, 'outside image': 1} == summary[1]

    def test_a_sequence_without_gt_has_images_only(self, tmp_path):
        folder = make_sequence(tmp_path / 'a', length=2)
        (folder / 'gt' / 'gt.txt').unlink()
        content, summary = make_cocovid([Part(folder)], tmp_path, class_rule('custom'))
        assert len(content['images']) == 2
        assert content['annotations'] == []
        assert summary[0]['boxes'] == 0

    def test_missing_frames(self, tmp_path):
        folder = make_sequence(tmp_path / 'a')
        for number in (3, 4):
            (folder / 'img1' / f'{number:06d}.png').unlink()
        with pytest.raises(MOTFormatError, match='2 of the frames 1-6 are missing, the first is 3'):
            make_cocovid([Part(folder)], tmp_path, class_rule('custom'))
        content, _ = make_cocovid([Part(folder, '1-2')], tmp_path, class_rule('custom'))
        assert len(content['images']) == 2


def test_json_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'annotations' / 'train.json'
    write_json({path: dict(a=1)})
    with pytest.raises(TypeError):
        write_json({path: dict(a=object())})
    assert json.loads(path.read_text()) == dict(a=1)
    assert list(path.parent.iterdir()) == [path]
