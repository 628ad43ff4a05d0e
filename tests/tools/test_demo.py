"""`tools/demo.py` on a short scene and a tiny model, and with the shipped weights."""

import importlib.util
import re
from pathlib import Path

import av
import cv2
import pytest
import torch
from mmengine.structures import InstanceData

from lamotr_mm.datasets.synthetic.render import get_scene
from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.io.mot_rows import read_rows
from lamotr_mm.models import LAMOTR
from lamotr_mm.preparation.synthetic_export import write_sequence

ROOT = Path(__file__).parents[2]
TRACKED = {f'synthetic_tracked.{suffix}' for suffix in ('mp4', 'txt', 'png')}


@pytest.fixture
def demo(monkeypatch):
    spec = importlib.util.spec_from_file_location('demo_tool', ROOT / 'tools' / 'demo.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.fixture
def short(demo, monkeypatch):
    scene = SceneSpec(seed=20_000, difficulty=1, length=4)
    monkeypatch.setattr(demo, 'SCENE', scene)
    return scene


def arguments(tiny_tracker, out_dir):
    config, checkpoint = tiny_tracker
    return ['--config', config, '--checkpoint', checkpoint, '--out-dir', str(out_dir)]


def count_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_the_scene_is_held_out(demo):
    assert demo.SCENE.seed >= 20_000 and demo.SCENE.length == 60


def test_synthetic(demo, short, tiny_tracker, tmp_path, capsys):
    demo.main(arguments(tiny_tracker, tmp_path))
    out = capsys.readouterr().out
    assert 'HOTA' in out and 'IDF1' in out and '| synthetic' in out
    sequence = tmp_path / short.name
    assert {file.name for file in tmp_path.iterdir()} == TRACKED | {short.name}
    assert all(str(tmp_path / name) in out for name in TRACKED)
    assert str(sequence / f'{short.name}.mp4') in out
    assert len(read_rows(sequence / 'gt' / 'gt.txt')) > 0
    assert count_frames(tmp_path / 'synthetic_tracked.mp4') == 4
    assert cv2.imread(str(tmp_path / 'synthetic_tracked.png')).ndim == 3


def test_perfect_tracks_score_100(demo, short, tiny_tracker, tmp_path, capsys, monkeypatch):
    """Frame numbers of the video, its ground truth and the tracks agree."""
    scene = get_scene(short)

    def oracle(model, inputs, data_samples, **kwargs):
        (sample,) = data_samples
        frame = scene.render(sample[0].frame_id)
        sample[0].pred_track_instances = InstanceData(
            bboxes=torch.from_numpy(frame.boxes_xyxy),
            scores=torch.ones(len(frame.instance_ids)),
            instances_id=torch.from_numpy(frame.instance_ids),
        )
        return [sample]

    monkeypatch.setattr(LAMOTR, 'predict', oracle)
    demo.main(arguments(tiny_tracker, tmp_path))
    line = next(line for line in capsys.readouterr().out.splitlines() if 'combined' in line)
    # HOTA, DetA, AssA, LocA, MOTA, IDF1
    assert re.findall(r'[\d.]+', line)[:6] == ['100.00'] * 6


def test_own_video(demo, short, tiny_tracker, tmp_path, capsys):
    sequence = write_sequence(short, tmp_path)
    (sequence / f'{short.name}.mp4').rename(tmp_path / 'mine.mp4')
    out_dir = tmp_path / 'out'
    demo.main([*arguments(tiny_tracker, out_dir), '--video', str(tmp_path / 'mine.mp4')])
    expected = {f'mine_tracked.{suffix}' for suffix in ('mp4', 'txt', 'png')}
    assert {file.name for file in out_dir.iterdir()} == expected
    assert 'HOTA' not in capsys.readouterr().out


@pytest.mark.parametrize('missing', ['--checkpoint', '--video', '--config'])
def test_what_is_missing_is_named(demo, tiny_tracker, tmp_path, capsys, missing):
    with pytest.raises(SystemExit) as caught:
        demo.main([*arguments(tiny_tracker, tmp_path / 'out'), missing, 'nowhere.x'])
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith('demo.py: error: ') and 'nowhere.x' in last
    assert not (tmp_path / 'out').exists()


def test_the_shipped_weights_track(demo, tmp_path, capsys):
    weights = ROOT / 'demo' / 'weights' / 'lamotr_synthetic.pth'
    if not weights.is_file():
        pytest.skip(f'{weights.relative_to(ROOT)} is not there: make train-demo')
    demo.main(['--out-dir', str(tmp_path), '--device', 'cpu'])
    hota = float(re.search(r'\| combined\s*\|\s*([\d.]+)', capsys.readouterr().out)[1])
    assert hota > 30  # untrained: 0
