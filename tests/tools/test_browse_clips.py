"""`browse_clips.py`: the clips of an epoch as pictures, of synthetic, real and mixed sets."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope

from lamotr_mm.registry import DATASETS
from lamotr_mm.visualization.contact_sheet import GAP
from lamotr_mm.visualization.draw_clips import LINE
from lamotr_mm.visualization.draw_tracks import colour_of

ROOT = Path(__file__).resolve().parents[2]
SYNTHETIC = ROOT / 'configs' / 'lamotr_synthetic.py'
HEIGHT, WIDTH = 96, 128

MIXED = """
meta_keys = ('video_name', 'mot_frame_id')
load = [dict(type='lamotr_mm.LoadFrame'), dict(type='LoadTrackAnnotations')]
pipeline = [
    dict(type='lamotr_mm.ClipSampler', clip_len=2, max_interval=2),
    dict(type='TransformBroadcaster', share_random_params=True,
         transforms=[*load, dict(type='RandomFlip', prob=0.5)]),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='TransformBroadcaster', transforms=load),
    dict(type='PackTrackInputs', meta_keys=meta_keys),
]
one = dict(
    type='lamotr_mm.MOTVideoDataset', ann_file='one.json', data_prefix=dict(img_path=''),
    data_root='data', metainfo=dict(classes=('bee', 'wasp')), seed=0, pipeline=pipeline,
)
train_dataloader = dict(
    sampler=dict(type='TrackImgSampler', seed=0),
    dataset=dict(type='lamotr_mm.ConcatVideoDataset', datasets=[one, dict(one, ann_file='two.json')]),
)
val_dataloader = dict(
    sampler=dict(type='lamotr_mm.VideoFrameSampler'),
    dataset=dict(one, test_mode=True, pipeline=test_pipeline),
)
"""  # noqa: E501


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location(
        'tool_browse_clips', ROOT / 'tools' / 'browse_clips.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def browse(tool, tmp_path, monkeypatch):
    """Calls the tool in an empty folder; its pictures by name."""
    monkeypatch.chdir(tmp_path)

    def browse(*arguments, out_dir='out'):
        tool.main([*map(str, arguments), '--out-dir', out_dir])
        return {path.name: cv2.imread(str(path)) for path in sorted(Path(out_dir).iterdir())}

    with DefaultScope.overwrite_default_scope('mmdet'):
        yield browse


def write_set(name, length, boxes):
    """A video of grey frames; `boxes`: per id its class and (x, y, w, h), alike in all frames."""
    images = [
        dict(id=k, video_id=1, file_name=f'{name}/{k}.png', frame_id=k, mot_frame_id=k + 101)
        | dict(width=WIDTH, height=HEIGHT)
        for k in range(length)
    ]
    annotations = [
        dict(image_id=k, category_id=category, instance_id=number, bbox=box)
        for k in range(length)
        for number, (category, box) in boxes.items()
    ]
    Path('data', name).mkdir(parents=True)
    for image in images:
        cv2.imwrite(f'data/{image["file_name"]}', np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    content = dict(
        categories=[dict(id=1, name='bee'), dict(id=2, name='wasp')],
        videos=[dict(id=1, name=f'set/{name}')],
        images=images,
        annotations=annotations,
    )
    Path(f'data/{name}.json').write_text(json.dumps(content))


def test_synthetic_clips_equal_those_of_training(browse, tool):
    """Boxes of an independently built sample are on the picture, pixel by pixel."""
    pictures = browse(SYNTHETIC, '--num', 2, '--epoch', 3)
    assert len(pictures) == 2
    cfg = tool.load_config(str(SYNTHETIC))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    dataset.set_epoch(3)
    for name, picture in pictures.items():
        _, video, number = Path(name).stem.split('_')
        sample = dataset[int(video.split('-')[1]), int(number) - 1]
        assert picture.shape[1] == 3 * 320 + 4 * GAP
        for t, frame in enumerate(sample['data_samples']):
            x, y = GAP + t * (320 + GAP), 2 * GAP + LINE
            shown = picture[y : y + 256, x : x + 320]
            image = sample['inputs'][t].numpy().transpose(1, 2, 0)
            assert (shown == image).all(-1).mean() > 0.5
            targets = frame.gt_instances
            # the lowest box is drawn last
            lowest = int(targets.bboxes[:, 3].argmax())
            x1, _, x2, y2 = targets.bboxes[lowest].round().int().tolist()
            row = shown[min(y2, 255), max(x1, 0) : min(x2, 319) + 1]
            assert (row == colour_of(targets.instances_ids[lowest])).all()


def test_seed_and_epoch_choose(browse):
    first = browse(SYNTHETIC, '--num', 3, out_dir='a')
    again = browse(SYNTHETIC, '--num', 3, out_dir='b')
    assert list(first) == list(again)
    assert all((first[name] == again[name]).all() for name in first)
    for option in ('--seed', '--epoch'):
        other = browse(SYNTHETIC, '--num', 3, option, 5, out_dir=option.strip('-'))
        assert list(other) != list(first)


def test_config_options(browse):
    key = 'train_dataloader.dataset.pipeline.0.clip_len'
    (picture,) = browse(SYNTHETIC, '--num', 1, '--cfg-options', f'{key}=2').values()
    assert picture.shape[1] == 2 * 320 + 3 * GAP


def test_mixed_sets(browse):
    """Clips of both members, flipped ones among them, two lines of caption."""
    write_set('one', 3, {4: (1, [20, 50, 30, 40])})
    write_set('two', 2, {5: (2, [20, 50, 30, 40]), 6: (1, [90, 50, 10, 20])})
    Path('mixed.py').write_text(MIXED)
    pictures = browse('mixed.py', '--num', 9)
    assert len(pictures) == 5  # there are no more
    found = set()
    for name, picture in pictures.items():
        member = name.split('_')[2]
        assert name.split('_')[1] == 'set' and member in ('one', 'two')
        assert picture.shape[:2] == (3 * GAP + 2 * LINE + HEIGHT, 2 * WIDTH + 3 * GAP)
        shown = picture[2 * GAP + 2 * LINE :, GAP : GAP + WIDTH]
        expected = colour_of(4 if member == 'one' else 5)
        middle = shown[70]  # halfway down the box
        columns = np.flatnonzero((middle == expected).all(-1))
        flipped = columns.max() > 90
        found.add((member, bool(flipped)))
        x1, x2 = (WIDTH - 50, WIDTH - 20) if flipped else (20, 50)
        assert abs(columns.min() - x1) <= 1 and abs(columns.max() - x2) <= 1
    assert {member for member, _ in found} == {'one', 'two'}
    assert {flipped for _, flipped in found} == {True, False}


def test_frames_of_a_test_split(browse):
    write_set('one', 8, {4: (1, [20, 50, 30, 40])})
    Path('mixed.py').write_text(MIXED)
    pictures = browse('mixed.py', '--split', 'val', '--num', 4)
    names = [f'{k:02d}_set_one_{101 + 2 * k:06d}.png' for k in range(4)]
    assert list(pictures) == names
    assert pictures[names[0]].shape[1] == WIDTH + 2 * GAP


def test_real_frames(browse, lamotr_data, tmp_path):
    """Augmentation of the shipped PETS config on real frames with ignored boxes."""
    converter = ROOT / 'tools' / 'dataset_converters' / 'mot2cocovid.py'
    spec = importlib.util.spec_from_file_location('tool_mot2cocovid', converter)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    split = 'train=MOT17-02-FRCNN:1-4'
    source = lamotr_data / 'mot17_mini'
    assert module.main([str(source), '--split', split, '--out-dir', str(tmp_path)]) == 0
    Path('mot17.py').write_text(
        f'_base_ = {str(ROOT / "configs" / "lamotr_pets.py")!r}\n'
        'train_dataloader = dict(dataset=dict(\n'
        f'    data_root={str(source)!r}, ann_file={str(tmp_path / "train.json")!r}))\n'
    )
    pictures = browse('mot17.py', '--num', 2)
    assert [name.split('_')[1] for name in pictures] == ['MOT17-02-FRCNN'] * 2
    assert all((picture == 255).all(-1).any() for picture in pictures.values())


def test_default_folder(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        tool.main([str(SYNTHETIC), '--num', '1'])
    assert len(list(Path('work_dirs/lamotr_synthetic/clips').iterdir())) == 1
    assert capsys.readouterr().out.rstrip().endswith('work_dirs/lamotr_synthetic/clips')


def test_wrong_calls(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def refused(*arguments):
        with pytest.raises(SystemExit) as stop:
            tool.main(list(map(str, arguments)))
        assert stop.value.code == 2
        assert list(tmp_path.rglob('*.png')) == []
        error = capsys.readouterr().err
        assert error.count('error:') == 1
        return error.splitlines()[-1]

    assert 'config no.py does not exist' in refused('no.py')
    assert '--num 0: at least 1' in refused(SYNTHETIC, '--num', 0)
    assert '--epoch -1: at least 0' in refused(SYNTHETIC, '--epoch', -1)
    assert '--seed -1: at least 0' in refused(SYNTHETIC, '--seed', -1)
    Path('mixed.py').write_text(MIXED)
    assert 'has no test_dataloader' in refused('mixed.py', '--split', 'test')
    assert 'one.json does not exist' in refused('mixed.py')
    write_set('one', 1, {})
    write_set('two', 1, {})
    Path('data/one/0.png').unlink()
    Path('data/two/0.png').unlink()
    assert '0.png (video set/' in refused('mixed.py')
