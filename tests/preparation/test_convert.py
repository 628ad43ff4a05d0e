"""From annotated videos to a folder of frames and a json; the formats: tests/io/annotations."""

import json
import shutil

import cv2
import numpy as np
import pytest

from lamotr_mm.io.annotations.video import AnnotatedVideo, Box
from lamotr_mm.io.mot_folder import MOTFormatError
from lamotr_mm.preparation import convert as module
from lamotr_mm.preparation.convert import FORMATS, Format, convert

BOX = Box(1, 5, 'bee', 1, 2, 3, 4)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Three images, and a format whose reader gives what the test says."""
    (tmp_path / 'images').mkdir()
    for number in range(1, 4):
        image = np.zeros((20, 30, 3), np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / f'{number}.png'), image)

    class World:
        root = tmp_path
        videos = ()

        def video(self, name='a', boxes=(BOX,), **changes):
            files = {number: f'{number}.png' for number in range(1, 4)}
            fields = dict(labels=('bee', 'wasp'), files=files) | changes
            return AnnotatedVideo(name, tmp_path / 'images', list(boxes), **fields)

        def convert(self, *videos, split='train', **options):
            self.videos = list(videos)
            rows = convert('mine', [tmp_path], tmp_path / 'out', split, **options)
            file = tmp_path / 'out' / 'annotations' / f'{split}.json'
            return rows, json.loads(file.read_text())

    world = World()
    mine = Format(lambda src, media: world.videos, 'of the test', {'fly': 'bee'})
    monkeypatch.setattr(module, 'FORMATS', FORMATS | {'mine': mine})
    return world


def test_links_and_summary(world):
    rows, content = world.convert(world.video('a b/c'), world.video('d', boxes=()))
    assert [(r['sequence'], r['frames'], r['boxes'], r['ids']) for r in rows] == [
        ('a_b_c', 3, 1, 1),
        ('d', 3, 0, 0),
    ]
    assert content['images'][1]['file_name'] == 'train/a_b_c/img1/2.png'
    assert (content['images'][1]['width'], content['images'][1]['height']) == (30, 20)
    link = world.root / 'out' / 'train' / 'a_b_c' / 'img1'
    assert link.is_symlink() and link.resolve() == world.root / 'images'
    assert [c['name'] for c in content['categories']] == ['bee', 'wasp']


def test_images_in_several_folders(world):
    shutil.copytree(world.root / 'images', world.root / 'images' / 'more')
    files = {4: '1.png', 7: 'more/1.png'}
    _, content = world.convert(world.video(files=files, boxes=[BOX._replace(frame=7)]))
    assert [image['file_name'] for image in content['images']] == [
        'train/a/img1/000004.png',
        'train/a/img1/000007.png',
    ]
    assert (world.root / 'out' / content['images'][1]['file_name']).is_file()
    assert content['annotations'][0]['image_id'] == content['images'][1]['id']


def test_classes(world):
    """Those asked for, in that order; others left out, neighbours and ignored ones ignored."""
    boxes = [BOX, BOX._replace(id=6, label='wasp'), BOX._replace(id=7, label='fly')]
    boxes += [BOX._replace(id=8, label='wasp', ignored=True), BOX._replace(id=9, w=0)]
    video = world.video(boxes=boxes, labels=('bee', 'wasp', 'fly'))
    rows, content = world.convert(video, classes=['bee'])
    assert content['categories'] == [dict(id=1, name='bee'), dict(id=2, name='ignored')]
    found = [(a['mot_instance_id'], a['category_id'], a['iscrowd']) for a in content['annotations']]
    assert found == [(5, 1, 0), (7, 2, 1), (8, 2, 1)]
    assert (rows[0]['ignored'], rows[0]['other class'], rows[0]['zero size']) == (2, 1, 1)
    _, content = world.convert(video, classes=['wasp', 'bee'])
    assert [c['name'] for c in content['categories']] == ['wasp', 'bee', 'ignored']
    _, content = world.convert(video)
    assert [c['name'] for c in content['categories']] == ['bee', 'wasp', 'fly']


def test_names_of_targets_and_regions_become_numbers(world):
    boxes = [BOX._replace(id=name, x=n) for n, name in enumerate(['q', None, 'p', None])]
    boxes.append(BOX._replace(frame=2, id='p'))
    _, content = world.convert(world.video(boxes=boxes))
    by_x = {a['bbox'][0]: a['mot_instance_id'] for a in content['annotations'][:4]}
    assert (by_x[0], by_x[2]) == (1, 2) and len(set(by_x.values())) == 4
    assert content['annotations'][4]['mot_instance_id'] == 2


def test_some_videos(world):
    videos = [world.video(name) for name in ('a1', 'a2', 'b1')]
    rows, _ = world.convert(*videos, videos=['a*', 'b1'])
    assert [row['sequence'] for row in rows] == ['a1', 'a2', 'b1']
    rows, _ = world.convert(*videos, split='val', videos=['b?'])
    assert [row['sequence'] for row in rows] == ['b1']


@pytest.mark.parametrize(
    ('boxes', 'options', 'message'),
    [
        ([BOX, BOX], {}, 'video a, frame 1, bee 5: the id is in this frame already'),
        ([BOX._replace(x=float('nan'))], {}, 'frame 1, bee 5: .* is no box'),
        ([BOX._replace(h=-4)], {}, 'frame 1, bee 5: .* is no box'),
        ([BOX._replace(frame=4)], {}, '1 boxes are in frames .* the first in 4; it has 1 to 3'),
        ([BOX], dict(classes=['ant']), 'no class ant; there are bee, wasp'),
        ([BOX], dict(videos=['z*']), r'no video is called z\*; there are a'),
        ([BOX], dict(split='a/b'), 'a split is called train'),
    ],
)
def test_what_is_wrong(world, boxes, options, message):
    """One line, and no json."""
    with pytest.raises(ValueError, match=message):
        world.convert(world.video(boxes=boxes), **options)
    assert not list(world.root.glob('out/annotations/*'))


def test_same_name_and_missing_images(world):
    with pytest.raises(ValueError, match='two videos are called a'):
        world.convert(world.video(), world.video())
    with pytest.raises(ValueError, match=r'9\.png is missing, and 0 more'):
        world.convert(world.video(files={1: '1.png', 2: '9.png'}))
    with pytest.raises(ValueError, match='does not exist'):
        convert('mine', [world.root / 'away'], world.root / 'out', 'train')


def test_frames_of_another_video_in_the_way(world):
    old = world.root / 'out' / 'train' / 'a' / 'img1'
    old.mkdir(parents=True)
    with pytest.raises(ValueError, match=r'3 images are missing.* remove it and convert again'):
        world.convert(world.video())


def test_a_box_is_checked_before_frames_are_taken(world):
    with pytest.raises(MOTFormatError):
        world.convert(world.video(boxes=[BOX, BOX]))
    assert not (world.root / 'out' / 'train').exists()
