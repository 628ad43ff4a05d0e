"""`tools/train.py`, `tools/test.py` and the shell scripts around them, on a model of one weight."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ('dist_train.sh', 'dist_test.sh', 'slurm.sh', 'build_mmcv.sh')

TOY_MODULE = """
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='tensor'):
        inputs = torch.stack(inputs).float() if isinstance(inputs, list) else inputs.float()
        if mode == 'loss':
            return dict(loss=((self.weight - inputs) ** 2).mean())
        return [dict(value=float(self.weight))]


@DATASETS.register_module()
class ToyDataset(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.tensor(float(index)))


@METRICS.register_module()
class ToyMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        print('METRIC', len(results), flush=True)
        return dict(value=results[0]['value'])


@HOOKS.register_module()
class PrintHook(Hook):
    def after_train_iter(self, runner, *args, **kwargs):
        module = getattr(runner.model, 'module', runner.model)
        # one write: the lines of two processes must not mix
        print(f'WEIGHT {runner.rank} {runner.iter} {module.weight.item()}\\n', end='', flush=True)
"""
TOY_CONFIG = """
custom_imports = dict(imports=['toy_module'], allow_failed_imports=False)
default_scope = 'mmengine'
model = dict(type='ToyModel')
loader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ToyDataset'))
train_dataloader = loader
test_dataloader = loader
test_evaluator = dict(type='ToyMetric')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(by_epoch=True, max_epochs=2)
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='PrintHook')]
default_hooks = dict(visualization=dict(type='EmptyCacheHook'))
auto_scale_lr = dict(enable=False, base_batch_size=4)
randomness = dict(seed=0)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Path:
    """A folder with the toy's module and config; the current folder of the test."""
    (tmp_path / 'toy_module.py').write_text(TOY_MODULE)
    (tmp_path / 'toy.py').write_text(TOY_CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    monkeypatch.setenv('PYTHON', sys.executable)
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def launched(toy, monkeypatch):
    """Replaces mmengine's Runner; the configs that the tools hand to it."""
    from mmengine.runner import Runner

    configs = []

    class Recorder:
        train = test = staticmethod(lambda: None)

    monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: configs.append(cfg) or Recorder())
    return configs


def tool(name: str):
    """Import a tool as a module."""
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refuse(capsys, name: str, *argv: str) -> str:
    """Call a tool with wrong arguments; its one line of error."""
    with pytest.raises(SystemExit) as stop:
        tool(name).main(list(argv))
    assert stop.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert ': error: ' in last
    return last


@pytest.mark.parametrize('name', ['train', 'test'])
def test_wrong_arguments_are_one_clear_line(launched, capsys, name):
    torch.save({}, 'weights.pth')
    rest = [] if name == 'train' else ['weights.pth']
    assert 'config missing.py does not exist' in refuse(capsys, name, 'missing.py', *rest)
    Path('broken.py').write_text('model = dict(\n')
    assert 'config broken.py cannot be read: SyntaxError' in refuse(
        capsys, name, 'broken.py', *rest
    )

    def options(*pairs):
        return refuse(capsys, name, 'toy.py', *rest, '--cfg-options', *pairs)

    assert 'takes KEY=VALUE' in options('train_cfg.max_epochs')
    assert 'no key train_cgf (did you mean train_cfg?)' in options('train_cgf.max_epochs=1')
    assert '--cfg-options custom_hooks.7.interval=1' in options('custom_hooks.7.interval=1')
    assert "'ssh' is not one of" in refuse(capsys, name, 'toy.py', *rest, '--launcher', 'ssh')
    missing = refuse(capsys, name, 'toy.py', *rest, '--launcher', 'pytorch')
    assert 'RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR not set' in missing
    assert launched == []


