"""Cutting out: a drawn video whose targets are known pixel by pixel."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamotr_mm.io.cutouts import read_picture, read_runs
from lamotr_mm.preparation.cutouts import SHORTEST, cut_out

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/cut_out_targets.py'
FRAMES, HEIGHT, WIDTH = 40, 120, 200
COLOURS = {7: (40, 40, 220), 8: (220, 40, 40)}


def box_of(target, frame):
    """xyxy px: 7 walks to the right, 8 to the left and stands nearer, so it hides 7 when they
    meet."""
    left, bottom = {7: (10 + 4 * frame, 80), 8: (170 - 4 * frame, 100)}[target]
    return [left, bottom - 50, left + 20, bottom]


@pytest.fixture
def video(tmp_path):
    """A textured background, in front of which two filled rectangles move."""
    background = np.random.default_rng(0).integers(90, 150, (HEIGHT, WIDTH, 3), np.uint8)
    (tmp_path / 'img').mkdir()
    images, annotations = [], []
    for frame in range(FRAMES):
        image = background.copy()
        for target, colour in COLOURS.items():
            x1, y1, x2, y2 = box_of(target, frame)
            image[y1:y2, max(0, x1) : max(0, x2)] = colour
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=frame + 1,
                    category_id=1,
                    instance_id=target,
                    bbox=[x1, y1, 20, 50],
                )
            )
        cv2.imwrite(str(tmp_path / f'img/{frame}.png'), image)
        images.append(
            dict(id=frame + 1, video_id=1, file_name=f'img/{frame}.png', frame_id=frame)
            | dict(width=WIDTH, height=HEIGHT)
        )
    content = dict(
        categories=[dict(id=1, name='pedestrian')],
        videos=[dict(id=1, name='street')],
        images=images,
        annotations=annotations,
    )
    (tmp_path / 'train.json').write_text(json.dumps(content))
    return tmp_path


def test_pictures_are_the_targets(video):
    summaries = cut_out(video / 'train.json', video, video / 'out')
    runs = read_runs(video / 'out')
    total = sum(map(len, runs))
    assert summaries == [dict(video='street', runs=len(runs), cutouts=total)]
    seen = {7: set(), 8: set()}
    for run in runs:
        assert len(run) >= SHORTEST
        for cutout in run:
            target = int(cutout.file.split('/')[1].split('_')[0])
            seen[target].add(cutout.frame)
            placed = np.array(cutout.box_xyxy) + np.tile(cutout.corner, 2)
            assert placed.tolist() == box_of(target, cutout.frame)
            colours, alpha = read_picture(video / 'out', cutout)
            x1, y1, x2, y2 = map(int, cutout.box_xyxy)
            inside = np.zeros(alpha.shape[:2], bool)
            inside[y1:y2, x1:x2] = True
            core = cv2.erode(inside.astype(np.uint8), np.ones((7, 7))) > 0
            around = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7))) > 0
            assert (alpha[core] > 0.99).all() and not alpha[~around].any()
            np.testing.assert_array_equal(np.unique(colours[core], axis=0), [COLOURS[target]])
    # who is in front: always, but for the border of the image; who is behind: not while hidden
    expected = {7: set(), 8: set()}
    for frame in range(FRAMES):
        (a1, _, a2, _), (b1, _, b2, _) = (box_of(target, frame) for target in (7, 8))
        inside = {7: a2 <= WIDTH - 1, 8: b1 >= 1}
        overlap = max(0, min(a2, b2) - max(a1, b1)) * 30 / 1000  # of 20x50 px
        for target, most in ((7, 0.05), (8, 0.3)):
            if inside[target] and overlap <= most:
                expected[target].add(frame)
    assert seen == expected
    assert 0 < len(expected[7]) < len(expected[8])


def test_what_does_not_stand_out_is_left_out(video):
    """A target that is not there to be seen, and one that the background has, as it never moves."""
    content = json.loads((video / 'train.json').read_text())
    for image in content['images']:
        nothing = dict(image_id=image['id'], category_id=1, instance_id=9, bbox=[90, 5, 12, 20])
        content['annotations'].append(nothing | dict(id=1000 + image['id']))
    (video / 'more.json').write_text(json.dumps(content))
    cut_out(video / 'more.json', video, video / 'out')
    assert not any('0009_' in cutout.file for run in read_runs(video / 'out') for cutout in run)


def test_errors(video):
    (video / 'there').mkdir()
    with pytest.raises(ValueError, match='there exists already'):
        cut_out(video / 'train.json', video, video / 'there')
    content = json.loads((video / 'train.json').read_text())
    content['categories'].append(dict(id=2, name='car'))
    (video / 'two.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='this json has pedestrian, car'):
        cut_out(video / 'two.json', video, video / 'out')
    (video / 'img/7.png').unlink()
    with pytest.raises(ValueError, match=r'7\.png is missing or no image'):
        cut_out(video / 'train.json', video, video / 'out')
    assert not (video / 'out').exists()


def test_the_tool(video, capsys):
    """Without --data-root, file names start two folders above the json."""
    spec = importlib.util.spec_from_file_location('tool_cut_out_targets', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (video / 'annotations').mkdir()
    (video / 'train.json').rename(video / 'annotations/train.json')
    arguments = [str(video / 'annotations/train.json'), str(video / 'out')]
    assert tool.main(arguments) == 0
    total = sum(map(len, read_runs(video / 'out')))
    assert str(total) in capsys.readouterr().out.split()
    assert tool.main(arguments) != 0
    assert 'exists already' in capsys.readouterr().err
