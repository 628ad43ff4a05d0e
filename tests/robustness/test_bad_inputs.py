"""Odd and broken inputs through the public tools: right results, or one error with the culprit."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from workshop import (
    EVERY_OBJECT,
    HEIGHT,
    NO_VALIDATION,
    WIDTH,
    Workshop,
    assert_one_error,
    box_of,
    truncate,
)


def scalars(work_dir: str) -> dict[str, float]:
    """Everything that a run logged, the last value of each."""
    (file,) = Path(work_dir).glob('*/vis_data/scalars.json')
    values = {}
    for line in file.read_text().splitlines():
        values |= json.loads(line)
    return values


def gt_rows(frames: range, identities: tuple[int, ...]) -> list[str]:
    """Rows of a ``gt.txt``."""
    return [f'{f},{i},{",".join(map(str, box_of(i, f)))},1,1,1' for f in frames for i in identities]


# ---------------------------------------------------------------- odd, and right


def odd_sequences(workshop: Workshop) -> dict[str, int]:
    """Sequences that are unusual but not wrong; how many boxes of each are to be tracked."""
    workshop.sequence('no_objects', identities=())
    workshop.sequence('empty_frames', identities=(1,), rows=gt_rows(range(2, 4), (1,)))
    workshop.sequence('one_object', identities=(2,))
    workshop.sequence('one_frame', length=1)
    workshop.sequence('two_frames', length=2)  # a clip has three
    workshop.sequence('more_objects_than_queries', length=3, identities=range(1, 16))
    rows = gt_rows(range(1, 5), (1, 2))
    workshop.sequence('unsorted', identities=(1, 2), rows=rows[::-1])
    workshop.sequence(
        'outside',
        rows=[
            *gt_rows(range(1, 5), (1,)),
            *(f'{frame},2,-8,-9,20,30,1,1,1' for frame in range(1, 5)),  # in part
            *(f'{frame},3,500,-100,20,30,1,1,1' for frame in range(1, 5)),  # wholly
            *(f'{frame},4,-50,-50,500,500,1,1,1' for frame in range(1, 5)),  # around it
        ],
    )
    workshop.sequence(
        'zero_size',
        rows=[*gt_rows(range(1, 5), (1,)), '1,2,10,10,0,20,1,1,1', '2,3,10,10,5,0,1,1,1'],
    )
    for name, convert in {
        'grey': lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
        'rgba': lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA),
        'deep': lambda image: image.astype(np.uint16) * 257,
    }.items():
        for file in (workshop.sequence(name, length=2) / 'img1').iterdir():
            cv2.imwrite(str(file), convert(cv2.imread(str(file))))
    return dict(
        no_objects=0,
        empty_frames=2,
        one_object=4,
        one_frame=3,
        two_frames=6,
        more_objects_than_queries=45,
        unsorted=8,
        outside=16,
        zero_size=4,
        grey=6,
        rgba=6,
        deep=6,
    )


def test_odd_videos_are_trained_on_and_tracked(workshop, capsys):
    """All of them in one training and one validation; every sequence is scored, and the count of
    overlapping pairs is there."""
    boxes = odd_sequences(workshop)
    assert workshop.convert() == 0
    content = json.loads(Path('videos/annotations/val.json').read_text())
    names = {video['id']: video['name'] for video in content['videos']}
    images = {image['id']: names[image['video_id']] for image in content['images']}
    found = dict.fromkeys(boxes, 0)
    for annotation in content['annotations']:
        found[images[annotation['image_id']]] += 1
    assert found == boxes

    text = 'train_dataloader = dict(batch_size=4)\nval_evaluator = dict(outfile_prefix="tracks")'
    workshop.train(workshop.config(EVERY_OBJECT + text), '--work-dir', 'run')
    values = scalars('run')
    assert math.isfinite(values['loss'])
    assert values['track/overlapping_pairs'] >= 0
    assert 'overlapping_live_pairs' in values
    for name, count in boxes.items():
        rows = [line.split(',') for line in Path(f'tracks/{name}.txt').read_text().splitlines()]
        pairs = [(row[0], row[1]) for row in rows]
        assert rows and len(set(pairs)) == len(pairs), name
        assert values[f'track/{name}/FN'] <= count
        assert math.isfinite(values[f'track/{name}/MOTA']) and math.isfinite(
            values[f'track/{name}/HOTA']
        ), name
    assert sum(values[f'track/{name}/FN'] for name in boxes) == values['track/FN']


def test_nothing_to_find_and_nothing_found(workshop):
    """No boxes in all of the data and no tracks: trained on and scored, without a division by 0."""
    workshop.sequence('first', identities=())
    workshop.sequence('second', identities=())
    assert workshop.convert() == 0
    workshop.train(
        workshop.config('model = dict(lifecycle=dict(det_thr=1.0))'), '--work-dir', 'run'
    )
    values = scalars('run')
    assert math.isfinite(values['loss'])
    assert (values['track/FN'], values['track/FP'], values['track/IDSW']) == (0, 0, 0)


def test_unsorted_gt_is_the_same(workshop):
    """The order of the rows changes nothing."""
    rows = gt_rows(range(1, 5), (1, 2, 3))
    folder = workshop.sequence('a', rows=rows)
    assert workshop.convert() == 0
    sorted_json = Path('videos/annotations/train.json').read_text()
    (folder / 'gt' / 'gt.txt').write_text('\r\n'.join(['', *rows[::-2], *rows[-2::-2], ' ']))
    assert workshop.convert() == 0
    assert Path('videos/annotations/train.json').read_text() == sorted_json


def test_odd_images_are_the_same_picture(workshop):
    """Grey, RGBA and 16 bit frames reach the model as the three channels that they show."""
    from mmdet.registry import DATASETS
    from mmengine.config import Config

    odd_sequences(workshop)
    assert workshop.convert() == 0
    cfg = Config.fromfile(workshop.config()).val_dataloader.dataset
    dataset = DATASETS.build(cfg)
    names = [dataset.get_data_info(i)['images'][0]['video_name'] for i in range(len(dataset))]
    for name in ('grey', 'rgba', 'deep'):
        frame = dataset[names.index(name), 0]['inputs'][0].permute(1, 2, 0).numpy()
        folder = Path('videos/train') / name / 'img1'
        shown = cv2.imread(str(folder / '000001.png'), cv2.IMREAD_COLOR)
        assert frame.shape == (HEIGHT, WIDTH, 3) and np.array_equal(frame, shown), name
        assert frame.std() > 5


# ---------------------------------------------------------------- broken ground truth and frames


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('2,9,nan,10,16,24,1,1,1', r"gt\.txt:13: column 3 is not finite: 'nan'"),
        ('2,9,10,10,inf,24,1,1,1', r"gt\.txt:13: column 5 is not finite: 'inf'"),
        ('2,9,10,10,-16,24,1,1,1', r'gt\.txt:13: width and height must be >= 0, got -16'),
        ('2,1,10,10,16,24,1,1,1', r'gt\.txt:13: id 1 is in frame 2 already, at line 4'),
        ('2,-1,10,10,16,24,1,1,1', r'gt\.txt:13: id must be >= 0, got -1'),
        ('9,9,10,10,16,24,1,1,1', r'gt\.txt:13: frame 9 is outside 1\.\.4'),
        ('2,9,10,10,16,24,1,77,1', r'gt\.txt:13: class 77 is none of'),
        ('2,9,10,10', r"gt\.txt:13: 9 columns expected .* got 4: '2,9,10,10'"),
        ('2,9,10,ten,16,24,1,1,1', r"gt\.txt:13: column 4 is no number: 'ten'"),
    ],
)
def test_broken_rows(workshop, capsys, row, message):
    """The converter names file, line and value, and writes nothing."""
    workshop.sequence('a', rows=[*gt_rows(range(1, 5), (1, 2, 3)), row])
    assert workshop.convert() == 1
    assert_one_error(capsys.readouterr().err, message)
    assert not list(Path('videos/annotations').glob('*'))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda img1: (img1 / '000003.png').unlink(), r'1 of the frames 1-4 are missing.* is 3'),
        (lambda img1: (img1 / '000001.png').write_text('no'), r'000001\.png: not a readable image'),
        (lambda img1: (img1 / 'x.png').write_bytes(b''), r'x\.png: the name must be the frame'),
        (lambda img1: [f.unlink() for f in img1.iterdir()], r'img1 has no images'),
    ],
)
def test_broken_sequences(workshop, capsys, damage, message):
    """The converter names the folder or file, and writes nothing."""
    damage(workshop.sequence('a') / 'img1')
    assert workshop.convert() == 1
    assert_one_error(capsys.readouterr().err, message)
    assert not list(Path('videos/annotations').glob('*'))


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (truncate, r'000003\.png \(video a, frame 3\) is cut off or no image'),
        (Path.unlink, r'000003\.png \(video a, frame 3\) does not exist'),
        (lambda f: f.write_text('no image'), r'000003\.png .* is cut off or no image'),
        (lambda f: f.write_bytes(b''), r'000003\.png .* is cut off or no image'),
        (
            lambda f: cv2.imwrite(str(f), np.zeros((70, 50, 3), np.uint8)),
            r'000003\.png .* has 50x70 px, its annotations are for 96x64 px',
        ),
    ],
)
@pytest.mark.parametrize('tool', ['train', 'validate'])
def test_broken_frames(workshop, damage, message, tool):
    """A frame that breaks after the conversion: training and validation name it."""
    workshop.sequence('a')
    assert workshop.convert() == 0
    damage(Path('videos/train/a/img1/000003.png'))
    config = workshop.config(NO_VALIDATION if tool == 'train' else '')
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        if tool == 'train':
            workshop.train(config)
        else:
            validate(workshop, config)


def validate(workshop: Workshop, config: Path) -> None:
    """`tools/test.py` with an untrained model."""
    torch.save(dict(state_dict=untrained(config)), 'untrained.pth')
    workshop.test(config, 'untrained.pth', '--work-dir', 'test')


def untrained(config: Path) -> dict[str, torch.Tensor]:
    """Weights of a config's model at initialisation."""
    from mmdet.registry import MODELS
    from mmengine.config import Config

    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    model.init_weights()
    return model.state_dict()


