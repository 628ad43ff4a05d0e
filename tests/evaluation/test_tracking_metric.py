"""The metric as a runner uses it: data samples in, scores and files out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from lamotr_mm.evaluation import TrackingMetric, evaluate_sequences
from lamotr_mm.registry import METRICS


def xyxy(rows):
    return np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])


def frame_sample(tracks, meta, dtype=torch.float64):
    """One tracked frame; `tracks` are rows frame, id, x, y, w, h, score, class."""
    frame = DetDataSample(metainfo=meta)
    frame.pred_track_instances = InstanceData(
        bboxes=torch.from_numpy(xyxy(tracks)).to(dtype),
        scores=torch.from_numpy(tracks[:, 6].copy()).float(),
        labels=torch.from_numpy(np.maximum(tracks[:, 7], 1).astype(int) - 1),
        instances_id=torch.from_numpy(tracks[:, 1].astype(int)),
    )
    sample = TrackDataSample()
    sample.video_data_samples = [frame]
    return sample


def instances_of(truth):
    return [
        dict(bbox=box.tolist(), bbox_label=0, instance_id=int(row[1]), ignore_flag=int(row[6] == 0))
        for row, box in zip(truth, xyxy(truth))
    ]


def samples_of(sequence, truth, tracks, frames, video_id=1, dtype=torch.float64, **meta):
    """Samples of a video whose first frame may be any number."""
    samples = []
    for index, number in enumerate(frames):
        frame_meta = dict(
            frame_id=index,
            mot_frame_id=number,
            video_id=video_id,
            sequence=sequence,
            instances=instances_of(truth[truth[:, 0] == number]),
            **meta,
        )
        samples.append(frame_sample(tracks[tracks[:, 0] == number], frame_meta, dtype))
    return samples


def run(metric, samples, classes=('person',)):
    """Through mmengine's evaluator, as a loop does it."""
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = dict(classes=classes)
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(size=1)


def rows(*values):
    return np.array(values, dtype=float).reshape(-1, 8)


@pytest.fixture(scope='module')
def tud(lamotr_data):
    def load(name, kind):
        table = np.loadtxt(lamotr_data / 'tud' / name / f'{kind}.txt', delimiter=',')
        return np.column_stack([table[:, :7], np.ones(len(table))])

    names = 'TUD-Campus', 'TUD-Stadtmitte'
    return {name: (load(name, 'gt'), load(name, 'test')) for name in names}


def tud_samples(tud, dtype=torch.float64):
    return [
        sample
        for video_id, (name, (truth, tracks)) in enumerate(tud.items())
        for sample in samples_of(
            name, truth, tracks, range(1, int(truth[:, 0].max()) + 1), video_id, dtype
        )
    ]


def test_tud_from_data_samples_equals_the_rows_and_the_written_files(tud, tmp_path):
    metric = METRICS.build(
        dict(
            type='lamotr_mm.TrackingMetric', benchmark='MOT15', outfile_prefix=str(tmp_path / 'out')
        )
    )
    found = run(metric, tud_samples(tud))
    truth = {name: pair[0] for name, pair in tud.items()}
    expected = evaluate_sequences(truth, {name: pair[1] for name, pair in tud.items()}, 'MOT15')
    for key, value in expected['combined'].items():
        assert found[f'track/{key}'] == pytest.approx(value, abs=1e-9)
    for name, scores in expected['sequences'].items():
        for key, value in scores.items():
            assert found[f'track/{name}/{key}'] == pytest.approx(value, abs=1e-9)
    assert len(found) == 3 * len(expected['combined'])

    written = {n: np.loadtxt(tmp_path / 'out' / f'{n}.txt', delimiter=',') for n in tud}
    np.testing.assert_allclose(written['TUD-Campus'][0, 2:6], [113.84, 274.5, 57.307, 130.05])
    assert (written['TUD-Stadtmitte'][:, 7:] == -1).all()
    again = evaluate_sequences(truth, written, 'MOT15')
    assert again == expected


def test_single_precision_boxes_score_as_they_are_written(tud, tmp_path):
    metric = TrackingMetric(benchmark='MOT15', outfile_prefix=str(tmp_path))
    found = run(metric, tud_samples(tud, torch.float32))
    truth = {name: pair[0] for name, pair in tud.items()}
    written = {name: np.loadtxt(tmp_path / f'{name}.txt', delimiter=',') for name in tud}
    expected = evaluate_sequences(truth, written, 'MOT15')['combined']
    for key, value in expected.items():
        assert found[f'track/{key}'] == value


