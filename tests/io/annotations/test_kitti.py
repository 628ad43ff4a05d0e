"""KITTI tracking: frames from 0, corners, regions without annotations."""

import pytest

from lamotr_mm.io.annotations.kitti import read
from lamotr_mm.io.mot_folder import MOTFormatError

REST = '1.5 0.6 1.8 2.0 1.7 9.0 -1.6'  # height, width, length, location, rotation
ROWS = [
    f'0 0 Car 0 0 -1.79 10.5 20.25 30.5 40.75 {REST}',
    '0 -1 DontCare -1 -1 -10.0 60 1 70 9 -1000 -1000 -1000 -10 -1 -1 -1',
    '0 -1 DontCare -1 -1 -10.0 2 1 9 8 -1000 -1000 -1000 -10 -1 -1 -1',
    f'1 0 Car 0 2 -1.79 12.5 20.25 32.5 40.75 {REST}',
    f'2 1 Van 0 0 -1.79 40 20 50 30 {REST}',
    f'2 2 Pedestrian 0 0 -1.79 60 20 66 40 {REST}',
    f'2 3 Person 0 0 -1.79 70 20 76 40 {REST}',
]


@pytest.fixture
def training(tmp_path, make_images):
    folder = tmp_path / 'KITTI' / 'training'
    (folder / 'label_02').mkdir(parents=True)
    (folder / 'label_02' / '0000.txt').write_text('\n'.join(ROWS))
    make_images(folder / 'image_02' / '0000', [f'{n:06d}.png' for n in range(3)])
    return folder


def test_miniature(training, converted):
    made = converted('kitti', training.parent)
    assert made.classes[:2] == ['Car', 'Pedestrian'] and 'DontCare' not in made.classes
    assert made.rows() == [
        (1, 'Car', 10.5, 20.25, 20, 20.5),
        (2, 'Car', 12.5, 20.25, 20, 20.5),
        (3, 'Pedestrian', 60, 20, 6, 20),
        (3, 'Person', 70, 20, 6, 20),
        (3, 'Van', 40, 20, 10, 10),
    ]
    assert made.rows(ignored=True) == [(1, 'ignored', 2, 1, 7, 7), (1, 'ignored', 60, 1, 10, 8)]
    assert made.tracks() == {0: [1, 2], 1: [3], 2: [3], 3: [3]}
    assert made.greys() == {1: 0, 2: 1, 3: 2}
    assert made.content['videos'][0]['fps'] == 10


def test_neighbours_of_the_two_classes_that_are_evaluated(training, converted):
    """As in the development kit: vans while cars are tracked, sitting people while walking ones."""
    made = converted('kitti', training, classes=['Pedestrian'])
    assert made.rows() == [(3, 'Pedestrian', 60, 20, 6, 20)]
    assert [row for row in made.rows(ignored=True) if row[0] == 3] == [
        (3, 'ignored', 70, 20, 6, 20)
    ]


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('0 4 Car 0 0 0 1 2 3 4', '17 columns expected, got 10'),
        (f'0 -1 Car 0 0 -1.79 10 20 30 40 {REST}', 'Car with id -1'),
        (f'0 4 Bird 0 0 -1.79 10 20 30 40 {REST}', 'Bird with id 4'),
        (f'0.5 4 Car 0 0 -1.79 10 20 30 40 {REST}', '0.5'),
    ],
)
def test_broken_row(training, row, message):
    (training / 'label_02' / '0000.txt').write_text(f'{ROWS[0]}\n\n{row}\n')
    with pytest.raises(MOTFormatError, match=rf'0000\.txt:3: .*{message}'):
        read(training)
