"""`tools/analysis/speed_against.py`: what is timed and how it is compared; no timings."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.models.layers.deformable_attention import DeformableAttention
from lamotr_mm.models.precision import cpu_has_bf16
from lamotr_mm.tracking.state import TrackletState

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis' / 'speed_against.py'
SMALL = ('--img-size', '64', '96', '--tracklets', '3', '--pairs', '2')

# a checkout in miniature: the names that the tool relies on, and a network that says what it gets
CHECKOUT = {
    'models/__init__.py': """
from .memotr import build_model
""",
    'models/memotr.py': """
import torch
from . import backbone
from .ops.modules.ms_deform_attn import attend

calls = []

class Model(torch.nn.Module):
    hidden_dim, num_classes = 8, 2

    def forward(self, frame, tracks):
        assert not self.training and not torch.is_grad_enabled()
        calls.append((frame, {k: tuple(v.shape) for k, v in vars(tracks[0]).items()}, attend()))
        return 'output'

    def postprocess_single_frame(self, *arguments):
        calls.append(arguments)

def build_model(config):
    calls.append((backbone.build(), config))
    return Model()
""",
    'models/backbone.py': """
def resnet50(weights, norm_layer):
    return weights, norm_layer

def build():
    return resnet50(weights='download', norm_layer='frozen')
""",
    'models/ops/__init__.py': '',
    'models/ops/functions/__init__.py': '',
    'models/ops/functions/ms_deform_attn_func.py': """
import MultiScaleDeformableAttention

class MSDeformAttnFunction:
    pass

def ms_deform_attn_core_pytorch(value, shapes, places, weights):
    return value, shapes, places, weights
""",
    'models/ops/modules/__init__.py': '',
    'models/ops/modules/ms_deform_attn.py': """
from ..functions.ms_deform_attn_func import MSDeformAttnFunction

def attend():
    return MSDeformAttnFunction.apply('value', 'shapes', 'starts', 'places', 'weights', 64)
""",
    'models/runtime_tracker.py': """
class RuntimeTracker:
    def __init__(self, **thresholds):
        self.thresholds = thresholds

    def update(self, model_outputs, tracks):
        return model_outputs, len(tracks[0].ids), self.thresholds
""",
    'structures/__init__.py': '',
    'structures/track_instances.py': """
import torch

class TrackInstances:
    def __init__(self, hidden_dim, num_classes, use_dab):
        assert use_dab
        for name in ('query_embed', 'output_embed', 'last_output', 'long_memory'):
            setattr(self, name, torch.zeros(0, hidden_dim))
        for name in ('ref_pts', 'boxes'):
            setattr(self, name, torch.zeros(0, 4))
        self.logits = torch.zeros(0, num_classes)
        for name in ('scores', 'ids', 'labels', 'disappear_time'):
            setattr(self, name, torch.zeros(0))

    def to(self, device):
        return self
""",
    'utils/__init__.py': '',
    'utils/nested_tensor.py': """
def tensor_list_to_nested_tensor(images):
    return [tuple(image.shape) for image in images]
""",
    'utils/utils.py': """
import yaml

def yaml_to_dict(path):
    return yaml.safe_load(open(path))
""",
    'configs/train_dancetrack.yaml': """
DEVICE: cuda
AVAILABLE_GPUS: 0,1
DET_SCORE_THRESH: 0.5
TRACK_SCORE_THRESH: 0.4
MISS_TOLERANCE: 30
USE_DAB: True
""",
}


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('speed_against_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name, text in CHECKOUT.items():
        path = tmp_path / 'memotr' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = set(sys.modules)
    yield tmp_path / 'memotr'
    for name in set(sys.modules) - before:
        if name.split('.')[0] in ('models', 'structures', 'utils', 'MultiScaleDeformableAttention'):
            del sys.modules[name]


def rows(printed):
    """Cells of the table's rows."""
    lines = [line for line in printed.splitlines() if line.startswith('│')]
    return [[cell.strip() for cell in line.strip('│').split('│')] for line in lines]


def test_ratios_are_those_of_the_printed_times(tool, tiny_tracker, capsys):
    tool.main(['--config', tiny_tracker.config, *SMALL])
    printed = capsys.readouterr().out
    assert (
        'A frame of 64x96 px, 3 tracklets, cpu, 1 thread(s)' in printed and 'plain parts' in printed
    )
    assert ('bf16' in printed) == cpu_has_bf16()
    *pairs, medians = rows(printed)
    assert [row[0] for row in pairs] == ['1', '2'] and medians[0] == 'median'
    for _, peer, *ours in pairs:
        for ms, ratio in zip(ours[::2], ours[1::2], strict=True):
            assert float(ratio) == pytest.approx(float(ms) / float(peer), rel=0.01, abs=0.001)
    for column, cell in enumerate(medians[1:], 1):
        mean = sum(float(row[column]) for row in pairs) / 2
        assert float(cell) == pytest.approx(mean, abs=0.06)


