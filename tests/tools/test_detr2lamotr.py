"""`tools/model_converters/detr2lamotr.py`: from published files to trainings that start there."""

import argparse
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
# the published layouts
sys.path.append(str(ROOT / 'tests' / 'weights'))
from official_layouts import SMALL, config_keys, make_state  # noqa: E402

BASES = [
    str(CONFIGS / '_base_' / name)
    for name in (
        'lamotr_r50.py',
        'datasets/synthetic.py',
        'schedules/adamw_18e.py',
        'default_runtime.py',
    )
]


def load_tool(name: str):
    spec = importlib.util.spec_from_file_location(Path(name).name, ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_config(kind: str = 'dab', **keys) -> str:
    """Config of a model for the small checkpoints of ``kind`` on synthetic videos."""
    Path('bases.py').write_text(f'_base_ = {BASES!r}\n')
    config = Config.fromfile('bases.py', import_custom_modules=False)
    values = config_keys(kind, SMALL) | keys
    config.merge_from_dict({f'model.{key}': value for key, value in values.items()})
    config.dump('config.py')
    return 'config.py'


def write_source(kind: str = 'dab', **changes) -> dict:
    """``in.pth`` as the official code saves it; its weights."""
    state = make_state(kind, SMALL) | changes
    args = argparse.Namespace(lr=2e-4, num_queries=SMALL.queries)
    torch.save(dict(model=state, optimizer=dict(state={}), epoch=49, args=args), 'in.pth')
    return state


def convert(*options: str, out: str = 'data/out.pth') -> None:
    load_tool('model_converters/detr2lamotr').main(
        ['in.pth', out, '--config', 'config.py', *options]
    )


def refusal(capsys, *options: str) -> str:
    """The one line with which the tool refuses; it leaves no file."""
    with pytest.raises(SystemExit) as caught:
        convert(*options)
    assert caught.value.code == 2
    assert not Path('data').exists() or not list(Path('data').iterdir())
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('detr2lamotr.py: error: ')
    return line


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COLUMNS', '200')
    return tmp_path


@pytest.mark.parametrize('kind', ['dab', 'memotr'])
def test_file_and_report(kind, capsys):
    write_config(kind)
    write_source(kind)
    convert()
    assert [file.name for file in Path('data').iterdir()] == ['out.pth']
    written = torch.load('data/out.pth', weights_only=True)
    name = {'dab': 'DAB-Deformable-DETR', 'memotr': 'MeMOTR'}[kind]
    digest = hashlib.sha256(Path('in.pth').read_bytes()).hexdigest()
    assert written['meta'] == dict(converted_from=name, file='in.pth', sha256=digest)
    # nothing but the weights is in the file
    size = sum(value.nbytes for value in written['state_dict'].values())
    assert os.path.getsize('data/out.pth') < size * 1.5
    shown = capsys.readouterr().out
    for text in (
        f'{name} -> LA-MOTR',
        'transformer.encoder.layers.*.norm1.**',
        'sotd_head.cls_branches.*.**',
        'rows 1; the others are other classes' if kind == 'dab' else 'rows 0',
        'a copy of bbox_embed',
        'sgla.layers.*.',
        'keeps its initial value',
        'entries of the file that are no weights: optimizer, epoch, args',
        f'data/out.pth: {len(written["state_dict"])} tensors',
    ):
        assert text in shown, text
    if kind == 'memotr':
        assert "MeMOTR's memory of tracks" in shown
        assert 'columns of x, y, w, h -> y, x, w, h' in shown


def test_training_starts_from_the_file(capfd):
    """`tools/train.py` with `load_from`; at learning rate 0 its checkpoint has these weights."""
    write_config()
    write_source()
    convert()
    options = [
        'load_from=data/out.pth',
        'model.clip_tracklets.score_thr=0.0',
        'optim_wrapper.optimizer.lr=0.0',
        'train_cfg.max_epochs=1',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'train_dataloader.dataset.num_videos=1',
        'train_dataloader.dataset.video_length=2',
        'val_dataloader=None',
        'val_evaluator=None',
        'val_cfg=None',
        f'experiment_name=detr2lamotr_{os.getpid()}',
    ]
    capfd.readouterr()
    load_tool('train').main(['config.py', '--work-dir', 'run', '--cfg-options', *options])
    trained = torch.load('run/epoch_1.pth', weights_only=False)['state_dict']
    for name, value in torch.load('data/out.pth', weights_only=True)['state_dict'].items():
        assert torch.equal(trained[name], value), name
    # mmengine names what the file lacks: association alone
    printed = ''.join(capfd.readouterr())
    assert 'Load checkpoint from data/out.pth' in printed
    assert 'unexpected key' not in printed and 'size mismatch' not in printed
    (line,) = (line for line in printed.splitlines() if 'missing keys in source' in line)
    missing = line.split(':')[-1].split(',')
    assert missing and all(name.strip().startswith('sgla.') for name in missing)


def test_settings_are_named_once_for_all(capsys):
    """What the tool asks for is what it then accepts."""
    write_config('memotr', **{'encoder.positional_encoding.temperature': 10000})
    write_source('memotr')
    line = refusal(capsys)
    key = 'model.encoder.positional_encoding.temperature=20'
    assert 'in.pth with config.py' in line and f'--cfg-options {key} (now 10000)' in line
    convert('--cfg-options', key)
    assert Path('data/out.pth').is_file()


def test_class_rows(capsys):
    write_config(**{'sotd_head.num_classes': 2})
    state = write_source()
    assert '--class-rows' in refusal(capsys)
    convert('--class-rows', '1', '3')
    written = torch.load('data/out.pth', weights_only=True)['state_dict']
    rows = state['class_embed.1.bias'][[1, 3]]
    assert torch.equal(written['sotd_head.cls_branches.1.bias'], rows)
    assert 'rows 1, 3; the others' in capsys.readouterr().out


def test_what_is_refused_is_named(capsys):
    write_config()
    assert 'in.pth does not exist' in refusal(capsys)
    write_source(**{'patterns_embed.weight': torch.zeros(3, 64)})
    assert 'patterns_embed.weight' in refusal(capsys)
    write_source(**{'transformer.level_embed': torch.zeros(3, 64)})
    line = refusal(capsys)
    assert 'transformer.level_embed (3, 64) does not fit encoder.level_embed (4, 64)' in line
    write_source(**{'transformer.decoder.bbox_embed.0.layers.0.bias': torch.zeros(64)})
    assert 'is not the same as bbox_embed.0.layers.0.bias' in refusal(capsys)
    state = write_source()
    del state['transformer.encoder.layers.1.norm2.bias']
    torch.save(dict(model=state), 'in.pth')
    assert 'nothing for encoder.encoder.layers.1.norms.1.bias' in refusal(capsys)
    Path('config.py').unlink()
    assert 'config config.py does not exist' in refusal(capsys)
    Path('config.py').write_text('x = 1')
    assert 'config.py has no model of type lamotr_mm.LAMOTR' in refusal(capsys)