def test_missing_checkpoints(launched, capsys):
    assert 'checkpoint no.pth does not exist' in refuse(capsys, 'test', 'toy.py', 'no.pth')
    error = refuse(capsys, 'train', 'toy.py', '--resume', 'no.pth')
    assert 'checkpoint no.pth does not exist' in error
    work_dir = Path('work_dirs/toy')
    work_dir.mkdir(parents=True)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_9.pth'))
    assert 'epoch_9.pth does not exist' in refuse(capsys, 'train', 'toy.py', '--resume')

    Path('toy.py').write_text(TOY_CONFIG + "load_from = 'coco.pth'\n")
    error = refuse(capsys, 'train', 'toy.py')
    assert 'load_from: checkpoint coco.pth does not exist' in error
    assert 'docs/weights.md' in error
    assert launched == []
    tool('train').main(['toy.py', '--cfg-options', 'load_from=None'])
    assert launched[0].load_from is None


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
@pytest.mark.parametrize('named', ['OptimWrapper', 'AmpOptimWrapper'])
@pytest.mark.parametrize('units', [True, False])
def test_amp_on_a_cpu(launched, capsys, monkeypatch, units, named):
    train = tool('train')
    monkeypatch.setattr('lamotr_mm.apis.training.cpu_has_bf16', lambda: units)
    options = [f'optim_wrapper.type={named}']
    if named == 'AmpOptimWrapper':
        options += ['optim_wrapper.loss_scale=dynamic', 'optim_wrapper.dtype=bfloat16']
    train.main(['toy.py', '--amp', '--cfg-options', *options])
    wrapper = launched[0].optim_wrapper
    assert wrapper.type == ('lamotr_mm.BFloat16OptimWrapper' if units else 'OptimWrapper')
    assert set(wrapper) == {'type', 'optimizer'}
    said = '--amp: this CPU has no bfloat16 units, training in float32'
    assert (said in capsys.readouterr().out) == (not units)


