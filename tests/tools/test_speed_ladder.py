"""`tools/analysis/speed_ladder.py`: sizes, the table by hand, what is kept, no timings."""

import importlib.util
import json
from pathlib import Path

import cv2
import pytest

from lamotr_mm.apis.inferencer import init_model

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis' / 'speed_ladder.py'


@pytest.fixture
def tool(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location('speed_ladder', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    return module


def made_up(parameters: int, ms: float) -> dict:
    stages = dict.fromkeys(('backbone', 'neck', 'encoder', 'sotd', 'sgla'), ms / 5)
    return dict(
        size=[64, 96],
        parameters=dict(total=parameters, frozen=500_000),
        flops=dict(total=12_340_000_000),
        ms={'1': {**stages, 'total': ms}, '2': {**stages, 'total': ms / 2}},
    )


def test_the_default_configs_exist(tool):
    configs = tool.make_parser().parse_args([]).configs
    assert len(configs) == 6 and all(Path(config).is_file() for config in configs)


def test_the_size_that_the_network_sees(tool):
    """768x576 px at a short side of 256 px is 341x256, padded to 352; 640x352 px leave 469x352,
    padded to 480."""
    for name, expected in (('lamotr_lite_people', (256, 352)), ('lamotr_pets', (352, 480))):
        model = init_model(tool.CONFIGS / f'{name}.py')
        assert tool.network_size(model, (576, 768)) == expected


def test_the_table_by_hand(tool):
    small = made_up(0, 50)
    for ms in small['ms'].values():
        ms['proposals'] = 7.2
    text = tool.table({'big': made_up(2_500_000, 400), 'small': small}, [1, 2], {'big': 61.24})
    lines = text.splitlines()
    assert lines[2:] == [
        '| `big` | 64x96 | 3.0M | 12.3 | 1 | 80 | 80 | 80 |  | 80 | 80 | 400 | 61.2 |',
        '| `big` | 64x96 | 3.0M | 12.3 | 2 | 80 | 80 | 80 |  | 80 | 80 | 200 | 61.2 |',
        '| `small` | 64x96 | 0.5M | 12.3 | 1 | 10 | 10 | 10 | 7 | 10 | 10 | 50 | untrained |',
        '| `small` | 64x96 | 0.5M | 12.3 | 2 | 10 | 10 | 10 | 7 | 10 | 10 | 25 | untrained |',
    ]
    assert {line.count('|') for line in lines} == {14}


def test_measures_what_is_not_there_yet_and_draws(tool, tiny_tracker, capsys, monkeypatch):
    Path('a.json').write_text(json.dumps(dict(older=made_up(2_500_000, 400))))
    options = ['--frame', '64', '96', '--tracklets', '3', '--threads', '1', '--repeat', '1']
    options += ['--cpu-time', '--json', 'a.json', '--out', 'a.png', '--hota', 'older=50']
    tool.main(['older.py', tiny_tracker.config, *options])
    first = capsys.readouterr().out
    assert '| `older` |' in first and '| `tiny` |' in first
    saved = json.loads(Path('a.json').read_text())
    assert list(saved) == ['older', 'tiny'] and list(saved['tiny']['ms']) == ['1']
    assert saved['tiny']['ms']['1']['total'] > 0
    picture = cv2.imread('a.png')
    assert picture is not None and picture.min() < 50 < 200 < picture.max()
    monkeypatch.setattr(tool, 'init_model', None)
    tool.main(['older.py', tiny_tracker.config, *options])
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ('options', 'word'),
    [
        (['none.py'], 'none.py'),
        (['--threads', '0'], 'whole numbers'),
        (['--hota', 'lamotr_pets'], 'CONFIG=HOTA'),
        (['--cpu-time'], '--threads 1'),
    ],
)
def test_what_is_refused(tool, options, word, capsys):
    with pytest.raises(SystemExit, match='2'):
        tool.main(options)
    assert word in capsys.readouterr().err.splitlines()[-1]
