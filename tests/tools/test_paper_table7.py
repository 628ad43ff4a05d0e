"""`tools/analysis/paper_table7.sh`: the paper's rows, and one that is measured."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / 'tools' / 'analysis' / 'paper_table7.sh'


@pytest.fixture
def table7():
    spec = importlib.util.spec_from_file_location('table7', SCRIPT.with_suffix('.py'))
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def rows(text: str) -> list[tuple[str, ...]]:
    return re.findall(r'│\s*(\S+)\s*│\s*([\d.]+M)\s*│\s*([\d.]+)\s*│\s*(paper|measured here)', text)


def test_the_table(table7, capsys):
    table7.main(['--device', 'cpu', '--img-size', '64', '96', '--repeat', '1'])
    out = capsys.readouterr().out
    *paper, measured = rows(out)
    assert paper == [
        ('MOTR', '43.91M', '13.47', 'paper'),
        ('MeMOTR', '50.13M', '12.33', 'paper'),
        ('LA-MOTR', '50.29M', '11.96', 'paper'),
    ]
    assert measured[:2] == ('LA-MOTR', '50.29M') and measured[3] == 'measured here'
    assert float(measured[2]) > 0
    assert '64x96 px' in out and torch.__version__ in out and '1 thread(s)' in out
    assert re.search(r'commit [0-9a-f]{7}|version \d', out)


def test_frames_per_second_are_those_of_the_whole_frame(table7, monkeypatch, capsys, tiny_tracker):
    calls = []

    def measure(model, *arguments):
        calls.append(arguments)
        return dict(backbone=10.0, total=250.0)

    monkeypatch.setattr(table7, 'measure', measure)
    table7.main(['--device', 'cpu', '--config', tiny_tracker.config])
    assert calls == [((800, 1422), 8, 1)]
    assert rows(capsys.readouterr().out)[-1][2] == '4.00'


def test_the_script_passes_arguments_on():
    assert os.access(SCRIPT, os.X_OK)
    done = subprocess.run(
        [SCRIPT, '--device', 'abacus'],
        env=os.environ | dict(PYTHON=sys.executable),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert 'error: device abacus cannot be used' in last


def test_what_is_refused(table7, capsys):
    for arguments, word in (
        (['--config', 'none.py'], 'none.py'),
        (['--repeat', '0'], '--repeat'),
        (['--img-size', '0', '9'], '--img-size'),
    ):
        with pytest.raises(SystemExit) as stop:
            table7.main(arguments)
        assert stop.value.code == 2 and word in capsys.readouterr().err.splitlines()[-1]
