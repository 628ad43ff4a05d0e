"""`tools/analysis/train_speed.py`: which settings are measured and what is printed."""

import importlib.util
from pathlib import Path

import pytest

from lamotr_mm.apis.train_speed import TrainCost

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs' / 'lamotr_synthetic.py')


@pytest.fixture
def tool():
    path = ROOT / 'tools/analysis/train_speed.py'
    spec = importlib.util.spec_from_file_location('train_speed_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('units', [True, False])
def test_a_row_a_setting(tool, monkeypatch, capsys, units):
    calls = []

    def measured(config, setting, *how):
        calls.append((setting, how))
        return TrainCost(len(calls) / 8, 40.4, 1000.0 + len(calls), 500.0)

    monkeypatch.setattr(tool, 'measure_apart', measured)
    monkeypatch.setattr(tool, 'cpu_has_bf16', lambda: units)
    tool.main([CONFIG, '--batch', '1', '3', '--steps', '2', '--cpu-time'])
    printed = capsys.readouterr().out
    half = [False, True] if units else [False]
    expected = [(b, cp, amp) for b in (1, 3) for cp in (False, True) for amp in half]
    assert [tuple(setting) for setting, _ in calls] == expected
    assert {how for _, how in calls} == {('cpu', 2, 1, tool.time.process_time)}
    assert ('no bfloat16 units' in printed) != units and 'CPU time' in printed
    rows = [line.strip('│').split('│') for line in printed.splitlines() if line[:1] == '│']
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells == [
        [
            *(str(b), 'yes' if cp else 'no', 'half' if amp else 'fp32'),
            *(f'{number / 8:.3f}', str(1000 + number), '500', '40'),
        ]
        for number, (b, cp, amp) in enumerate(expected, 1)
    ]


def test_what_is_refused(tool, capsys):
    for arguments, word in (
        (('none.py',), 'none.py'),
        ((CONFIG, '--batch', '0'), '--batch'),
        ((CONFIG, '--cfg-options', 'optimwrapper.lr=1'), 'optim_wrapper'),
    ):
        with pytest.raises(SystemExit) as stop:
            tool.main(list(arguments))
        error = capsys.readouterr().err
        assert stop.value.code == 2 and 'Traceback' not in error
        assert word in error.splitlines()[-1]
