"""docs/new_association.md, followed word by word: a module is written, trained and tracks."""

import importlib.util
import re
import shlex
import shutil
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from mmdet.visualization import TrackLocalVisualizer
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.io.mot_rows import read_rows
from lamotr_mm.models.structures import Detections, FrameOutput
from lamotr_mm.preparation.synthetic_export import write_sequence
from lamotr_mm.registry import MODELS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'new_association.md').read_text()
FRAMES = 3
OBJECTS, SLOTS, WIDTH = 5, 3, 8


def commands() -> dict[str, list[str]]:
    """Tool -> arguments, of the commands in the page."""
    joined = re.sub(r'\\\n *', '', PAGE)
    found = re.findall(r'^    PYTHONPATH=\. python (tools/\S+) (.*)$', joined, re.MULTILINE)
    return {tool: shlex.split(arguments) for tool, arguments in found}


@pytest.fixture(scope='module')
def repository(tmp_path_factory):
    """Configs, the page's two files, and a video."""
    folder = tmp_path_factory.mktemp('repository')
    shutil.copytree(ROOT / 'configs', folder / 'configs')
    for text in re.findall(r'^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL):
        path, code = re.match(r'# (\S+\.py)\n(.*)', text, re.DOTALL).groups()
        (folder / path).write_text(code)
    sequence = write_sequence(SceneSpec(seed=20_000, difficulty=0, length=FRAMES), folder)
    (sequence / f'{sequence.name}.mp4').rename(folder / 'video.mp4')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setattr(TrackLocalVisualizer, '_instance_dict', OrderedDict())
        patch.setattr(torch.utils.data._utils, 'MP_STATUS_CHECK_INTERVAL', 0.1)
        yield folder
    sys.modules.pop('pair_score', None)
    MODELS.module_dict.pop('PairScore', None)


def run(tool: str) -> int | None:
    """The page's call of a tool, in this process; its exit status."""
    spec = importlib.util.spec_from_file_location(f'tool_{Path(tool).stem}', ROOT / tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(commands()[tool])


@pytest.fixture(scope='module')
def trained(repository) -> dict:
    """The checkpoint after the page's training."""
    assert not run('tools/train.py')
    return torch.load(repository / 'work_dirs/try/epoch_1.pth', weights_only=False)


def test_module_is_short():
    (text,) = re.findall(r'^```python\n# pair_score.*?\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    assert len(text.splitlines()) <= 60


def test_training_moves_every_parameter_of_the_module(trained, repository):
    weights = {k: v for k, v in trained['state_dict'].items() if k.startswith('sgla.')}
    assert len(weights) == 6
    config = Config.fromfile('configs/pair_score_synthetic.py')
    torch.manual_seed(0)
    fresh = MODELS.build(config.model.sgla)
    assert {k.removeprefix('sgla.'): v.shape for k, v in weights.items()} == {
        k: v.shape for k, v in fresh.state_dict().items()
    }
    config.model.backbone.init_cfg = None
    init_default_scope('mmdet')
    model = MODELS.build(config.model)
    moments = trained['optimizer']['state'].values()
    assert len(moments) == sum(p.requires_grad for p in model.parameters())
    assert all(state['exp_avg_sq'].any() for state in moments)


def test_it_tracks(trained, repository):
    assert not run('tools/track.py')
    rows = read_rows(repository / 'tracks.txt')  # few or none after three clips, but a whole file
    assert rows.shape[1] >= 7


def test_scores_are_the_formula_of_the_page(repository):
    """Pair by pair in float64."""
    Config.fromfile('configs/pair_score_synthetic.py')  # registers the module
    torch.manual_seed(0)
    module = MODELS.build(dict(type='lamotr_mm.PairScore', embed_dims=WIDTH)).double()
    count = OBJECTS + SLOTS
    boxes = torch.rand(3, 2, count, 4, dtype=torch.float64) * 0.4 + 0.2
    embeds = torch.randn(2, count, WIDTH, dtype=torch.float64)
    logits = torch.randn(3, 2, count, 1, dtype=torch.float64)
    detections = Detections(embeds, boxes[-1], logits, boxes, embeds, boxes[-1][:, OBJECTS:])
    output = module(detections, torch.ones(2, SLOTS, dtype=torch.bool), None)
    assert isinstance(output, FrameOutput)
    assert output.num_objects == OBJECTS
    assert len(output.detections.logits) + len(output.logits) == 3, 'each layer is trained once'
    first, _, second = module.boxes
    for o in range(OBJECTS):
        for t in range(SLOTS):
            a, b = boxes[-1, 1, o], boxes[-1, 1, OBJECTS + t]
            step = (a[:2] - b[:2]) / b[2:]
            step = step.sign() * torch.log(1 + 4 * step.abs())
            cue = torch.cat([step, torch.log(a[2:] / b[2:])])
            near = second(torch.relu(first(cue))).item()
            fit = (module.objects(embeds[1, o]) @ module.tracklets(embeds[1, OBJECTS + t])).item()
            assert output.asso_logits[1, o, t].item() == pytest.approx(fit / WIDTH**0.5 + near)


def test_a_frame_without_tracklets_has_no_scores(repository):
    Config.fromfile('configs/pair_score_synthetic.py')
    module = MODELS.build(dict(type='lamotr_mm.PairScore', embed_dims=WIDTH))
    boxes, embeds = torch.rand(2, 1, OBJECTS, 4), torch.randn(1, OBJECTS, WIDTH)
    detections = Detections(
        embeds, boxes[-1], torch.randn(2, 1, OBJECTS, 1), boxes, embeds, boxes[-1][:, OBJECTS:]
    )
    output = module(detections, torch.ones(1, 0, dtype=torch.bool), None)
    assert output.asso_logits.shape == (1, OBJECTS, 0)
