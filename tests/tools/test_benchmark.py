"""`tools/benchmark.py`: counts against the weights, the form of the result, no timings."""

import importlib.util
import json
import math
from pathlib import Path

import pytest

from lamotr_mm.apis.benchmark import count_parameters, measure
from lamotr_mm.apis.inferencer import init_model

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmark.py'
STAGES = {'backbone', 'neck', 'encoder', 'sotd', 'sgla', 'update', 'lifecycle', 'total'}


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """``bench(*arguments)`` -> (exit status, stdout, stderr)."""
    spec = importlib.util.spec_from_file_location('benchmark_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            tool.main([str(argument) for argument in arguments])
            status = 0
        except SystemExit as error:
            status = error.code
        return (status, *capsys.readouterr())

    return run


def test_result(bench, tiny_tracker):
    # 9 tracklets do not fit the 4 slots that the model starts with
    size = ('--img-size', 64, 96, '--repeat', 1)
    status, out, err = bench(tiny_tracker.config, *size, '--tracklets', 0, 9, '--json', 'b.json')
    assert status == 0, err
    result = json.loads(Path('b.json').read_text())
    assert set(result) == {'parameters', 'flops', 'ms'}
    assert set(result['ms']) == set(result['flops']) == {'0', '9'}
    for parts in result['flops'].values():
        assert set(parts) == STAGES - {'lifecycle'}
    assert 'GFLOPs (multiply-adds) of a frame, 64x96 px' in out
    for stages in result['ms'].values():
        assert set(stages) == STAGES
        assert all(math.isfinite(ms) and ms > 0 for ms in stages.values())
    parameters = result['parameters']
    assert set(parameters) == STAGES - {'lifecycle'}
    assert sum(n for part, n in parameters.items() if part != 'total') == parameters['total']
    assert f'{parameters["total"]:,}' in out and '(frozen)' in out and '64x96 px' in out


def test_counts_by_module(tiny_tracker):
    model = init_model(tiny_tracker.config)
    model.neck.requires_grad_(False)
    counts = count_parameters(model)
    frozen = sum(math.prod(p.shape) for p in model.neck.parameters())
    by_prefix = {
        prefix: sum(
            math.prod(p.shape)
            for name, p in model.named_parameters()
            if name.startswith(f'{prefix}.') and prefix != 'neck' and p.requires_grad
        )
        for prefix in ('backbone', 'neck', 'encoder', 'sotd_head', 'sgla', 'tracklet_update')
    }
    parts = ('backbone', 'neck', 'encoder', 'sotd', 'sgla', 'update')
    assert [counts[part] for part in parts] == list(by_prefix.values())
    assert counts['total'] == sum(by_prefix.values())
    assert counts['neck'] == 0 and counts['frozen'] >= frozen > 0


def test_measuring_leaves_the_model_as_it_was(tiny_tracker):
    model = init_model(tiny_tracker.config)
    measure(model, (64, 96), 3, repeat=1)
    assert model._session is None
    assert 'step' not in vars(model.lifecycle)
    assert 'forward' not in vars(model.backbone)


def test_what_is_refused(bench, tiny_tracker):
    for arguments, word in (
        (('none.py',), 'none.py'),
        ((tiny_tracker.config, '--checkpoint', 'none.pth'), 'none.pth'),
        ((tiny_tracker.config, '--json', '.'), 'folder'),
        ((tiny_tracker.config, '--tracklets', '-1'), '-1'),
        ((tiny_tracker.config, '--repeat', '0'), '0'),
        ((tiny_tracker.config, '--device', 'abacus'), 'abacus'),
    ):
        status, _, err = bench(*arguments)
        assert status == 2 and 'Traceback' not in err
        assert word in err.splitlines()[-1]
    assert not list(Path().iterdir())
