"""Label Studio: percent, spans of key frames, frames that the browser counted."""

import json

import pytest

from lamotr_mm.io.annotations.label_studio import read
from lamotr_mm.io.mot_folder import MOTFormatError


def key(frame, x, enabled=True, **other):
    """A box of 8 x 15 px in a frame of 80 x 60 px."""
    box = dict(x=x, y=50, width=10, height=25, rotation=0, time=frame / 10)
    return dict(frame=frame, enabled=enabled, **box) | other


def region(number, keys, label='bee', count=8):
    value = dict(framesCount=count, duration=count / 10, sequence=keys, labels=[label])
    names = dict(from_name='box', to_name='video', origin='manual')
    return dict(id=number, type='videorectangle', value=value, **names)


@pytest.fixture
def export(tmp_path, make_video):
    """Function that writes an export of one task with these regions, beside its video."""
    make_video(tmp_path / 'hive.mp4', 8)

    def write(regions, **data):
        task = dict(id=3, data=data or dict(video='/data/upload/1/1a2b3c4d-hive.mp4'))
        task['annotations'] = [dict(id=9, was_cancelled=False, result=regions)]
        file = tmp_path / 'project-1.json'
        file.write_text(json.dumps([task]))
        return file

    return write


def test_miniature(export, converted):
    """A span of 1 to 3, another from 6 to the end; a wasp that is never away."""
    bee = [key(1, 10), key(3, 30, enabled=False), key(6, 50)]
    wasp = [key(2, 0), key(4, 40)]
    file = export([region('aXb', bee), region('cYd', wasp, 'wasp')])
    made = converted('label-studio', file)
    assert made.classes == ['bee', 'wasp']
    bees = [(frame, x) for frame, name, x, *_ in made.rows() if name == 'bee']
    assert bees == [(1, 8), (2, 16), (3, 24), (6, 40), (7, 40), (8, 40)]
    wasps = [(frame, x) for frame, name, x, *_ in made.rows() if name == 'wasp']
    assert wasps == [(2, 0), (3, 16), (4, 32), (5, 32), (6, 32), (7, 32), (8, 32)]
    assert {row[3:] for row in made.rows()} == {(30, 8, 15)}  # percent of 60, 80 and 60 px
    assert len(made.tracks()) == 2
    assert made.greys() == {n: n - 1 for n in range(1, 9)}
    assert made.content['videos'][0]['name'] == 'hive'
    assert made.content['videos'][0]['fps'] == 10


def test_one_frame_more_than_there_are(export, converted):
    """Duration times frame rate is rounded; what would be behind the end is said."""
    made = converted('label-studio', export([region('a', [key(7, 10)], count=9)]))
    assert [row[0] for row in made.rows()] == [7, 8]
    assert made.notes == ['hive: boxes after the last frame, 8, are left out']


def test_another_frame_rate(export, converted):
    """24 frames per second, the default of the tag, in a video of 10."""
    with pytest.raises(ValueError, match=r'hive\.mp4 has 8 frames, .* counted 19.*framerate'):
        converted('label-studio', export([region('a', [key(7, 10)], count=19)]))


def test_local_files(export):
    file = export([], clip='/data/local-files/?d=bees/hive.mp4', text='a hive')
    assert read(file)[0].media.name == 'hive.mp4'


@pytest.mark.parametrize(
    ('broken', 'message'),
    [
        (key(2, 10, rotation=5), 'task 3: a box is rotated in frame 2'),
        (key(2, 'left'), 'task 3: key frame .*left'),
    ],
)
def test_broken_key(export, broken, message):
    with pytest.raises(MOTFormatError, match=message):
        read(export([region('a', [broken])]))


def test_what_is_wrong(export, tmp_path):
    with pytest.raises(ValueError, match=r'away\.mp4 is not in .*give --media'):
        read(export([], video='away.mp4'))
    two = region('a', [key(2, 10)])
    two['value']['labels'] = ['bee', 'wasp']
    with pytest.raises(MOTFormatError, match='region a has 2 labels'):
        read(export([two]))
    file = export([])
    task = json.loads(file.read_text())[0]
    file.write_text(json.dumps([task | dict(annotations=task['annotations'] * 2)]))
    with pytest.raises(MOTFormatError, match='has 2 annotations'):
        read(file)
    file.write_text('[{"video": "hive.mp4", "box": []}]')  # JSON-MIN
    with pytest.raises(MOTFormatError, match="kind 'JSON'"):
        read(file)
