"""`tools/explain.py` and its parts on a tiny untrained tracker and on synthetic video."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamotr_mm.apis.dataset_video import ground_truth
from lamotr_mm.apis.explain import MAX_FRAMES, explain_video, read_truth
from lamotr_mm.apis.inferencer import init_model, track_frames
from lamotr_mm.evaluation import evaluate_sequences
from lamotr_mm.io.frames import open_frames
from lamotr_mm.io.mot_rows import read_rows
from lamotr_mm.visualization.explain.page import FRAME_BYTES

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / 'demo' / 'weights' / 'lamotr_synthetic.pth'


@pytest.fixture
def tool():
    path = ROOT / 'tools' / 'explain.py'
    spec = importlib.util.spec_from_file_location('explain_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def explain(tool, tmp_path, monkeypatch, capsys):
    """``explain(*arguments)`` -> (exit status, stdout, last line of stderr), in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            tool.main([*map(str, arguments), '--device', 'cpu'])
            status = 0
        except SystemExit as error:
            status = error.code
        out, err = capsys.readouterr()
        return status, out, (err.splitlines() or [''])[-1]

    return run


@pytest.fixture
def frames(tmp_path) -> Path:
    """Six frames of 96x64 px noise, numbered from 3."""
    folder = tmp_path / 'noise'
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(3, 9):
        image = random.integers(0, 255, (64, 96, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{number:06d}.png'), image)
    return folder


@pytest.fixture
def weights(tiny_tracker):
    return ['--config', tiny_tracker.config, '--checkpoint', tiny_tracker.checkpoint]


def data_of(page: Path) -> dict:
    """What a page holds."""
    text = page.read_text().split('<script type="application/json" id="data">')[1]
    return json.loads(text.split('</script>')[0])


def test_a_page_says_what_was_tracked(explain, frames, weights, tiny_tracker):
    status, out, err = explain(frames, *weights, '--frames', '5:7', '--out', 'pages/x.html')
    assert status == 0, err
    assert out.startswith('3 frames, ') and 'pages/x.html' in out
    page = data_of(Path('pages/x.html'))
    assert (page['width'], page['height'], page['truth']) == (96, 64, False)
    assert [frame['number'] for frame in page['frames']] == [5, 6, 7]

    model = init_model(tiny_tracker.config, tiny_tracker.checkpoint)
    tracked = {
        number: sample
        for number, _, sample in track_frames(model, open_frames(frames, end=7))
        if number >= 5
    }
    for frame in page['frames']:
        tracks = tracked[frame['number']].pred_track_instances
        out = {track['id']: track['box'] for track in frame['tracks'] if track['out']}
        assert sorted(out) == sorted(tracks.instances_id.tolist())
        for track_id, box in zip(tracks.instances_id.tolist(), tracks.bboxes.numpy()):
            np.testing.assert_allclose(out[track_id], box, atol=0.051)
        _check_terms(frame, page, tracked[frame['number']].association)


def _check_terms(frame, page, association):
    """Terms sum to the logit of S, up to rounding."""
    assert frame['pairs']
    columns = [track['id'] for track in frame['tracks'] if track['state'] != 'born']
    assert columns == sorted(association['tracklet_ids'].tolist())
    order = np.argsort(association['tracklet_ids'])
    np.testing.assert_allclose(
        np.array(frame['scores']) / 1000, association['scores'][:, order], atol=6e-4
    )
    layers = page['layers']
    for row, column, *terms in frame['pairs']:
        logit = page['prior'] + sum(terms[: 2 * layers]) / 100
        exact = association['scores'][row, order[column]]
        assert logit == pytest.approx(np.log(exact / (1 - exact)), abs=0.01 * layers + 1e-3)


def test_switches_are_those_of_the_metric(explain, frames, weights, tiny_tracker, tmp_path):
    """Targets that change places with every frame."""
    model = init_model(tiny_tracker.config, tiny_tracker.checkpoint)
    truth, rows = [], []
    for number, _, sample in track_frames(model, open_frames(frames)):
        tracks = sample.pred_track_instances
        for place, (track_id, box) in enumerate(
            zip(tracks.instances_id.tolist(), tracks.bboxes.tolist())
        ):
            x, y, right, bottom = box
            xywh = [x, y, right - x, bottom - y]
            rows.append([number, track_id, *xywh, 0.9, 1])
            truth.append([number, 1 + (place + number) % len(tracks), *xywh, 1, 1, 1])
    gt = tmp_path / 'gt.txt'
    gt.write_text('\n'.join(','.join(f'{value:g}' for value in row) for row in truth))
    scores = evaluate_sequences({'x': read_rows(gt)}, {'x': np.array(rows)})['combined']
    status, out, err = explain(frames, *weights, '--gt', gt)
    assert status == 0, err
    assert f'{scores["IDSW"]} identity switches' in out
    page = data_of(Path('noise_explained.html'))
    events = [event for event in page['events'] if event['kind'] == 'switch']
    assert len(events) == scores['IDSW'] > 0
    hits = sum(target['id'] > 0 for frame in page['frames'] for target in frame['truth'])
    assert hits == len(truth) - scores['FN']


def test_a_config_brings_its_ground_truth(explain):
    if not WEIGHTS.is_file():
        pytest.skip(f'{WEIGHTS.relative_to(ROOT)} is not there: make train-demo')
    status, _, err = explain(
        ROOT / 'configs' / 'lamotr_synthetic.py',
        '--checkpoint',
        WEIGHTS,
        '--frames',
        '2:4',
        '--cfg-options',
        'test_dataloader.dataset.video_length=5',
        'test_dataloader.dataset.num_videos=1',
        'test_dataloader.dataset.difficulty=0',
    )
    assert status == 0, err
    file = Path('lamotr_synthetic_explained.html')
    page = data_of(file)
    assert [frame['number'] for frame in page['frames']] == [2, 3, 4]
    assert page['title'] == 'synthetic-20000-d0' and page['truth']
    assert all(frame['truth'] for frame in page['frames'])
    assert any(target['id'] > 0 for target in page['frames'][0]['truth'])
    assert file.stat().st_size < 3 * FRAME_BYTES + 100_000


def test_truth_of_benchmarks_and_of_data_sets(tmp_path):
    gt = tmp_path / 'gt.txt'
    gt.write_text('1,1,0,0,5,5,1,1,1\n1,2,9,9,5,5,1,7,1\n2,1,0,0,5,5,0,1,1\n2,4,1,1,2,2,1,3,1\n')
    rows = read_truth(gt, 'MOT17-02', ('pedestrian',))
    assert rows[:, [0, 1, 6, 7]].tolist() == [[1, 1, 1, 1], [1, 2, 0, 1], [2, 1, 0, 1]]
    several = read_truth(gt, 'street', tuple('abcdefg'))
    assert several[:, 7].tolist() == [1, 7, 1, 3]

    box = dict(bbox=[1, 2, 4, 6], bbox_label=2, instance_id=7, ignore_flag=1)
    assert ground_truth(dict(frame_id=4, instances=[box])).tolist() == [[5, 7, 1, 2, 3, 4, 0, 3]]
    assert ground_truth(dict(frame_id=4, instances=[])).shape == (0, 8)
    assert ground_truth(dict(frame_id=4)) is None


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['--frames', '5'], '5: expected A:B, first and last frame'),
        (['--frames', 'a:b'], 'a:b: A and B should be whole numbers'),
        (['--frames', '7:5'], '7:5: B lies before A'),
        (['--frames', '9:'], 'has no frame at or after 9'),
        (['--out', 'x.txt'], 'x.txt should end in .html'),
        (['--gt', 'missing.txt'], 'missing.txt'),
    ],
)
def test_one_line_for_an_error(explain, frames, weights, arguments, says):
    status, _, err = explain(frames, *weights, *arguments)
    assert status == 2 and says in err
    assert not list(Path().glob('*.html'))


def test_a_page_has_an_end(frames, tiny_tracker, tmp_path, monkeypatch):
    monkeypatch.setattr('lamotr_mm.apis.explain.MAX_FRAMES', 3)
    model = init_model(tiny_tracker.config, tiny_tracker.checkpoint)
    with pytest.raises(ValueError, match='3 frames at most: name a part of the video'):
        explain_video(model, open_frames(frames), tmp_path / 'x.html', progress=False)
    assert MAX_FRAMES == 1000 and not (tmp_path / 'x.html').exists()


def test_a_page_of_recorded_frames(frames, tiny_tracker, tmp_path, recorded):
    """What SGLA did is seen by hooks, which no recording calls: a frame is decoded without."""
    model = init_model(tiny_tracker.config, tiny_tracker.checkpoint)
    for model.cuda_graphs in (False, True):
        explain_video(model, open_frames(frames), tmp_path / f'{model.cuda_graphs}.html')
    eager, graphed = (data_of(tmp_path / f'{way}.html') for way in (False, True))
    assert eager == graphed
    assert recorded == [[(1, 3, 64, 96)]]