@pytest.mark.parametrize('source', ['gt.txt', 'instances'])
def test_mot17_distractors_come_from_gt_txt_or_instances(lamotr_data, tmp_path, source):
    folder = lamotr_data / 'mot17_mini' / 'MOT17-02-FRCNN'
    truth = np.loadtxt(folder / 'gt' / 'gt.txt', delimiter=',')
    tracks = truth[truth[:, 7] != 9][:, :8].copy()
    tracks[:, 7] = 1
    tracks[:, 2] += 3
    root = folder if source == 'gt.txt' else tmp_path / 'MOT17-02-FRCNN'
    samples = []
    for number in range(2, 5):  # a range: frame_id counts from its start
        of_frame = truth[truth[:, 0] == number]
        instances = [
            dict(bbox=box.tolist(), bbox_label=0, instance_id=int(row[1]), ignore_flag=0)
            | dict(category_id=int(row[7]), mot_conf=row[6])
            for row, box in zip(of_frame, xyxy(of_frame))
        ]
        meta = dict(frame_id=number - 2, mot_frame_id=number, video_id=0, ori_shape=(1080, 1920))
        meta |= dict(img_path=str(root / 'img1' / f'{number:06d}.jpg'))
        meta |= dict(instances=[] if source == 'gt.txt' else instances)
        samples.append(frame_sample(tracks[tracks[:, 0] == number], meta))
    found = run(TrackingMetric(benchmark='MOT17'), samples)
    name, kept = 'MOT17-02-FRCNN', range(2, 5)
    tracks = {name: tracks[tracks[:, 0] >= 2]}
    expected = evaluate_sequences({name: truth}, tracks, 'MOT17', frames={name: kept})
    for key, value in expected['sequences'][name].items():
        assert found[f'track/{name}/{key}'] == pytest.approx(value, abs=1e-9)
    assert found['track/FP'] < len(tracks[name]) - 3 * 22  # distractors were taken out


def test_mot17_without_distractors_or_with_wrong_numbers_is_an_error(lamotr_data, tmp_path):
    track = rows([1, 1, 0, 0, 9, 9, 1, 1])
    metric = TrackingMetric(benchmark='MOT17')
    lost = dict(
        frame_id=0, img_path=str(tmp_path / 'MOT17-02' / 'img1' / '000001.jpg'), instances=[]
    )
    with pytest.raises(ValueError, match=r'no .*gt\.txt: put it there, or set benchmark=None'):
        run(metric, [frame_sample(track, lost)])
    frames = lamotr_data / 'mot17_mini' / 'MOT17-02-FRCNN' / 'img1'
    shifted = dict(frame_id=0, img_path=str(frames / '000003.jpg'), instances=[])
    with pytest.raises(ValueError, match=r"000003\.jpg was taken for frame 1: add 'mot_frame_id'"):
        run(metric, [frame_sample(track, shifted)])


def test_classes_come_from_the_dataset_and_ignore_flags_count():
    truth = rows(
        [1, 1, 0, 0, 10, 10, 1, 1], [1, 2, 50, 0, 10, 10, 1, 2], [1, 3, 90, 0, 10, 10, 0, 2]
    )
    meta = dict(frame_id=0, video_id=0, sequence='yard')
    meta['instances'] = [
        i | dict(bbox_label=int(r[7]) - 1) for i, r in zip(instances_of(truth), truth)
    ]
    found = run(TrackingMetric(), [frame_sample(truth, meta)], classes=('bee', 'wasp'))
    assert found['track/HOTA'] == found['track/bee/HOTA'] == found['track/wasp/HOTA'] == 100
    assert found['track/wasp/FP'] == 0
    same_name = [frame_sample(truth, meta | dict(sequence='bee'))]
    found = run(TrackingMetric('custom'), same_name, classes=('bee', 'wasp'))
    assert found['track/bee (class)/HOTA'] == 100
    assert 'track/bee/overlapping_pairs' in found


def test_hard_frames_give_finite_scores():
    """No ground truth, no tracks, neither, a video of one frame, a whole video in one sample."""
    nothing = rows()
    box = rows([1, 1, 0, 0, 9, 9, 1, 1])
    samples = [
        *samples_of('no truth', nothing, box, [1, 2], 0),
        *samples_of('no tracks', box, nothing, [1, 2], 1),
        *samples_of('neither', nothing, nothing, [1], 2),
        *samples_of('one frame', box, box, [1], 3),
    ]
    found = run(TrackingMetric(), samples)
    assert np.isfinite(list(found.values())).all()
    assert (found['track/FP'], found['track/FN']) == (1, 1)
    whole = TrackDataSample()
    whole.video_data_samples = [s[0] for s in samples_of('v', box, box, [1, 2, 3])]
    assert run(TrackingMetric(), [whole])['track/v/HOTA'] == pytest.approx(100)


