"""COCO-VID as mmtracking and as TAO write it."""

import json

import pytest

from lamotr_mm.io.annotations.coco_vid import read
from lamotr_mm.io.mot_folder import MOTFormatError

CATEGORIES = [dict(id=5, name='bee'), dict(id=9, name='wasp')]


@pytest.fixture
def mmtracking(tmp_path, make_images):
    """``annotations/train.json``, images in ``train/<video>/img1/`` above it."""
    content = dict(categories=CATEGORIES, videos=[], images=[], annotations=[])
    for video, name in enumerate(('train/a', 'train/b'), start=1):
        make_images(tmp_path / name / 'img1', ['1.jpg', '2.jpg'])
        content['videos'].append(dict(id=video, name=name))
        for frame in range(2):
            image = dict(id=10 * video + frame, video_id=video, width=80, height=60)
            image |= dict(file_name=f'{name}/img1/{frame + 1}.jpg', frame_id=frame)
            content['images'].append(image)
            box = dict(bbox=[5 + frame, 6.5, 7, 8], category_id=9, instance_id=4, iscrowd=video - 1)
            content['annotations'].append(dict(id=frame, image_id=image['id'], **box))
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'train.json').write_text(json.dumps(content))
    return tmp_path / 'annotations' / 'train.json'


def test_miniature(mmtracking, converted):
    made = converted('coco-vid', mmtracking)
    assert made.classes == ['bee', 'wasp']
    assert [video['name'] for video in made.content['videos']] == ['train_a', 'train_b']
    assert made.rows() == [(1, 'wasp', 5, 6.5, 7, 8), (2, 'wasp', 6, 6.5, 7, 8)]
    assert made.rows(ignored=True) == made.rows()
    assert made.tracks() == {4: [1, 2]}
    assert made.greys() == {1: 0, 2: 1}


def test_tao(tmp_path, make_images, converted):
    """track_id and frame_index, of which every 30th frame is annotated."""
    names = ['frame0001.jpg', 'frame0031.jpg']
    make_images(tmp_path / 'frames' / 'val' / 'LaSOT' / 'bee-1', names)
    images = [
        dict(id=n, video_id=0, file_name=f'val/LaSOT/bee-1/{name}', frame_index=30 * n)
        for n, name in enumerate(names)
    ]
    annotations = [
        dict(id=n, image_id=n, track_id=77, category_id=5, bbox=[n, 2, 3, 4]) for n in range(2)
    ]
    content = dict(
        categories=CATEGORIES,
        videos=[dict(id=0, name='val/LaSOT/bee-1')],
        images=images[::-1],
        annotations=annotations,
    )
    (tmp_path / 'tao.json').write_text(json.dumps(content))
    made = converted('coco-vid', tmp_path / 'tao.json', media=tmp_path / 'frames')
    assert made.rows() == [(1, 'bee', 0, 2, 3, 4), (31, 'bee', 1, 2, 3, 4)]
    assert made.tracks() == {77: [1, 31]}
    assert made.greys() == {1: 0, 31: 1}


def test_what_is_wrong(mmtracking):
    content = json.loads(mmtracking.read_text())

    def write(**changes):
        mmtracking.write_text(json.dumps(content | changes))

    same = [dict(image, frame_id=1) for image in content['images']]
    write(images=same)
    with pytest.raises(MOTFormatError, match='video train/a: two images have the same frame_id'):
        read(mmtracking)
    write(images=[dict(image, file_name='x.jpg') for image in content['images']])
    with pytest.raises(ValueError, match=r'x\.jpg is neither beside it .*give --media'):
        read(mmtracking)
    # YouTube-VIS: all boxes of a target in one entry
    write(annotations=[dict(id=1, video_id=1, bboxes=[[1, 2, 3, 4]], category_id=5)])
    with pytest.raises(MOTFormatError, match='one frame an image: KeyError'):
        read(mmtracking)
