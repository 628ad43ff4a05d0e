"""`tools/analysis/compare_precision.py`: differences by hand, emulated against native products."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import imwrite
from mmengine.structures import InstanceData

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis' / 'compare_precision.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('compare_precision_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tracks(ids, first_side=0.0, score=0.9):
    boxes = torch.tensor([[10.0 * i, 0, 10 * i + 8, 20] for i in ids]).reshape(-1, 4)
    if len(ids):
        boxes[0, 0] += first_side
    return InstanceData(
        bboxes=boxes, scores=torch.full((len(ids),), score), instances_id=torch.tensor(ids)
    )


def test_differences_by_hand(tool):
    full = [tracks([1, 2]), tracks([1, 3]), tracks([])]
    half = [tracks([1, 2], 0.5), tracks([4, 3], score=0.8), tracks([])]
    result = tool.compare(full, half)
    assert (result['boxes'], result['alone']) == (4, 2)
    # sides of the tracks 1, 2 and 3: one is off by 0.5
    assert (result['px median'], result['px max']) == (0, 0.5)
    assert result['score max'] == pytest.approx(0.1)
    assert result['same'] == pytest.approx(2 / 3)


def test_ids_are_compared_up_to_renaming(tool):
    """A birth more in one run shifts its later numbers; an exchange of two ids is a difference."""

    def shifted(frame, names):
        frame.instances_id = torch.tensor([names[int(i)] for i in frame.instances_id])
        return frame

    full = [tracks([1]), tracks([1, 2]), tracks([2, 1, 3]), tracks([])]
    half = [tracks([1, 9]), *(tracks(f.instances_id.tolist()) for f in full[1:])]
    half = [shifted(frame, {1: 2, 9: 1, 2: 3, 3: 4}) for frame in half]
    result = tool.compare(full, half)
    assert (result['alone'], result['same'], result['px max']) == (1, 0.75, 0)
    exchanged = [*full[:2], shifted(tracks([2, 1, 3]), {1: 2, 2: 1, 3: 3}), full[3]]
    result = tool.compare(full, exchanged)
    assert result['alone'] == 0 and result['px max'] == 10


def test_nothing_in_common(tool):
    result = tool.compare([tracks([1])], [tracks([2])])
    assert (result['alone'], result['same']) == (2, 0) and np.isnan(result['px max'])


def test_emulated_products_are_those_of_bfloat16(tool):
    torch.manual_seed(0)
    linear, conv = torch.nn.Linear(16, 8), torch.nn.Conv2d(3, 4, 3)
    flat, image = torch.randn(5, 16), torch.randn(1, 3, 8, 8)
    functions = [
        lambda: linear(flat),
        lambda: conv(image),
        lambda: flat @ linear.weight.T,
        lambda: torch.bmm(flat[None], linear.weight.T[None]),
    ]
    for function in functions:
        with torch.autocast('cpu', torch.bfloat16), torch.no_grad():
            native = function()
            with tool.EmulatedBFloat16():
                emulated = function()
        assert emulated.dtype == native.dtype == torch.bfloat16
        torch.testing.assert_close(emulated, native, rtol=2**-7, atol=2**-9)


def test_the_tool(tool, tiny_tracker, tmp_path, capsys):
    random = np.random.default_rng(0)
    for number in (1, 2):
        frame = random.integers(0, 255, (64, 96, 3), dtype=np.uint8)
        imwrite(frame, str(tmp_path / 'frames' / f'{number:06d}.png'))
    command = [tiny_tracker.config, tiny_tracker.checkpoint, str(tmp_path / 'frames')]
    tool.main([str(part) for part in (*command, '--emulate', '--device', 'cpu')])
    assert 'px median' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tool.main([*map(str, command), '--emulate', '--precision', 'fp16', '--device', 'cpu'])
    assert '--emulate is for --precision bf16 --device cpu' in capsys.readouterr().err
