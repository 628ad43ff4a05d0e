"""CVAT for video 1.1: key frames, frames outside, steps, exports with and without images."""

import zipfile

import pytest

from lamotr_mm.io.annotations.cvat_video import read
from lamotr_mm.io.mot_folder import MOTFormatError


def box(frame, x, outside=0, occluded=0, attributes='', rotation=''):
    """A box of 10 x 20 px, as CVAT writes it."""
    return (
        f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="{occluded}" '
        f'xtl="{x:.2f}" ytl="20.00" xbr="{x + 10:.2f}" ybr="40.00" {rotation} z_order="0">'
        f'{attributes}</box>'
    )


def document(*tracks, size=6, extra='', kind='task'):
    shapes = ''.join(
        f'<track id="{number}" label="{label}" source="manual">{"".join(boxes)}</track>'
        for number, (label, *boxes) in enumerate(tracks)
    )
    labels = ''.join(f'<label><name>{name}</name></label>' for name in ('wasp', 'bee'))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta>'
        f'<{kind}><id>1</id><name>my task</name><size>{size}</size><mode>interpolation</mode>'
        f'<labels>{labels}</labels>{extra}<source>hive.mp4</source></{kind}></meta>{shapes}'
        '</annotations>'
    )


TRACKS = (
    # in 0 to 2, and again in 4 and 5, the end; occluded from 1 on
    ('bee', box(0, 5), box(1, 7, occluded=1), box(3, 11, outside=1), box(4, 50)),
    # one frame, as CVAT exports a rectangle that is no track
    ('wasp', box(2, 60), box(3, 60, outside=1)),
)
ROWS = [
    *((1, 'bee', 5), (2, 'bee', 7), (3, 'bee', 9), (3, 'wasp', 60)),
    *((5, 'bee', 50), (6, 'bee', 50)),
]


def positions(made, ignored=False):
    return [row[:3] for row in made.rows(ignored)]


def test_miniature_with_images(tmp_path, make_images, converted):
    """A zip with images, numbered from 0."""
    names = [f'frame_{n:06d}.PNG' for n in range(6)]
    images = make_images(tmp_path / 'images', names)
    with zipfile.ZipFile(tmp_path / 'task 1.zip', 'w') as archive:
        archive.writestr('annotations.xml', document(*TRACKS))
        for name in names:
            archive.write(images / name, f'images/{name}')
    for _ in range(2):  # a second call changes nothing
        made = converted('cvat-video', tmp_path / 'task 1.zip')
        assert made.classes == ['wasp', 'bee']
        assert positions(made) == ROWS
        assert {row[3:] for row in made.rows()} == {(20, 10, 20)}
        assert made.tracks() == {0: [1, 2, 3, 5, 6], 1: [3]}
        assert made.greys() == {n: n - 1 for n in range(1, 7)}
        assert made.notes == ['hive: boxes between key frames are interpolated']
        visible = {
            made.frames[a['image_id']]: a['visibility']
            for a in made.content['annotations']
            if a['mot_instance_id'] == 0
        }
        assert visible == {1: 1, 2: 0, 3: 0, 5: 1, 6: 1}
    assert sorted(path.name for path in made.root.iterdir()) == ['annotations', 'train']


def test_miniature_with_a_video(tmp_path, make_video, converted):
    make_video(tmp_path / 'hive.mp4', 6)
    (tmp_path / 'annotations.xml').write_text(document(*TRACKS))
    made = converted('cvat-video', tmp_path / 'annotations.xml')
    assert positions(made) == ROWS
    assert made.greys() == {n: n - 1 for n in range(1, 7)}
    assert made.content['videos'][0]['fps'] == 10


@pytest.mark.parametrize('with_images', [True, False])
def test_every_second_frame_from_the_third(
    tmp_path, make_images, make_video, converted, with_images
):
    """Boxes and images keep the numbers of the video: 2, 4, 6 from 0."""
    extra = '<start_frame>2</start_frame><stop_frame>7</stop_frame>'
    extra += '<frame_filter>step=2</frame_filter>'
    tracks = [('bee', box(2, 10), box(6, 30))]
    (tmp_path / 'annotations.xml').write_text(document(*tracks, size=3, extra=extra))
    if with_images:
        make_images(tmp_path / 'images', [f'frame_{n:06d}.png' for n in (2, 4, 6)])
    else:
        make_video(tmp_path / 'hive.mp4', 9)
    made = converted('cvat-video', tmp_path)
    assert positions(made) == [(3, 'bee', 10), (5, 'bee', 20), (7, 'bee', 30)]
    assert made.greys() == ({3: 0, 5: 1, 7: 2} if with_images else {3: 2, 5: 4, 7: 6})
    assert [image['frame_id'] for image in made.content['images']] == [0, 1, 2]
    assert made.content['videos'][0]['fps'] == (30 if with_images else 5)


def test_ignored_rotated_and_other_shapes(tmp_path, make_images, converted):
    ignored = '<attribute name="ignored">true</attribute>'
    points = '<points frame="0" outside="0" occluded="0" keyframe="1" points="1,2"></points>'
    tracks = [
        ('bee', box(0, 30, rotation='rotation="90.00"'), box(1, 30, outside=1)),
        ('bee', box(0, 50, attributes=ignored), box(1, 50, outside=1)),
        ('wasp', points),
    ]
    make_images(tmp_path / 'images', ['a.png', 'b.png'])
    (tmp_path / 'annotations.xml').write_text(document(*tracks, size=2))
    made = converted('cvat-video', tmp_path)
    # 10 x 20 px about its centre, (35, 30)
    assert made.rows() == [(1, 'bee', *(pytest.approx(v) for v in (25, 25, 20, 10)))]
    assert positions(made, ignored=True) == [(1, 'bee', 50)]
    assert made.notes == [
        'hive: rotated boxes become the upright ones around them',
        'hive: shapes other than boxes are left out: 1 points',
    ]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (document()[:-9], 'not in the form of CVAT'),
        ('<annotations><meta><task/></meta></annotations>', 'not in the form of CVAT'),
        ('<annotations><image id="0"/></annotations>', 'has no tracks'),
        ('<annotations><meta><project/></meta></annotations>', 'each task for itself'),
        ('<annotations/>', 'no meta/task'),
        (document(size=7), r'images has 6 images, the task 7 frames'),
        (document(kind='job', extra='<frame_filter>step=2</frame_filter>'), 'export the task'),
    ],
)
def test_what_is_wrong(tmp_path, make_images, text, message):
    make_images(tmp_path / 'images', [f'frame_{n:06d}.png' for n in range(6)])
    (tmp_path / 'annotations.xml').write_text(text)
    with pytest.raises(MOTFormatError, match=message):
        read(tmp_path)


def test_no_video(tmp_path):
    (tmp_path / 'annotations.xml').write_text(document())
    with pytest.raises(ValueError, match=r'hive\.mp4 is not in .*give --media'):
        read(tmp_path)
