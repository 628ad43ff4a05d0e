"""CVAT's MOT 1.1: rows that count from 1 beside images that count from 0."""

import zipfile

import pytest

from lamotr_mm.io.annotations.cvat_mot import read
from lamotr_mm.io.mot_folder import MOTFormatError

ROWS = ['1,1,5.0,6.0,10.0,20.0,1,2,1.0', '2,1,7.0,6.0,10.0,20.0,1,2,0.0']
ROWS += ['2,2,40.0,6.0,10.0,20.0,1,1,1.0', '3,2,41.0,6.0,10.0,20.0,0,1,1.0']
EXPECTED = [(1, 'wasp', 5, 6, 10, 20), (2, 'bee', 40, 6, 10, 20), (2, 'wasp', 7, 6, 10, 20)]


@pytest.fixture
def export(tmp_path, make_images):
    """Function that zips rows, and images of these names if any."""

    def write(names, rows=ROWS, labels='bee\nwasp'):
        with zipfile.ZipFile(tmp_path / 'yard.zip', 'w') as archive:
            archive.writestr('gt/gt.txt', ''.join(f'{row}\r\n' for row in rows))
            if labels:
                archive.writestr('gt/labels.txt', labels)
            if names:
                images = make_images(tmp_path / 'images', names)
                for name in names:
                    archive.write(images / name, f'img1/{name}')
        return tmp_path / 'yard.zip'

    return write


@pytest.mark.parametrize(
    'names',
    [
        [f'frame_{n:06d}.PNG' for n in range(4)],
        [f'frame_{n:06d}.PNG' for n in (10, 15, 20, 25)],  # of a task with a frame step
        [f'{n:06d}.jpg' for n in range(1, 5)],  # of a task of images
    ],
)
def test_miniature(export, converted, names):
    made = converted('cvat-mot', export(names))
    assert made.classes == ['bee', 'wasp']
    assert made.rows() == EXPECTED
    assert made.rows(ignored=True) == [(3, 'bee', 41, 6, 10, 20)]
    assert made.tracks() == {1: [1, 2], 2: [2]}
    assert made.greys() == {1: 0, 2: 1, 3: 2, 4: 3}
    assert made.content['videos'][0]['name'] == 'yard'


def test_images_and_rows_from_zero(export, converted):
    """A task of images that are called 000000, ...: CVAT takes those numbers into the rows."""
    rows = [f'{int(row[0]) - 1}{row[1:]}' for row in ROWS]
    made = converted('cvat-mot', export([f'{n:06d}.jpg' for n in range(4)], rows))
    assert made.rows() == EXPECTED
    assert made.notes == ['yard: frames in gt.txt count from 0']


def test_without_images(export, tmp_path, make_video, converted):
    video = make_video(tmp_path / 'some.mp4', 4)
    made = converted('cvat-mot', export([]), media=video)
    assert made.rows() == EXPECTED
    assert made.greys() == {1: 0, 2: 1, 3: 2, 4: 3}


def test_official_labels(export, converted):
    """Without labels.txt the classes are MOT17's: 1 is a pedestrian, 2 one on a vehicle."""
    made = converted('cvat-mot', export(['frame_000000.PNG'], ROWS[:1], labels=''))
    assert made.classes == ['pedestrian'] and made.rows() == []
    assert made.rows(ignored=True) == [(1, 'ignored', 5, 6, 10, 20)]


def test_what_is_wrong(export, tmp_path, converted):
    with pytest.raises(ValueError, match='no images, no video'):
        converted('cvat-mot', export([]))
    with pytest.raises(MOTFormatError, match=r'gt\.txt:1: id must be >= 0, got -1'):
        # a rectangle that is no track
        converted('cvat-mot', export(['frame_000000.PNG'], ['1,-1,5,6,10,20,1,1,1']))
    with pytest.raises(ValueError, match=r'no gt/gt\.txt'):
        read(tmp_path)