def test_table_by_hand(tool, capsys):
    """The median of the ratios is not the ratio of the medians."""
    times = [(100.0, 50.0), (100.0, 80.0), (400.0, 100.0)]
    rounds = [dict(peer=peer, ours=ours) for peer, ours in times]
    tool.Console(width=100).print(tool.make_table(rounds, 'title'))
    assert rows(capsys.readouterr().out) == [
        ['1', '100.0', '50.0', '0.500'],
        ['2', '100.0', '80.0', '0.800'],
        ['3', '400.0', '100.0', '0.250'],
        ['median', '100.0', '80.0', '0.500'],
    ]


def test_the_models_take_turns_and_the_first_round_is_left_out(tool):
    order = []

    def timer(name):
        def seconds():
            order.append(name)
            return len(order)

        return seconds

    rounds = tool.in_turn({name: timer(name) for name in 'ab'}, pairs=2)
    assert order == list('ababab')
    assert rounds == [dict(a=3000, b=4000), dict(a=5000, b=6000)]


def test_plain_parts_compute_the_same(tool, tiny_tracker):
    ours, plain = (init_model(tiny_tracker.config, tiny_tracker.checkpoint) for _ in range(2))
    tool.plain_parts(plain)
    assert not any(isinstance(module, DeformableAttention) for module in plain.modules())
    torch.manual_seed(0)
    image = torch.randn(1, 3, 64, 96)
    state = TrackletState.empty(1, 4, ours.sotd_head.query_embedding.weight)
    with torch.no_grad():
        results = [
            model.decode_frame(model.encode(image, [(64, 96)]), state) for model in (ours, plain)
        ]
    torch.testing.assert_close(results[0].boxes_cxcywh, results[1].boxes_cxcywh)
    torch.testing.assert_close(results[0].asso_logits, results[1].asso_logits, rtol=1e-4, atol=1e-5)


def test_a_checkout(tool, checkout, tiny_tracker, capsys):
    """Its op by its own PyTorch version, no download, live tracks, the tracker's thresholds."""
    path = list(sys.path)
    tool.main(['--memotr', str(checkout), '--config', tiny_tracker.config, *SMALL])
    assert 'MeMOTR' in capsys.readouterr().out and sys.path == path
    built, *frames = sys.modules['models.memotr'].calls
    assert built[0] == (None, 'frozen')
    assert (built[1]['DEVICE'], built[1]['AVAILABLE_GPUS']) == ('cpu', None)
    assert len(frames) == 2 * 3  # a forward and a postprocessing call in each of three rounds
    frame, shapes, attention = frames[0]
    assert frame == [(3, 64, 96)]
    assert attention == ('value', 'shapes', 'places', 'weights')
    wide = dict.fromkeys(('query_embed', 'output_embed', 'last_output', 'long_memory'), (3, 8))
    flat = dict.fromkeys(('scores', 'ids', 'labels', 'disappear_time'), (3,))
    assert shapes == dict(ref_pts=(3, 4), boxes=(3, 4), logits=(3, 2), **wide, **flat)
    thresholds = dict(det_score_thresh=0.5, track_score_thresh=0.4, miss_tolerance=30, use_dab=True)
    assert frames[1] == ('output', 3, thresholds, None)


def test_what_is_refused(tool, checkout, tmp_path, tiny_tracker, capsys):
    (checkout / 'models/backbone.py').write_text('import a_package_that_is_missing')
    for arguments, word in (
        (('--memotr', str(tmp_path / 'none')), 'none is no checkout of MeMOTR'),
        (('--memotr', str(checkout)), 'a_package_that_is_missing'),
        (('--config', 'none.py'), 'none.py'),
        (('--config', tiny_tracker.config, '--device', 'abacus'), 'abacus'),
        (('--pairs', '0'), '--pairs'),
    ):
        with pytest.raises(SystemExit) as stop:
            tool.main(list(arguments))
        error = capsys.readouterr().err
        assert stop.value.code == 2 and 'Traceback' not in error
        assert word in error.splitlines()[-1]
