"""A sound json gives exact counts; each defect that is planted in it is found, and named."""

import json

import pytest

from lamotr_mm.datasets import MOTVideoDataset
from lamotr_mm.preparation.annotation_checks import ImageEntry, check_annotations

NAN = float('nan')


@pytest.fixture
def content():
    """Two videos of 4 and 2 frames, 64x48 px; frames 11-14 and 1-2 in original numbers."""
    images = [
        dict(id=10 * v + f, video_id=v, frame_id=f, width=64, height=48)
        | dict(file_name=f'v{v}/{f}.jpg', mot_frame_id=f + first)
        for v, first, length in [(1, 11, 4), (2, 1, 2)]
        for f in range(length)
    ]
    rows = [  # image, class, id, x, y, w, h
        (10, 1, 5, -3, 2, 10, 20),
        (11, 1, 5, 2, 2, 10, 20),
        (13, 1, 5, 6, 2, 10, 20),  # away in frame 13
        (10, 2, 6, 60, 40, 10, 20),
        (21, 2, 7, 0, 0, 64, 48),
    ]
    annotations = [
        dict(id=n, image_id=i, category_id=c, instance_id=k, bbox=box, iscrowd=0)
        for n, (i, c, k, *box) in enumerate(rows, 1)
    ]
    # ignored boxes may be anywhere
    annotations.append(dict(image_id=20, category_id=9, instance_id=8, bbox=[99, 0, 1, 1]))
    annotations[-1]['iscrowd'] = 1
    categories = [dict(id=1, name='bee'), dict(id=2, name='wasp'), dict(id=9, name='blur')]
    videos = [dict(id=1, name='v1'), dict(id=2, name='v2')]
    return dict(categories=categories, videos=videos, images=images, annotations=annotations)


@pytest.fixture
def check(tmp_path, content):
    """Writes `content` and checks it."""

    def check(classes=('bee', 'wasp'), training=True):
        (tmp_path / 'a.json').write_text(json.dumps(content))
        return check_annotations(str(tmp_path / 'a.json'), classes, training)

    return check


def test_sound(check):
    report, images = check()
    assert (report.problems, report.notes) == ([], [])
    keys = ('video', 'frames', 'boxes', 'ids', 'ignored', 'empty', 'gaps')
    assert report.videos == [
        dict(zip(keys, ('v1', 4, 4, 2, 0, 1, 1))),
        dict(zip(keys, ('v2', 2, 1, 1, 1, 1, 0))),
    ]
    assert images[0] == ImageEntry('v1/0.jpg', 'v1', 11, (64, 48))
    assert [image.frame for image in images] == [11, 12, 13, 14, 1, 2]


def boxes(k, **changes):
    """Changes annotation k."""
    return lambda content: content['annotations'][k].update(changes)


def image(k, **changes):
    return lambda content: content['images'][k].update(changes)


def drop(name, k, key=None):
    return lambda content: content[name][k].pop(key) if key else content[name].pop(k)


def add(name, **entry):
    return lambda content: content[name].append(content[name][-1] | entry)


def keep(count):
    return lambda content: content.update(annotations=content['annotations'][:count])