def edit_json(change) -> None:
    """Change the annotations of the training set."""
    file = Path('videos/annotations/train.json')
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda c: c['annotations'][4].update(bbox=[math.nan, 1, 2, 3]),
            r'train\.json: video a, frame 1: box \[nan, 1, 2, 3\] of instance_id \d is not finite',
        ),
        (
            lambda c: c['annotations'][4].update(c['annotations'][3]),
            r'train\.json: video a, frame 1: instance_id \d is there twice',
        ),
        (lambda c: c['annotations'][4].pop('instance_id'), r'annotation 5 has no instance_id'),
        (
            lambda c: c['annotations'][4].update(image_id=99),
            r'train\.json: annotations of image_id 99',
        ),
        (lambda c: c['images'][1].update(video_id=7), r'000002\.png is of video 7, which is not'),
        (lambda c: c.pop('videos'), r'train\.json: not CocoVID json, has no videos'),
        (lambda c: c['categories'][0].update(name='dog'), r'has no class pedestrian; it has dog'),
        (
            lambda c: [c.update({k: []}) for k in ('videos', 'images', 'annotations')],
            r'train\.json: has no frames',
        ),
    ],
)
def test_broken_json(workshop, change, message):
    """Annotations that another program wrote, or a hand: training names file, video and frame."""
    workshop.sequence('a')
    assert workshop.convert() == 0
    edit_json(change)
    with pytest.raises(ValueError, match=message):
        workshop.train(workshop.config(NO_VALIDATION))


