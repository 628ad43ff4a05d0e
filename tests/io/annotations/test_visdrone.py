"""VisDrone MOT: ignored regions, others, scores of 0."""

import pytest

from lamotr_mm.io.annotations.visdrone import CATEGORIES, read
from lamotr_mm.io.mot_folder import MOTFormatError

NAME = 'uav0000013_00000_v'


@pytest.fixture
def part(tmp_path, make_images):
    folder = tmp_path / 'VisDrone2019-MOT-train'
    (folder / 'annotations').mkdir(parents=True)
    make_images(folder / 'sequences' / NAME, [f'{n:07d}.jpg' for n in range(1, 4)])
    (folder / 'annotations' / f'{NAME}.txt').write_text(
        '1,0,5,6,7,8,1,1,0,0\n'  # a pedestrian
        '2,0,6,6,7,8,1,1,0,2,\n'
        '1,1,20,6,9,8,1,4,0,0\n'  # a car
        '1,2,30,6,9,8,0,4,1,0\n'  # a car that is not evaluated
        '1,0,40,1,20,20,0,0,0,0\n'  # two regions, with an id that a pedestrian has
        '1,0,60,1,10,20,0,0,0,0\n'
        '3,7,50,30,5,5,1,11,0,0\n'  # something else
    )
    return folder


def test_miniature(part, converted):
    made = converted('visdrone', part)
    assert made.classes == list(CATEGORIES[1:11])
    assert made.rows() == [
        (1, 'car', 20, 6, 9, 8),
        (1, 'pedestrian', 5, 6, 7, 8),
        (2, 'pedestrian', 6, 6, 7, 8),
    ]
    assert made.rows(ignored=True) == [
        (1, 'car', 30, 6, 9, 8),
        (1, 'ignored', 40, 1, 20, 20),
        (1, 'ignored', 60, 1, 10, 20),
        (3, 'ignored', 50, 30, 5, 5),
    ]
    assert made.tracks() == {0: [1, 2], 1: [1]}
    assert made.greys() == {1: 0, 2: 1, 3: 2}
    assert made.content['videos'][0]['name'] == NAME


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('1,0,5,6,7,8,1,1', '10 columns expected, got 8'),
        ('1,0,5,6,7,8,1,12,0,0', 'category 12 is none of 0 to 11'),
        ('1,0,5,x,7,8,1,1,0,0', 'x'),
    ],
)
def test_broken_row(part, row, message):
    (part / 'annotations' / f'{NAME}.txt').write_text(row)
    with pytest.raises(MOTFormatError, match=rf'{NAME}\.txt:1: .*{message}'):
        read(part)
