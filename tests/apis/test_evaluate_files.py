"""Scores of files, against TrackEval's own runner and the published values of the TUD pair."""

import numpy as np
import pytest
import trackeval

from lamotr_mm.apis.evaluate_files import evaluate_files

TUD = ('TUD-Campus', 'TUD-Stadtmitte')


@pytest.fixture
def layout(lamotr_data, tmp_path):
    """TrackEval's: gt/NAME/gt/gt.txt with seqinfo.ini, trackers/ours/data/NAME.txt."""
    for name in TUD:
        source = lamotr_data / 'tud' / name
        target = tmp_path / 'gt' / name
        (target / 'gt').mkdir(parents=True)
        (target / 'gt' / 'gt.txt').write_bytes((source / 'gt.txt').read_bytes())
        data = tmp_path / 'trackers' / 'ours' / 'data'
        data.mkdir(parents=True, exist_ok=True)
        (data / f'{name}.txt').write_bytes((source / 'test.txt').read_bytes())
    return tmp_path


def test_the_tud_pair_against_trackeval(layout):
    frames = {}
    for name in TUD:
        rows = np.loadtxt(layout / 'gt' / name / 'gt' / 'gt.txt', delimiter=',')
        frames[name] = int(rows[:, 0].max())
    dataset = trackeval.datasets.MotChallenge2DBox(
        dict(
            GT_FOLDER=str(layout / 'gt'),
            TRACKERS_FOLDER=str(layout / 'trackers'),
            TRACKERS_TO_EVAL=['ours'],
            BENCHMARK='MOT15',
            SKIP_SPLIT_FOL=True,
            SEQ_INFO=frames,
            DO_PREPROC=False,
            PRINT_CONFIG=False,
        )
    )
    quiet = dict.fromkeys(
        ('PRINT_RESULTS', 'PRINT_CONFIG', 'TIME_PROGRESS', 'OUTPUT_SUMMARY', 'OUTPUT_DETAILED'),
        False,
    )
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({'PRINT_CONFIG': False})]
    runner = trackeval.Evaluator({**quiet, 'PLOT_CURVES': False, 'LOG_ON_ERROR': None})
    theirs = runner.evaluate([dataset], metrics)[0]['MotChallenge2DBox']['ours']
    ours = evaluate_files(layout / 'gt', layout / 'trackers' / 'ours' / 'data')
    for name in (*TUD, 'COMBINED_SEQ'):
        expected = theirs[name]['pedestrian']
        scores = ours['combined'] if name == 'COMBINED_SEQ' else ours['sequences'][name]
        for key in ('HOTA', 'DetA', 'AssA', 'LocA'):
            assert scores[key] == pytest.approx(100 * np.mean(expected['HOTA'][key]), abs=1e-9)
        assert scores['MOTA'] == pytest.approx(100 * expected['CLEAR']['MOTA'], abs=1e-9)
    # motmetrics and MMTracking
    combined = ours['combined']
    assert (round(combined['MOTA'], 1), round(combined['IDF1'], 1)) == (55.5, 62.4)
    assert (combined['FP'], combined['FN'], combined['IDSW']) == (58, 602, 14)
    assert round(combined['HOTA'] / 100, 3) == 0.400


def test_files_of_one_sequence(lamotr_data, layout):
    name = TUD[0]
    folder = lamotr_data / 'tud' / name
    data = layout / 'trackers' / 'ours' / 'data'
    expected = evaluate_files(layout / 'gt', data)['sequences'][name]
    for truth, tracks in (
        (folder / 'gt.txt', folder / 'test.txt'),
        (layout / 'gt' / name, data),
        (layout / 'gt' / name / 'gt' / 'gt.txt', data / f'{name}.txt'),
    ):
        found = evaluate_files(truth, tracks)
        assert found['sequences'] == {name: expected} and found['combined'] == expected


def test_what_cannot_be_scored(lamotr_data, layout, tmp_path):
    data = layout / 'trackers' / 'ours' / 'data'
    (tmp_path / 'empty').mkdir()
    for arguments, message in (
        ((tmp_path / 'none', data), 'none: no such file or folder of ground truth'),
        ((layout / 'gt', tmp_path / 'none'), 'none: no such file or folder of tracks'),
        ((tmp_path / 'empty', data), 'has no ground truth'),
        ((layout / 'gt', tmp_path / 'empty'), r'has no TUD-Campus\.txt, TUD-Stadtmitte\.txt'),
        ((layout / 'gt', data / 'TUD-Campus.txt'), 'is one file, there is ground truth of 2'),
        ((layout / 'gt', data, 'KITTI'), 'benchmark KITTI'),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            evaluate_files(*arguments)
    (data / 'TUD-Campus.txt').write_text('1,1,2\n')
    with pytest.raises(ValueError, match='TUD-Campus'):
        evaluate_files(layout / 'gt', data)