def test_cut_off_or_missing_json(workshop):
    """The file is named, and the tool that makes it."""
    config = workshop.config(NO_VALIDATION)
    with pytest.raises(FileNotFoundError, match=r'train\.json does not exist: .*converters'):
        workshop.train(config)
    workshop.sequence('a')
    assert workshop.convert() == 0
    truncate(Path('videos/annotations/train.json'))
    with pytest.raises(ValueError, match=r'train\.json: cut off or no json .*dataset_converters'):
        workshop.train(config)


def test_frames_too_small_for_the_filter(workshop):
    """Training on nothing is an error, not a success in no time."""
    workshop.sequence('a')
    assert workshop.convert() == 0
    text = NO_VALIDATION + 'train_dataloader = dict(dataset=dict(filter_cfg=dict(min_size=65)))'
    with pytest.raises(ValueError, match=r"none that passes filter_cfg=.*'min_size': 65"):
        workshop.train(workshop.config(text))


def test_error_in_a_worker(workshop):
    """A worker process passes on which frame is broken."""
    workshop.sequence('a', suffix='.jpg')
    assert workshop.convert() == 0
    truncate(Path('videos/train/a/img1/000002.jpg'))
    text = NO_VALIDATION + 'train_dataloader = dict(num_workers=1)'
    with pytest.raises(ValueError, match=r'000002\.jpg \(video a, frame 2\) is cut off'):
        workshop.train(workshop.config(text))
