"""`tools/track.py`: what it writes, with which frame numbers, and how it refuses."""

import importlib.util
import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lamotr_mm.apis.inferencer import init_model, track_frames
from lamotr_mm.io.video_writer import VideoWriter
from lamotr_mm.models import LAMOTR

TOOL = Path(__file__).parents[2] / 'tools' / 'track.py'
NUMBER = r'-?\d+\.\d+'
ROW = re.compile(rf'\d+,\d+,{NUMBER},{NUMBER},{NUMBER},{NUMBER},[01]\.\d+,-1,-1,-1')


@pytest.fixture
def track(tiny_tracker, tmp_path, monkeypatch, capsys):
    """``track(input, *options)`` -> (exit status, stdout, stderr), in an empty folder."""
    spec = importlib.util.spec_from_file_location('track_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (tmp_path / 'cwd').mkdir()
    monkeypatch.chdir(tmp_path / 'cwd')

    def run(*arguments):
        given = [str(argument) for argument in arguments]
        if '--config' not in given:
            given += ['--config', tiny_tracker.config]
        if '--checkpoint' not in given:
            given += ['--checkpoint', tiny_tracker.checkpoint]
        try:
            tool.main([*given, '--device', 'cpu'])
            status = 0
        except SystemExit as error:
            status = error.code
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(6)]


@pytest.fixture
def folder(tmp_path, images):
    """Frames 21 to 26."""
    (tmp_path / 'walk').mkdir()
    for number, image in enumerate(images, 21):
        cv2.imwrite(str(tmp_path / 'walk' / f'{number:06d}.png'), image)
    return tmp_path / 'walk'


def read(path):
    return np.loadtxt(path, delimiter=',', ndmin=2)


def count_frames(path):
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
        return sum(1 for _ in container.decode(video=0))


def test_rows_and_video_of_some_frames(track, folder, images, tiny_tracker, tmp_path):
    options = ('--start', 22, '--end', 24, '--out', 'a/o.mp4', '--mot-out', 'b/o.txt')
    status, out, err = track(folder, *options)
    assert status == 0, err
    assert count_frames('a/o.mp4') == 3
    lines = Path('b/o.txt').read_text().splitlines()
    assert lines and all(ROW.fullmatch(line) for line in lines)
    rows = read('b/o.txt')
    # the same frames through the Python interface
    model = init_model(tiny_tracker.config, tiny_tracker.checkpoint)
    expected = []
    for number, _, sample in track_frames(model, zip((22, 23, 24), images[1:4])):
        found = sample.pred_track_instances
        for track_id, (x1, y1, x2, y2), score in zip(
            found.instances_id.tolist(), found.bboxes.tolist(), found.scores.tolist()
        ):
            expected.append([number, track_id, x1, y1, x2 - x1, y2 - y1, score, -1, -1, -1])
    np.testing.assert_allclose(rows, sorted(expected), atol=2e-4)
    assert '3/3 frames' in err and 'frames/s' in err
    assert f'3 frames, {len(np.unique(rows[:, 1]))} tracks' in out
    assert 'a/o.mp4' in out and 'b/o.txt' in out


def test_a_video_is_numbered_from_1(track, images, tmp_path):
    with VideoWriter(tmp_path / 'clip.mp4', 10) as writer:
        for image in images:
            writer.write(image)
    assert track(tmp_path / 'clip.mp4', '--mot-out', 'all.txt')[0] == 0
    assert np.unique(read('all.txt')[:, 0]).tolist() == [1, 2, 3, 4, 5, 6]
    assert track(tmp_path / 'clip.mp4', '--mot-out', 'late.txt', '--start', '5')[0] == 0
    late = read('late.txt')
    assert np.unique(late[:, 0]).tolist() == [5, 6]
    assert late[:, 1].min() == 1
    assert sorted(file.name for file in Path().iterdir()) == ['all.txt', 'late.txt']


def test_a_drawn_video_is_the_default(track, folder):
    assert track(folder)[0] == 0
    assert [file.name for file in Path().iterdir()] == ['walk_tracked.mp4']
    assert count_frames('walk_tracked.mp4') == 6


def refused(result, *words):
    status, _, err = result
    lines = [line for line in err.splitlines() if line.startswith('track.py: error: ')]
    assert status == 2
    assert len(lines) == 1 and err.splitlines()[-1] == lines[0]
    assert 'Traceback' not in err
    assert all(word in lines[0] for word in words), lines[0]


def test_a_corrupt_frame_leaves_no_file(track, folder):
    (folder / '000024.png').write_bytes((folder / '000024.png').read_bytes()[:40])
    refused(track(folder, '--out', 'o.mp4', '--mot-out', 'o.txt'), '000024.png', 'frame 24')
    assert not list(Path().iterdir())


def test_what_is_refused(track, folder, tmp_path):
    (tmp_path / 'text.pth').write_text('no weights')
    refused(track(tmp_path / 'none.mp4'), 'none.mp4')
    refused(track(folder, '--checkpoint', tmp_path / 'none.pth'), 'none.pth')
    refused(track(folder, '--checkpoint', tmp_path / 'text.pth'), 'text.pth')
    refused(track(folder, '--config', tmp_path / 'none.py'), 'none.py')
    refused(track(folder, '--start', 5, '--end', 4), 'end=4')
    refused(track(folder, '--start', 40), '21 to 26')
    refused(track(folder, '--out', 'o.avi'), 'o.avi', '.mp4')
    refused(track(folder, '--mot-out', '.'), 'folder')
    refused(track(folder, '--device', 'cpu', '--precision', 'fp16'), "'fp16' needs a GPU")
    assert not list(Path().iterdir())


def test_weights_of_another_config(track, folder, tiny_tracker, tmp_path):
    other = tmp_path / 'other.py'
    other.write_text(f'_base_ = {tiny_tracker.config!r}\nmodel = dict(sgla=dict(ffn_dims=48))\n')
    refused(track(folder, '--config', other), 'tiny.pth', 'of another model')


def test_the_input_is_never_overwritten(track, images, tmp_path):
    path = tmp_path / 'clip.mp4'
    with VideoWriter(path, 10) as writer:
        writer.write(images[0])
    before = path.read_bytes()
    refused(track(path, '--out', path), 'is the input')
    refused(track(path, '--out', 'x.mp4', '--mot-out', 'x.mp4'), 'two outputs')
    assert path.read_bytes() == before


def test_ctrl_c_leaves_no_file(track, folder, monkeypatch):
    def interrupted(model, inputs, data_samples, **kwargs):
        if data_samples[0][0].frame_id == 2:
            raise KeyboardInterrupt
        return predict(model, inputs, data_samples, **kwargs)

    predict = LAMOTR.predict
    monkeypatch.setattr(LAMOTR, 'predict', interrupted)
    status, _, err = track(folder, '--out', 'o.mp4', '--mot-out', 'o.txt')
    assert status == 130 and 'interrupted' in err and 'Traceback' not in err
    assert not list(Path().iterdir())