# damage, kind, video, frame, part of the message
DEFECTS = {
    'nan': (boxes(1, bbox=[2, NAN, 1, 1]), 'box not finite', 'v1', 12, '[2, nan, 1, 1]'),
    'infinite': (boxes(1, bbox=[2, 2, float('inf'), 1]), 'box not finite', 'v1', 12, 'of id 5'),
    'ignored nan': (boxes(5, bbox=[NAN, 0, 1, 1]), 'box not finite', 'v2', 1, 'of id 8'),
    'no width': (boxes(1, bbox=[2, 2, 0, 9]), 'box of zero size', 'v1', 12, '[2, 2, 0, 9]'),
    'negative': (boxes(2, bbox=[9, 9, 5, -5]), 'box of zero size', 'v1', 14, 'v1/3.jpg'),
    'fractions': (boxes(1, bbox=[0.1, 0.2, 0.3, 0.4]), 'box below 1 px', 'v1', 12, '0.3'),
    'right of it': (boxes(4, bbox=[64, 2, 9, 9]), 'box outside', 'v2', 2, '64x48 px'),
    'above it': (boxes(4, bbox=[2, -9, 9, 9]), 'box outside', 'v2', 2, '[2, -9, 9, 9]'),
    'huge': (boxes(1, bbox=[0, 0, 193, 9]), 'huge box', 'v1', 12, '[0, 0, 193, 9]'),
    'id twice': (boxes(3, instance_id=5), 'id twice', 'v1', 11, 'id 5 has 2 boxes, v1/0.jpg'),
    'two classes': (boxes(1, category_id=2), 'id of two classes', 'v1', None, 'bee and wasp'),
    'no image': (boxes(4, image_id=99), 'unknown image', '', None, 'image_id 99'),
    'no class': (boxes(1, category_id=7), 'unknown class', '', None, 'category_id 7'),
    'no id': (drop('annotations', 1, 'instance_id'), 'missing key', '', None, 'no instance_id'),
    'id null': (boxes(1, instance_id=None), 'missing key', '', None, 'annotations[1]'),
    'id text': (boxes(1, instance_id='5'), 'bad value', '', None, "instance_id = '5'"),
    'id of 64 bit': (boxes(1, instance_id=2**31), 'bad value', '', None, 'instance_id = 2147'),
    'corners': (boxes(1, bbox=[[1, 2], [3, 4]]), 'bad value', '', None, 'annotations[1] has bbox'),
    'three numbers': (boxes(1, bbox=[1, 2, 3]), 'bad value', '', None, 'bbox = [1, 2, 3]'),
    'no object': (lambda c: c['annotations'].append(7), 'bad value', '', None, 'annotations[6]'),
    'no frame_id': (drop('images', 5, 'frame_id'), 'missing key', '', None, 'images[5]'),
    'size as text': (image(5, width='64'), 'bad value', '', None, "width = '64'"),
    'no height': (image(5, height=0), 'bad value', '', None, 'height = 0'),
    'frame twice': (image(3, frame_id=2), 'frame numbering', 'v1', None, 'frame_id 2 where 3 is'),
    'frame left out': (
        image(5, frame_id=3),
        'frame numbering',
        'v2',
        None,
        '3 where 1 is',
    ),
    'time stamps': (
        image(5, frame_id=2**31 - 1),
        'frame numbering',
        'v2',
        None,
        '2147483647 where',
    ),
    'only negative': (
        image(4, frame_id=-2),
        'frame numbering',
        'v2',
        None,
        '-2 where 0 is',
    ),
    'negative besides': (
        add('images', id=22, file_name='n.jpg', frame_id=-1, mot_frame_id=0),
        *('frame numbering', 'v2', None, 'frame_id -1 where 0 is due: frames count 0'),
    ),
    'from 1': (drop('images', 4), 'frame numbering', 'v2', None, 'frame_id 1 where 0 is due:'),
    'number twice': (image(2, mot_frame_id=12), 'frame numbering', 'v1', 12, '12 follows 12'),
    'number falls': (image(5, mot_frame_id=0), 'frame numbering', 'v2', 0, '0 follows 1'),
    'sizes': (image(5, width=70), 'sizes differ', 'v2', None, '64x48 px (1 frames), 70x48 px'),
    'no video': (image(5, video_id=3), 'unknown video', '', None, 'v2/1.jpg is of video 3'),
    'image id twice': (add('images', file_name='x.jpg'), 'entry twice', '', None, 'id 21'),
    'file twice': (image(1, file_name='v1/0.jpg'), 'entry twice', '', None, "'v1/0.jpg' is there"),
    'video twice': (add('videos', id=3), 'entry twice', '', None, "name 'v2' is there 2 times"),
    'class absent': (
        drop('categories', 1),
        'class absent',
        '',
        None,
        'no class wasp; it has bee, bl',
    ),
    'no wasp': (
        lambda c: c['annotations'].__delitem__(slice(3, 5)),
        'class absent',
        '',
        None,
        'wa',
    ),
    'no boxes': (keep(0), 'no boxes', '', None, 'nothing to train on'),
}