def test_errors_name_sequence_frame_and_id():
    meta = dict(frame_id=4, video_id=0, sequence='yard', instances=[])
    good = [5, 7, 0, 0, 9, 9, 1, 1]

    def fails(match, tracks, metric=None, classes=('person',), **changes):
        with pytest.raises(ValueError, match=match):
            run(metric or TrackingMetric(), [frame_sample(rows(*tracks), meta | changes)], classes)

    fails('yard, tracks, frame 5: id 7 occurs more than once', [good, good])
    fails(r'yard, tracks, frame 5, id 7: the box .* not finite', [[*good[:4], np.nan, *good[5:]]])
    for wide, high in ((-9, 9), (9, -9)):
        turned = [*good[:4], wide, high, *good[6:]]
        fails(r'yard, tracks, frame 5, id 7: .* negative width or height', [turned])
        only_files = TrackingMetric(format_only=True, outfile_prefix='never/written')
        fails(r'yard, tracks, frame 5, id 7: .* negative width or height', [turned], only_files)
    fails(r'frame 5, id 7: class 2 \(label 1\) is outside 1\.\.1', [[*good[:7], 2]])
    no_truth = {k: v for k, v in meta.items() if k != 'instances'}
    with pytest.raises(
        ValueError, match='yard, frame 5: the data sample has no ground truth; keep'
    ):
        run(TrackingMetric(), [frame_sample(rows(good), no_truth)])
    with pytest.raises(ValueError, match='no frame was processed'):
        run(TrackingMetric(), [])
    with pytest.raises(ValueError, match="benchmark='MOT18' should be one of MOT15"):
        TrackingMetric(benchmark='MOT18')
    with pytest.raises(ValueError, match='format_only=True needs outfile_prefix'):
        TrackingMetric(format_only=True)


def test_a_benchmark_has_one_class():
    """Said when a runner is built, not after the first epoch."""
    evaluator = Evaluator(TrackingMetric(benchmark='DanceTrack'))
    with pytest.raises(ValueError, match='DanceTrack has one class, the data set has bee, wasp'):
        evaluator.dataset_meta = dict(classes=('bee', 'wasp'))
    evaluator.dataset_meta = dict(classes=('dancer',))


def test_two_videos_of_one_name_are_an_error():
    box = rows([1, 1, 0, 0, 9, 9, 1, 1])
    samples = samples_of('yard', box, box, [1], 0) + samples_of('yard', box, box, [1], 1)
    with pytest.raises(ValueError, match=r'yard, frame 1: two videos \(video_id 0 and 1\)'):
        run(TrackingMetric(), samples)


def test_format_only_needs_no_ground_truth(tmp_path):
    tracks = rows([451, 0, 1, 2, 3, 4, 0.5, 1], [452, 0, 1, 2, 3, 4, 0.5, 1])
    samples = samples_of('PETS', rows(), tracks, [451, 452])
    for sample in samples:
        meta = {k: v for k, v in sample[0].metainfo.items() if k != 'instances'}
        sample.video_data_samples = [frame_sample(tracks[:1], meta)[0]]
    metric = TrackingMetric(format_only=True, outfile_prefix=str(tmp_path / 'out'))
    assert run(metric, samples) == {}
    assert (tmp_path / 'out' / 'PETS.txt').read_text() == (
        '451,1,1.0000,2.0000,3.0000,4.0000,0.500000,-1,-1,-1\n'
        '452,1,1.0000,2.0000,3.0000,4.0000,0.500000,-1,-1,-1\n'
    )


RANK_SCRIPT = """
import json, sys
import torch
from torch import distributed

torch.set_num_threads(1)
rank, store, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sys.path.insert(0, folder)
distributed.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
from test_tracking_metric import TrackingMetric, rank_samples, run

scores = run(TrackingMetric(), rank_samples(rank))
try:
    error = run(TrackingMetric(), rank_samples(rank, same_name=True))
except ValueError as raised:
    error = str(raised)
print(json.dumps([scores, error]))
distributed.barrier()
distributed.destroy_process_group()
"""


def rank_samples(rank, same_name=False):
    """Rank 0: video a; rank 1: video b and again the last frames of a, as padding samplers do."""
    rng = np.random.default_rng(3)
    videos = []
    for video_id, name in enumerate('aa' if same_name else 'ab'):
        truth = np.array(
            [[t, i, 30 * i + t, 5, 20, 40, 1, 1] for t in range(1, 9) for i in (1, 2)], dtype=float
        )
        tracks = truth[rng.random(len(truth)) < 0.8].copy()
        tracks[:, 2] += rng.normal(0, 2, len(tracks))
        videos.append(samples_of(name, truth, tracks, range(1, 9), video_id))
    return [videos[0], videos[1] + videos[0][-3:]][rank]


def test_two_ranks_lose_no_frame_and_double_none(tmp_path):
    """Also: an error while scoring on rank 0 reaches rank 1, which would wait for ever."""
    script = tmp_path / 'rank.py'
    script.write_text(RANK_SCRIPT)
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    ranks = [
        subprocess.Popen(
            [sys.executable, script, str(rank), tmp_path / 'store', Path(__file__).parent],
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        for rank in (0, 1)
    ]
    outcomes = [json.loads(rank.communicate(timeout=200)[0].splitlines()[-1]) for rank in ranks]
    assert outcomes[0] == outcomes[1]
    scores, error = outcomes[0]
    alone = run(TrackingMetric(), rank_samples(0) + rank_samples(1)[:8])
    assert scores == alone
    assert alone['track/FN'] > 0
    assert 'a, frame 1: two videos (video_id 0 and 1)' in error