def test_amp_with_gpu(launched, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    tool('train').main(['toy.py', '--amp'])
    assert launched[0].optim_wrapper.type == 'AmpOptimWrapper'
    assert launched[0].optim_wrapper.loss_scale == 'dynamic'


def test_training_options_reach_the_runner(launched):
    tool('train').main(
        ['toy.py', '--work-dir', 'w', '--auto-scale-lr', '--cfg-options', 'train_cfg.max_epochs=7']
    )
    cfg = launched[0]
    assert (cfg.work_dir, cfg.launcher, cfg.train_cfg.max_epochs) == ('w', 'none', 7)
    assert cfg.auto_scale_lr.enable
    tool('train').main(['toy.py'])
    assert launched[1].work_dir == 'work_dirs/toy'
    assert not launched[1].auto_scale_lr.enable


def test_auto_scale_lr_needs_a_base(launched, capsys):
    text = TOY_CONFIG.replace('auto_scale_lr', 'other')
    Path('toy.py').write_text(text)
    error = refuse(capsys, 'train', 'toy.py', '--auto-scale-lr')
    assert 'no auto_scale_lr.base_batch_size' in error


def test_first_auto_resume_keeps_pretrained_weights(launched):
    Path('toy.py').write_text(TOY_CONFIG + "load_from = 'pretrained.pth'\n")
    torch.save({}, 'pretrained.pth')
    tool('train').main(['toy.py', '--resume', 'auto'])
    assert launched[0].load_from == 'pretrained.pth'
    assert not launched[0].get('resume')
    Path('work_dirs/toy/last_checkpoint').parent.mkdir(parents=True)
    torch.save({}, 'epoch_1.pth')
    Path('work_dirs/toy/last_checkpoint').write_text('epoch_1.pth')
    tool('train').main(['toy.py', '--resume', 'auto'])
    assert (launched[1].load_from, launched[1].resume) == ('epoch_1.pth', True)


def test_testing_options_reach_the_runner(launched, capsys):
    torch.save({}, 'weights.pth')
    argv = ['toy.py', 'weights.pth', '--show-dir', 'drawn', '--out', 'tracks']
    assert '--out needs one lamotr_mm.TrackingMetric' in refuse(capsys, 'test', *argv)
    tool('test').main([*argv, '--cfg-options', 'test_evaluator.type=lamotr_mm.TrackingMetric'])
    cfg = launched[0]
    hook = cfg.default_hooks.visualization
    assert cfg.load_from == 'weights.pth'
    assert (hook.draw, hook.show, hook.frame_interval) == (True, False, 1)
    assert hook.test_out_dir == os.path.abspath('drawn')
    assert cfg.test_evaluator.outfile_prefix == os.path.abspath('tracks')


def call(*command: str) -> str:
    """Run a command; its output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def weights(output: str) -> dict[tuple[int, int], float]:
    """(rank, iteration) -> weight after it, as the toy's hook prints them."""
    found = re.findall(r'WEIGHT (\d+) (\d+) (\S+)', output)
    return {(int(rank), int(step)): float(value) for rank, step, value in found}


def test_precision_of_testing_reaches_the_model(launched, capsys):
    torch.save(dict(state_dict={}), 'toy.pth')
    test = tool('test')
    test.main(['toy.py', 'toy.pth'])
    test.main(['toy.py', 'toy.pth', '--precision', 'bf16'])
    assert 'precision' not in launched[0].model
    assert launched[1].model.precision == 'bf16'
    if not torch.cuda.is_available():
        error = refuse(capsys, 'test', 'toy.py', 'toy.pth', '--precision', 'fp16')
        assert "precision='fp16' needs a GPU" in error


def test_train_resume_and_test(toy):
    """Two epochs in one go = one epoch, then `--resume` for the second one."""
    train = [sys.executable, str(ROOT / 'tools' / 'train.py'), 'toy.py', '--resume', 'auto']
    whole = weights(call(*train, '--work-dir', 'whole'))
    assert max(whole) == (0, 7)
    # by hand: w <- w - 0.1 * 2 * (w - x), x = 0, 1, 2, 3 twice
    value = 0.0
    for x in (0, 1, 2, 3) * 2:
        value -= 0.2 * (value - x)
    assert whole[0, 7] == pytest.approx(value, rel=1e-6)
    call(*train, '--work-dir', 'parts', '--cfg-options', 'train_cfg.max_epochs=1')
    second = weights(call(*train, '--work-dir', 'parts'))
    assert second == {key: value for key, value in whole.items() if key[1] >= 4}
    test = [sys.executable, str(ROOT / 'tools' / 'test.py'), 'toy.py', 'parts/epoch_2.pth']
    assert 'METRIC 4' in call(*test)


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
def test_two_processes_on_the_cpu(toy, monkeypatch):
    """Both ranks hold the same weight after each step, that of the mean over their samples, at half
    the rate, which is made for batches of 4.
    """
    scripts = ROOT / 'tools'
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        monkeypatch.setenv('PORT', str(free.getsockname()[1]))
    output = call(
        str(scripts / 'dist_train.sh'), 'toy.py', '2', '--work-dir', 'two', '--auto-scale-lr'
    )
    tested = call(str(scripts / 'dist_test.sh'), 'toy.py', 'two/epoch_2.pth', '2')
    found = weights(output)
    assert sorted(found) == [(rank, step) for rank in (0, 1) for step in range(4)]
    value = 0.0
    for step, (first, second) in enumerate([(0, 1), (2, 3)] * 2):
        value -= 0.1 * (value - (first + second) / 2)
        assert found[0, step] == found[1, step] == pytest.approx(value, rel=1e-6)
    assert tested.count('METRIC 4') == 1, 'rank 0 scores the samples of both ranks'


@pytest.mark.parametrize('script', SCRIPTS)
def test_shell_scripts(script):
    path = ROOT / 'tools' / script
    assert os.access(path, os.X_OK)
    assert subprocess.run(['bash', '-n', path]).returncode == 0
    shown = subprocess.run([path, '--help'], capture_output=True, text=True)
    assert (shown.returncode, shown.stderr) == (0, '')
    assert f'Usage: tools/{script}' in shown.stdout
    refused = subprocess.run([path], capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (2, '')
    assert f'Usage: tools/{script}' in refused.stderr


def slurm(folder: Path, *args: str, **variables: str) -> subprocess.CompletedProcess:
    """Run tools/slurm.sh with an `srun` that prints its arguments, one per line."""
    srun = folder / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "PYTHONPATH=$PYTHONPATH"\n')
    srun.chmod(0o755)
    env = {'PATH': f'{folder}:/usr/bin:/bin', **variables}
    command = [ROOT / 'tools' / 'slurm.sh', *args]
    return subprocess.run(command, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(
    ('task', 'target'), [('train', ['--work-dir', 'my dir']), ('test', ['my dir'])]
)
def test_slurm_script_calls_srun(tmp_path, task, target):
    done = slurm(
        tmp_path, task, 'part', 'job', 'c.py', 'my dir', '--amp', GPUS='16', SRUN_ARGS='--qos high'
    )
    assert done.stdout.splitlines() == [
        *('-p', 'part', '--job-name=job', '--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8'),
        *('--cpus-per-task=5', '--kill-on-bad-exit=1', '--qos', 'high'),
        *('python', '-u', str(ROOT / 'tools' / f'{task}.py'), 'c.py', *target),
        *('--launcher', 'slurm', '--amp', f'PYTHONPATH={ROOT}'),
    ]


def test_slurm_script_asks_for_no_more_gpus_than_there_are_tasks(tmp_path):
    done = slurm(tmp_path, 'test', 'part', 'job', 'c.py', 'w.pth', GPUS='2')
    assert {'--gres=gpu:2', '--ntasks=2', '--ntasks-per-node=2'} <= set(done.stdout.split())


def test_slurm_script_refuses_another_task(tmp_path):
    done = slurm(tmp_path, 'tune', 'part', 'job', 'c.py', 'w.pth')
    assert (done.returncode, done.stdout) == (2, '')
    assert "train or test, not 'tune'" in done.stderr
