"""BDD100K MOT: a list of frames a video, last pixels instead of edges, crowds and distractors."""

import json

import pytest

from lamotr_mm.io.annotations.bdd100k import read
from lamotr_mm.io.mot_folder import MOTFormatError

NAME = 'b1c66a42-6f7d68ca'


def label(number, category, box, **attributes):
    flags = dict(occluded=False, truncated=False, crowd=False) | attributes
    corners = dict(zip(('x1', 'y1', 'x2', 'y2'), box))
    return dict(id=number, category=category, attributes=flags, box2d=corners)


@pytest.fixture
def labels(tmp_path, make_images):
    """``labels/box_track_20/train``."""
    root = tmp_path / 'bdd100k'
    frames = [
        [
            label('00122078', 'pedestrian', (10, 20, 19, 39)),
            label('00122079', 'car', (40, 20, 49.5, 29.5), crowd=True),
            label('00122080', 'other person', (60, 20, 69, 29)),
        ],
        None,
        [label('00122078', 'pedestrian', (11.5, 20, 20.5, 39), occluded=True)],
    ]
    names = [f'{NAME}-{n:07d}.jpg' for n in range(1, 4)]
    make_images(root / 'images' / 'track' / 'train' / NAME, names)
    folder = root / 'labels' / 'box_track_20' / 'train'
    folder.mkdir(parents=True)
    content = [
        dict(name=name, videoName=NAME, frameIndex=index, labels=boxes)
        for index, (name, boxes) in enumerate(zip(names, frames))
    ]
    (folder / f'{NAME}.json').write_text(json.dumps(content))
    return folder


def test_miniature(labels, converted):
    made = converted('bdd100k', labels)
    assert made.rows() == [
        (1, 'pedestrian', 10, 20, 10, 20),  # pixels 10 to 19
        (3, 'pedestrian', 11.5, 20, 10, 20),
    ]
    assert made.rows(ignored=True) == [
        (1, 'car', 40, 20, 10.5, 10.5),
        (1, 'ignored', 60, 20, 10, 10),
    ]
    assert list(made.tracks().values()) == [[1, 3]]
    assert made.greys() == {1: 0, 2: 1, 3: 2}
    assert len(made.classes) == 8 and made.content['videos'][0]['fps'] == 5


def test_frames_in_a_dictionary(labels, converted):
    """As Scalabel writes them, all videos in one file."""
    file = labels / f'{NAME}.json'
    (labels / 'all.json').write_text(json.dumps(dict(frames=json.loads(file.read_text()))))
    assert len(converted('bdd100k', labels / 'all.json').rows()) == 2


def test_what_is_wrong(labels):
    file = labels / f'{NAME}.json'
    file.write_text(file.read_text()[:-9])
    with pytest.raises(MOTFormatError, match=f'{NAME}.json: cut off or no json'):
        read(labels)
    file.write_text('[{"name": "x.jpg", "frameIndex": 0, "labels": [{"id": 1}]}]')
    with pytest.raises(MOTFormatError, match='box2d'):
        read(labels)
    with pytest.raises(ValueError, match='give --media'):
        read(labels.rename(labels.with_name('other')))
