"""`prepare_people.py`: two scenes, and a part of the training frames to choose settings on."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
# name -> frames in MOT15, frames that are used, fps
SCENES = {'PETS09-S2L1': (795, 600, 7), 'ADL-Rundle-6': (525, 450, 30)}
# of each split, PETS first
SPLITS = {
    'train': [(1, 450), (1, 350)],
    'val': [(451, 600), (351, 450)],
    'fit': [(1, 360), (1, 280)],
    'dev': [(361, 450), (281, 350)],
    'pets-train': [(1, 450)],
    'adl-train': [(1, 350)],
    'pets-val': [(451, 600)],
    'adl-val': [(351, 450)],
}


def prepare(*arguments):
    """Exit status of the tool."""
    spec = importlib.util.spec_from_file_location(
        'tool_prepare_people', ROOT / 'tools' / 'dataset_converters' / 'prepare_people.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(list(map(str, arguments)))


@pytest.fixture(scope='module')
def mot15(tmp_path_factory):
    """Both sequences as MOT15 has them: id 1 everywhere, id 2 in every second frame."""
    root = tmp_path_factory.mktemp('train')
    image = cv2.imencode('.jpg', np.zeros((32, 48, 3), np.uint8))[1].tobytes()
    for name, (full, _, _) in SCENES.items():
        (root / name / 'img1').mkdir(parents=True)
        (root / name / 'gt').mkdir()
        for number in range(1, full + 1):
            (root / name / 'img1' / f'{number:06d}.jpg').write_bytes(image)
        rows = [
            f'{frame},{i},{frame % 20},{i},6.5,9,1,-1,-1,-1'
            for i in (1, 2)
            for frame in range(i, full + 1, i)
        ]
        (root / name / 'gt' / 'gt.txt').write_text('\n'.join(rows))
    return root


def annotations(out, split):
    """(scene, original frame) -> original ids, and the file's content."""
    content = json.loads((out / 'annotations' / f'{split}.json').read_text())
    videos = {video['id']: video for video in content['videos']}
    frames = {
        image['id']: (videos[image['video_id']]['name'], image['mot_frame_id'])
        for image in content['images']
    }
    ids = {key: set() for key in frames.values()}
    for annotation in content['annotations']:
        ids[frames[annotation['image_id']]].add(annotation['mot_instance_id'])
    return ids, content


def test_splits(mot15, tmp_path, capsys):
    out = tmp_path / 'people'
    assert prepare(*(mot15 / name for name in SCENES), '--out', out) == 0
    assert sorted(f.stem for f in (out / 'annotations').iterdir()) == sorted(SPLITS)
    for split, bounds in SPLITS.items():
        names = ['ADL-Rundle-6'] if split.startswith('adl-') else list(SCENES)[: len(bounds)]
        frames, content = annotations(out, split)
        expected = [
            (name, n) for name, (a, b) in zip(names, bounds, strict=True) for n in range(a, b + 1)
        ]
        assert list(frames) == expected
        assert [(v['name'], v['fps']) for v in content['videos']] == [
            (name, SCENES[name][2]) for name in names
        ]
        assert all(ids == ({1, 2} if n % 2 == 0 else {1}) for (_, n), ids in frames.items())
        for image in content['images']:
            assert (out / image['file_name']).is_file()
        # ids of the two scenes are different people
        instances = {(a['instance_id'], a['mot_instance_id']) for a in content['annotations']}
        assert len(instances) == len({i for i, _ in instances}) == 2 * len(names)

    keys = {split: set(annotations(out, split)[0]) for split in SPLITS}
    assert not keys['train'] & keys['val'] and not keys['fit'] & keys['dev']
    assert keys['fit'] | keys['dev'] == keys['train']
    for split in ('train', 'val'):
        assert keys[f'pets-{split}'] | keys[f'adl-{split}'] == keys[split]
    for name, (_, used, _) in SCENES.items():
        assert len(list((out / name / 'img1').iterdir())) == used
    printed = capsys.readouterr().out
    assert 'dev: frames 281-350 of ADL-Rundle-6, 105 boxes of 2 people' in printed
    assert 'adl-val: frames 351-450, 150 boxes of 2 people' in printed


def test_a_broken_scene_is_named_before_any_frame_is_copied(mot15, tmp_path, capsys):
    out = tmp_path / 'people'
    assert prepare(mot15 / 'PETS09-S2L1', tmp_path, '--out', out) == 1
    assert 'gt.txt does not exist: SRC is the folder of ADL-Rundle-6' in capsys.readouterr().err
    assert not out.exists()


def test_real_scenes(lamotr_data, tmp_path, capsys):
    """Numbers of the data's description; frames themselves are `test_prepare_pets.py`'s."""
    if not (lamotr_data / 'adl_rundle_6').is_dir():
        pytest.skip('LAMOTR_DATA has no adl_rundle_6/')
    sources = lamotr_data / 'pets09_s2l1', lamotr_data / 'adl_rundle_6'
    assert prepare(*sources, '--out', tmp_path) == 0
    printed = capsys.readouterr().out
    assert 'train: frames 1-450 of PETS09-S2L1, 2528 boxes of 11 people' in printed
    content = annotations(tmp_path, 'train')[1], annotations(tmp_path, 'val')[1]
    boxes = [len(c['annotations']) for c in content]
    assert sum(boxes) == 2528 + 767 + 4224
    assert sorted({(v['width'], v['height']) for v in content[0]['videos']}) == [
        (768, 576),
        (960, 540),
    ]
