"""`tools/analysis/attention_speed.py`: what it times are the two implementations of one op."""

import importlib.util
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool():
    path = ROOT / 'tools/analysis/attention_speed.py'
    spec = importlib.util.spec_from_file_location('attention_speed', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_case_and_pass_is_printed(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'CASES', ((2, 4, [(3, 5), (2, 2)]),))
    calls = []
    for name in ('multi_scale_deformable_attn_pytorch', 'multi_scale_deformable_attn_numba'):
        plain = getattr(tool, name)
        monkeypatch.setattr(
            tool,
            name,
            lambda *args, plain=plain: calls.append(plain(*args).detach()) or plain(*args),
        )
    tool.main()
    printed = capsys.readouterr().out
    assert printed.count('forward + backward') == 1 and ' 19 ' in printed
    assert len(calls) == 16  # 2 passes, 2 implementations, 4 calls each
    for output in calls[1:]:
        torch.testing.assert_close(output, calls[0])
