"""An exported folder where neither PyTorch nor OpenMMLab can be imported, and what it refuses."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamotr_mm.apis import cli
from lamotr_mm.deploy.runtime import ExportedModel
from lamotr_mm.deploy.settings import Settings
from lamotr_mm.io.mot_rows import read_rows
from lamotr_mm.tracking.state import TrackletState

# the command in a process in which these packages are not there
WITHOUT = """
import sys
absent = ('torch', 'mmengine', 'mmcv', 'mmdet', 'trackeval', 'numba', 'onnx', 'onnxscript')
for name in absent:
    sys.modules[name] = None
from lamotr_mm.apis.cli import main
main()
"""


def lamotr(*arguments, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-c', WITHOUT, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=dict(PYTHONPATH=':'.join(filter(None, sys.path)), OMP_NUM_THREADS='1'),
    )


@pytest.fixture
def broken(exported, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(exported.folder, tmp_path / 'copy'))


def test_track_without_torch_as_with_it(exported, walk, tmp_path):
    done = lamotr(
        'track', walk, '--backend', 'onnxruntime', '--model', exported.folder,
        '--mot-out', 'a.txt', '--out', 'a.mp4', folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('12 frames, ')
    assert cv2.VideoCapture(str(tmp_path / 'a.mp4')).read()[0]
    own = ('--model', exported.config, '--weights', exported.checkpoint, '--device', 'cpu')
    cli.run(['track', str(walk), *own, '--mot-out', str(tmp_path / 'b.txt')])
    found, expected = (read_rows(tmp_path / name) for name in ('a.txt', 'b.txt'))
    assert len(found) > 12
    assert np.array_equal(found[:, :2], expected[:, :2])
    np.testing.assert_allclose(found[:, 2:7], expected[:, 2:7], atol=0.05)


def test_what_needs_torch_says_so(walk, tmp_path):
    for command in (['track', walk], ['info'], ['eval', walk, walk]):
        done = lamotr(*command, folder=tmp_path)
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert 'needs torch >= 2.4.0' in line and 'pip install' in line
    assert not list(tmp_path.iterdir())


def refused(capsys, *arguments) -> str:
    with pytest.raises(SystemExit):
        cli.run(['track', *map(str, arguments), '--backend', 'onnxruntime', '--mot-out', 'x.txt'])
    *_, line = capsys.readouterr().err.splitlines()
    return line


def test_wrong_use_is_one_line(exported, walk, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert 'has no model.json' in refused(capsys, walk)  # the default is a name of a model
    assert '--device' in refused(capsys, walk, '--model', exported.folder, '--device', 'cpu')
    cv2.imwrite('other.png', np.zeros((100, 144, 3), np.uint8))
    model = ExportedModel(exported.folder)
    settings = model.settings.preprocessing
    object.__setattr__(settings, 'scale', None)
    object.__setattr__(settings, 'img_shape', (96, 144))
    with pytest.raises(ValueError, match=r'144x100 px .* exported for 144x96.* --frame 100 144'):
        model.prepare(cv2.imread('other.png'))
    with pytest.raises(ValueError, match='expected uint8'):
        model.prepare(np.zeros((96, 144), np.uint8))
    assert [file.name for file in tmp_path.iterdir()] == ['other.png']


def test_settings_are_read_as_they_were_written(exported, tmp_path):
    settings = Settings.read(exported.folder)
    settings.write(tmp_path)
    assert Settings.read(tmp_path) == settings
    assert settings.classes == ('bee', 'wasp') and settings.precision == 'fp32'
    assert settings.num_objects == 12 and settings.slots == 4
    names = [field.name for field in settings.state]
    assert names == list(TrackletState._fields)


def test_broken_folders_are_named(broken):
    content = json.loads((broken / 'model.json').read_text())
    (broken / 'model.json').write_text(json.dumps(content | {'format': 2}))
    with pytest.raises(ValueError, match=r'model\.json has format 2, .* reads 1: .*lamotr_mm \d'):
        ExportedModel(broken)
    for text in ('{', '[]', json.dumps({'format': 1}), json.dumps(content | {'extra': 1})):
        (broken / 'model.json').write_text(text)
        with pytest.raises(ValueError, match=r'model\.json cannot be read .*export it again'):
            ExportedModel(broken)
    newer = content | {'lifecycle': content['lifecycle'] | {'patience': 3}}
    (broken / 'model.json').write_text(json.dumps(newer))
    with pytest.raises(ValueError, match=r'lifecycle in .*patience.*lamotr_mm \d'):
        ExportedModel(broken)
    (broken / 'model.json').write_text(json.dumps(content))
    (broken / 'update.onnx').write_bytes((broken / 'update.onnx').read_bytes()[:-100])
    with pytest.raises(ValueError, match=r'update\.onnx cannot be read'):
        ExportedModel(broken)
    (broken / 'update.onnx').unlink()
    with pytest.raises(ValueError, match=r'update\.onnx is missing: copy the whole folder'):
        ExportedModel(broken)


def test_no_onnxruntime(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ValueError, match=r'onnxruntime is not installed: .*lamotr_mm\[onnx\]'):
        ExportedModel(exported.folder)


def test_scores_that_are_not_finite_end_it(exported, walk):
    model = ExportedModel(exported.folder)
    images = np.full((1, 3, *model.settings.preprocessing.padded), np.nan, np.float32)
    with pytest.raises(FloatingPointError, match='not finite'):
        model.track_frame(model.new_session(), model.encode(images), (96, 144))