@pytest.mark.parametrize('name', DEFECTS)
def test_defect_is_found_and_named(check, content, tmp_path, name):
    damage, kind, video, frame, part = DEFECTS[name]
    damage(content)
    report, _ = check()
    found = [p for p in report.problems if p.kind == kind]
    assert len(found) == 1, report.problems
    assert (found[0].video, found[0].frame) == (video, frame)
    assert part in found[0].message
    assert found[0].file == str(tmp_path / 'a.json')


def test_all_defects_are_found_at_once(check, content):
    """Not only the first one, as `MOTVideoDataset` does."""
    for name in ('nan', 'negative', 'no image', 'sizes', 'number falls', 'file twice'):
        DEFECTS[name][0](content)
    report, images = check()
    kinds = {DEFECTS[name][1] for name in ('nan', 'negative', 'no image', 'sizes', 'file twice')}
    assert {problem.kind for problem in report.problems} == kinds | {'frame numbering'}
    assert len(images) == 6


@pytest.mark.parametrize(
    ('text', 'kind', 'part'),
    [
        (None, 'no annotations', 'a.json does not exist'),
        ('{"images": [', 'broken annotations', 'cut off or no json'),
        ('[]', 'broken annotations', 'has no categories, videos, images, annotations'),
        ('{"categories": [], "videos": [], "images": []}', 'broken annotations', 'has no annot'),
    ],
)
def test_unreadable_json(tmp_path, text, kind, part):
    if text is not None:
        (tmp_path / 'a.json').write_text(text)
    report, images = check_annotations(str(tmp_path / 'a.json'), ('bee',), True)
    (problem,) = report.problems
    assert (problem.kind, images, report.videos) == (kind, [], [])
    assert part in problem.message


def test_notes_are_no_problems(check, content):
    """What other data sets do on purpose."""
    content['videos'].append(dict(id=3, name='v3'))
    content['images'][3]['mot_frame_id'] = 20
    boxes(4, instance_id=5, category_id=1)(content)
    report, _ = check(classes=('bee',))
    assert report.problems == []
    assert report.notes == [
        '1 boxes of class wasp are left out: not in metainfo.classes',
        'video v1 leaves out 6 of its original frames',
        'video v3 has no frames',
    ]
    content['annotations'] = content['annotations'][:3]
    report, _ = check(training=False)
    assert (report.problems, report.notes[-1]) == ([], 'class wasp has no box')
    content['annotations'].clear()
    report, _ = check(training=False)
    assert report.problems == []
    assert report.notes[-1] == 'no boxes: right for a test split without ground truth'


def test_few_boxes_outside_are_a_note(check, content):
    """Official data may have some: converters and data sets take them."""
    boxes(1, bbox=[2, -9, 9, 9])(content)
    boxes(2, bbox=[64, 2, 9, 9])(content)
    report, _ = check()
    assert report.problems == []
    (note,) = report.notes
    assert note.startswith(
        'video v1 has 2 boxes wholly outside the image, such as box [2, -9, 9, 9]'
    )
    boxes(3, bbox=[-10, 2, 10, 9])(content)  # 3 of 4
    report, _ = check()
    assert [problem.frame for problem in report.problems] == [11, 12, 14]
    assert report.notes == []


def test_the_data_set_refuses_what_is_found_there(check, content, tmp_path):
    """Both read the same: what the checks pass can be built, with as many boxes as they count."""

    def build():
        return MOTVideoDataset(
            ann_file=str(tmp_path / 'a.json'), metainfo=dict(classes=('bee', 'wasp')), pipeline=[]
        )

    report, _ = check()
    frames = [f for video in range(2) for f in build().get_data_info(video)['images']]
    kept = [i for frame in frames for i in frame['instances']]
    assert sum(not i['ignore_flag'] for i in kept) == sum(v['boxes'] for v in report.videos)
    for name in ('nan', 'id twice', 'no image', 'no id', 'class absent', 'no video'):
        broken = json.loads(json.dumps(content))
        DEFECTS[name][0](broken)
        (tmp_path / 'a.json').write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=r'a\.json'):
            build()
