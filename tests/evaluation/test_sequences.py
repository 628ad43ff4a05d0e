"""Scores against TrackEval's file-based runner, published values and hand-worked cases."""

import numpy as np
import pytest
import trackeval
from trackeval.datasets import MotChallenge2DBox

from lamotr_mm.evaluation import evaluate_sequences, format_table, table_cells
from lamotr_mm.evaluation.sequences import ArrayDataset, overlapping_pairs

TUD = ('TUD-Campus', 'TUD-Stadtmitte')
SUMMED = ('IDSW', 'FP', 'FN', 'MT', 'ML')


def load(path):
    return np.loadtxt(path, delimiter=',', ndmin=2)


def write(path, rows):
    """Full precision: repr() of a float64 reads back as the same number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [','.join(repr(float(v)) for v in row) for row in rows]
    path.write_text(''.join(f'{line}\n' for line in lines))


def file_dataset(tmp_path, ground_truth, predictions, benchmark):
    """TrackEval's own dataset, over files."""
    lengths = {}
    for name, rows in ground_truth.items():
        write(tmp_path / 'gt' / name / 'gt' / 'gt.txt', rows)
        write(tmp_path / 'trackers' / 'ours' / 'data' / f'{name}.txt', predictions[name])
        lengths[name] = int(max(rows[:, 0].max(), predictions[name][:, 0].max()))
    return MotChallenge2DBox(
        dict(
            GT_FOLDER=str(tmp_path / 'gt'),
            TRACKERS_FOLDER=str(tmp_path / 'trackers'),
            TRACKERS_TO_EVAL=['ours'],
            BENCHMARK=benchmark,
            SKIP_SPLIT_FOL=True,
            SEQ_INFO=lengths,
            DO_PREPROC=benchmark != 'MOT15',
            PRINT_CONFIG=False,
        )
    )


def by_file_runner(tmp_path, ground_truth, predictions, benchmark):
    """Scores of TrackEval's Evaluator, in our form."""
    dataset = file_dataset(tmp_path, ground_truth, predictions, benchmark)
    quiet = dict.fromkeys(
        ('PRINT_RESULTS', 'PRINT_CONFIG', 'TIME_PROGRESS', 'OUTPUT_SUMMARY', 'OUTPUT_DETAILED'),
        False,
    )
    evaluator = trackeval.Evaluator({**quiet, 'PLOT_CURVES': False, 'LOG_ON_ERROR': None})
    metrics = [
        trackeval.metrics.HOTA(),
        trackeval.metrics.CLEAR({'PRINT_CONFIG': False}),
        trackeval.metrics.Identity({'PRINT_CONFIG': False}),
    ]
    found = evaluator.evaluate([dataset], metrics)[0]['MotChallenge2DBox']['ours']

    def scores(result):
        result = result['pedestrian']
        percent = {k: 100 * np.mean(result['HOTA'][k]) for k in ('HOTA', 'DetA', 'AssA', 'LocA')}
        counts = {'FP': 'CLR_FP', 'FN': 'CLR_FN', 'IDSW': 'IDSW', 'MT': 'MT', 'ML': 'ML'}
        return {
            **percent,
            'MOTA': 100 * result['CLEAR']['MOTA'],
            'IDF1': 100 * result['Identity']['IDF1'],
            **{ours: result['CLEAR'][theirs] for ours, theirs in counts.items()},
        }

    combined = scores(found.pop('COMBINED_SEQ'))
    return dict(combined=combined, sequences={name: scores(r) for name, r in found.items()})


def assert_equal_scores(ours, theirs):
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=1e-9), name


def assert_equal_runs(ours, theirs):
    assert_equal_scores(ours['combined'], theirs['combined'])
    assert ours['sequences'].keys() == theirs['sequences'].keys()
    for name, scores in theirs['sequences'].items():
        assert_equal_scores(ours['sequences'][name], scores)


@pytest.fixture(scope='module')
def tud(lamotr_data):
    return tuple(
        {name: load(lamotr_data / 'tud' / name / f'{kind}.txt') for name in TUD}
        for kind in ('gt', 'test')
    )


@pytest.fixture(scope='module')
def mot17(lamotr_data):
    """MOT17-02's ground truth; tracks: its boxes shifted, with distractors and detections."""
    folder = lamotr_data / 'mot17_mini' / 'MOT17-02-FRCNN'
    truth = load(folder / 'gt' / 'gt.txt')
    rng = np.random.default_rng(7)
    truth[rng.random(len(truth)) < 0.1, 6] = 0  # pedestrians that are marked as not scored
    tracks = truth[np.isin(truth[:, 7], (1, 2, 7, 8)) & (rng.random(len(truth)) < 0.9), :7].copy()
    tracks[:, 2:6] += rng.normal(0, 0.06, (len(tracks), 4)) * tracks[:, [4, 5, 4, 5]]
    swap = (tracks[:, 0] == 3) & np.isin(tracks[:, 1], (3, 8))
    tracks[swap, 1] = tracks[swap, 1][::-1]  # identity switches
    detections = load(folder / 'det' / 'det.txt')
    detections = detections[detections[:, 0] <= 4]
    detections[:, 1] = 1000 + np.arange(len(detections))
    tracks = np.concatenate([tracks, detections])
    tracks[:, 6] = rng.random(len(tracks))
    return truth, tracks


def boxes(frames, track_id, x=0.0, size=10.0, flag=1.0, cls=1):
    """Rows of one track that stays where it is."""
    return np.array([[t, track_id, x, 0, size, size, flag, cls] for t in frames], dtype=float)


class TestAgainstTrackEval:
    def test_tud(self, tmp_path, tud):
        assert_equal_runs(
            evaluate_sequences(*tud, benchmark='MOT15'), by_file_runner(tmp_path, *tud, 'MOT15')
        )

    @pytest.mark.parametrize('benchmark', ['MOT16', 'MOT17', 'MOT20'])
    def test_mot17_with_distractors(self, tmp_path, mot17, benchmark):
        truth, tracks = ({'MOT17-02-FRCNN': rows} for rows in mot17)
        ours = evaluate_sequences(truth, tracks, benchmark=benchmark)
        assert_equal_runs(ours, by_file_runner(tmp_path, truth, tracks, benchmark))
        assert ours['combined']['IDSW'] > 0
        # the fixture would not test preprocessing if the distractors made no difference
        pedestrians = {'MOT17-02-FRCNN': mot17[0][mot17[0][:, 7] == 1]}
        without = evaluate_sequences(pedestrians, tracks, benchmark=benchmark)
        assert without['combined']['FP'] > ours['combined']['FP'] + 15

    @pytest.mark.parametrize('benchmark', ['DanceTrack', 'SportsMOT'])
    def test_one_class_benchmarks(self, tmp_path, mot17, benchmark):
        truth, tracks = mot17
        truth = {'dancetrack0004': truth[truth[:, 7] == 1]}
        tracks = {'dancetrack0004': tracks}
        assert_equal_runs(
            evaluate_sequences(truth, tracks, benchmark=benchmark),
            by_file_runner(tmp_path, truth, tracks, benchmark),
        )

    def test_a_sequence_without_tracks(self, tmp_path, tud):
        truth, tracks = tud
        tracks = {TUD[0]: tracks[TUD[0]], TUD[1]: np.empty((0, 10))}
        ours = evaluate_sequences(truth, {TUD[0]: tracks[TUD[0]]}, benchmark='MOT15')
        # TrackEval's reader needs one row: far from everything, it is one false positive
        tracks[TUD[1]] = np.array([[1, 1, -900, -900, 1, 1, 1, -1, -1, -1.0]])
        theirs = by_file_runner(tmp_path, truth, tracks, 'MOT15')
        assert ours['combined']['FN'] == theirs['combined']['FN']
        assert ours['combined']['FP'] == theirs['combined']['FP'] - 1
        assert ours['sequences'][TUD[1]]['HOTA'] == 0

    def test_the_dataset_without_files_equals_that_with_files(self, tmp_path, mot17):
        truth, tracks = ({'x': rows} for rows in mot17)
        theirs = file_dataset(tmp_path, truth, tracks, 'MOT20')
        for name, value in vars(ArrayDataset('MOT20')).items():
            assert getattr(theirs, name) == value, name


def test_known_values_of_the_tud_pair(tud):
    """From motmetrics 1.4.0 (HOTA: MMTracking); the table in the data README."""
    results = evaluate_sequences(*tud, benchmark='MOT15')
    known = {
        TUD[0]: dict(IDF1=55.8, MOTA=52.6, FP=13, FN=150, IDSW=7),
        TUD[1]: dict(IDF1=64.5, MOTA=56.4, FP=45, FN=452, IDSW=7),
    }
    for name, values in known.items():
        for key, value in values.items():
            assert results['sequences'][name][key] == pytest.approx(value, abs=0.051), (name, key)
    combined = dict(HOTA=40.0, IDF1=62.4, MOTA=55.5, FP=58, FN=602, IDSW=14)
    for key, value in combined.items():
        assert results['combined'][key] == pytest.approx(value, abs=0.051), key


class TestByHand:
    def test_perfect(self):
        truth = np.concatenate([boxes(range(1, 6), 4), boxes(range(2, 8), 9, x=50)])
        scores = evaluate_sequences({'a': truth}, {'a': truth})['combined']
        for name in ('HOTA', 'DetA', 'AssA', 'LocA', 'MOTA', 'IDF1'):
            assert scores[name] == pytest.approx(100)
        assert [scores[name] for name in SUMMED] == [0, 0, 0, 2, 0]

    def test_one_identity_switch_in_the_middle(self):
        """Ten frames, ids 1 then 2: AssA = A(5 / 10) = 0.5, HOTA = sqrt(0.5), IDF1 = 5 / 10."""
        tracks = np.concatenate([boxes(range(1, 6), 1), boxes(range(6, 11), 2)])
        scores = evaluate_sequences({'a': boxes(range(1, 11), 1)}, {'a': tracks})['combined']
        assert scores['DetA'] == pytest.approx(100)
        assert scores['AssA'] == pytest.approx(50)
        assert scores['HOTA'] == pytest.approx(100 * 0.5**0.5)
        assert scores['IDF1'] == pytest.approx(50)
        assert scores['MOTA'] == pytest.approx(90)
        assert [scores[name] for name in SUMMED] == [1, 0, 0, 1, 0]

    def test_misses_and_false_positives(self):
        """8 of 10 frames found, 4 boxes off target: MOTA = 1 - (2 + 4) / 10, DetA = 8 / 14."""
        tracks = np.concatenate([boxes(range(1, 9), 1), boxes(range(1, 5), 2, x=100)])
        scores = evaluate_sequences({'a': boxes(range(1, 11), 1)}, {'a': tracks})['combined']
        assert scores['MOTA'] == pytest.approx(40)
        assert scores['DetA'] == pytest.approx(100 * 8 / 14)
        assert scores['AssA'] == pytest.approx(80)
        # 0.8 is not more than 0.8: partly tracked
        assert [scores[name] for name in SUMMED] == [0, 4, 2, 0, 0]

    def test_combined_over_sequences_is_not_their_mean(self):
        truth = {'long': boxes(range(1, 10), 1), 'short': boxes([1], 1)}
        scores = evaluate_sequences(truth, {'long': truth['long']})
        assert scores['combined']['MOTA'] == pytest.approx(90)
        assert scores['sequences']['short']['MOTA'] == 0
        assert scores['combined']['ML'] == 1

    def test_overlapping_pairs(self):
        """IoU of 10 px squares shifted by 2 px: 8 / 12 > 0.6; by 3 px: 7 / 13 < 0.6."""
        square = np.array([0, 0, 10, 10.0])
        shifted = square + np.array([[0], [2], [3]]) * [1, 0, 0, 0]
        assert overlapping_pairs(shifted[:2]) == 1
        assert overlapping_pairs(shifted[[0, 2]]) == 0
        assert overlapping_pairs(shifted) == 2
        assert overlapping_pairs(np.empty((0, 4))) == 0
        tracks = np.concatenate([boxes([1, 2, 3], 1), boxes([2, 3], 2, x=1), boxes([9], 3)])
        results = evaluate_sequences({'a': boxes([1], 1), 'b': boxes([1], 1)}, {'a': tracks})
        assert results['sequences']['a']['overlapping_pairs'] == 2
        assert results['combined']['overlapping_pairs'] == 2


class TestOtherData:
    def test_ignored_boxes_take_unmatched_tracks(self):
        """Tracks 5 and 6 share a target and an ignored box; 7 is false, 8 ignored."""
        truth = np.concatenate(
            [boxes([1], 1), boxes([1], 2, x=1, flag=0), boxes([1], 3, x=100, flag=0)]
        )
        tracks = [boxes([1], 5), boxes([1], 6, x=1), boxes([1], 7, x=50), boxes([1], 8, x=101)]
        scores = evaluate_sequences({'a': truth}, {'a': np.concatenate(tracks)})['combined']
        assert (scores['FP'], scores['FN'], scores['MT']) == (1, 0, 1)
        # MOTChallenge: boxes marked as not scored vanish, what covers them is false
        scores = evaluate_sequences({'a': truth}, {'a': np.concatenate(tracks)}, 'MOT15')[
            'combined'
        ]
        assert (scores['FP'], scores['FN']) == (3, 0)

    def test_ignored_boxes_act_from_an_iou_of_one_half(self):
        """10 px squares, shifted: 3 px 7 / 13 (taken out), 4 px 6 / 14 (false)."""
        truth = np.concatenate([boxes([1], 1, flag=0), boxes([1], 2, x=100)])
        for x, false in ((3, 0), (4, 1)):
            # 96 overlaps the scored box too little to be its match
            tracks = np.concatenate([boxes([1], 1, x=x), boxes([1], 2, x=96)])
            scores = evaluate_sequences({'a': truth}, {'a': tracks})['combined']
            assert (scores['FP'], scores['FN']) == (false + 1, 1)
        near_both = np.concatenate([boxes([1], 1, x=4), boxes([1], 2, x=-1, flag=0)])
        scores = evaluate_sequences({'a': near_both}, {'a': boxes([1], 1)})['combined']
        assert (scores['FP'], scores['FN']) == (0, 1)

    def test_an_ignored_box_never_costs_a_match(self):
        """The track overlaps the ignored box more than the scored one, and counts for this."""
        truth = np.concatenate([boxes([1], 1, x=2), boxes([1], 2, flag=0)])
        scores = evaluate_sequences({'a': truth}, {'a': boxes([1], 1)})['combined']
        assert (scores['FP'], scores['FN']) == (0, 0)

    def test_ignored_boxes_need_no_identity(self):
        truth = np.concatenate(
            [boxes([1], 1), boxes([1], 0, x=50, flag=0), boxes([1], 0, 90, flag=0)]
        )
        assert evaluate_sequences({'a': truth}, {'a': boxes([1], 1)})['combined']['MOTA'] == 100

    def test_confidence_of_ground_truth_only_says_scored_or_not(self):
        truth = boxes(range(1, 5), 1, flag=0.4)
        assert evaluate_sequences({'a': truth}, {'a': truth})['combined']['MT'] == 1

    def test_classes_are_scored_apart_and_together(self):
        truth = np.concatenate([boxes(range(1, 7), 1, cls=1), boxes(range(1, 5), 2, x=50, cls=2)])
        tracks = truth.copy()
        tracks[truth[:, 1] == 2, 7] = 1  # the right boxes, the wrong class
        results = evaluate_sequences({'a': truth}, {'a': tracks}, classes=('bee', 'wasp'))
        assert results['classes']['bee']['FP'] == 4
        assert results['classes']['bee']['MOTA'] == pytest.approx(100 * (6 - 4) / 6)
        assert results['classes']['wasp']['FN'] == 4
        assert results['classes']['wasp']['HOTA'] == 0
        assert results['combined']['MOTA'] == pytest.approx(100 * (6 - 4) / 10)
        assert results['combined'] == results['sequences']['a']
        alone = {'a': boxes(range(1, 7), 1)}
        alone_tracks = {'a': np.concatenate([alone['a'], boxes(range(1, 5), 2, x=50)])}
        assert results['classes']['bee'].items() <= evaluate_sequences(alone, alone_tracks)[
            'combined'
        ].items() | {('overlapping_pairs', 0)}

    def test_a_class_that_never_occurs(self):
        rows = boxes(range(1, 4), 1)
        results = evaluate_sequences({'a': rows}, {'a': rows}, classes=('bee', 'hornet'))
        assert results['combined']['HOTA'] == pytest.approx(100)
        assert results['classes']['hornet']['HOTA'] == 0

    def test_large_sparse_and_negative_ids(self):
        rows = np.concatenate([boxes([1, 2], 10**12), boxes([1, 2], -5, x=50), boxes([2], 0, x=90)])
        assert evaluate_sequences({'a': rows}, {'a': rows})['combined']['HOTA'] == pytest.approx(
            100
        )


class TestFrameRanges:
    def test_a_range_equals_the_same_rows_alone(self, tud):
        truth, tracks = ({TUD[1]: rows[TUD[1]]} for rows in tud)
        inside = {TUD[1]: range(100, 151)}

        def cut(rows):
            rows = rows[TUD[1]]
            return {TUD[1]: rows[(rows[:, 0] >= 100) & (rows[:, 0] <= 150)]}

        ours = evaluate_sequences(truth, cut(tracks), benchmark='MOT15', frames=inside)
        assert ours == evaluate_sequences(cut(truth), cut(tracks), benchmark='MOT15')
        assert ours['combined']['FN'] < 452

    def test_tracks_outside_are_an_error(self):
        with pytest.raises(
            ValueError, match='a: there are tracks in frame 7, which is not evaluated'
        ):
            evaluate_sequences({'a': boxes([1], 1)}, {'a': boxes([7], 1)}, frames={'a': [1, 2]})

    def test_frames_without_boxes_change_nothing(self):
        rows = {'a': boxes([1, 5], 1)}
        assert evaluate_sequences(rows, rows, frames={'a': range(1, 9)}) == evaluate_sequences(
            rows, rows
        )

    @pytest.mark.parametrize('rows', [[], boxes([1], 1)])
    def test_no_ground_truth_at_all(self, rows):
        results = evaluate_sequences({'a': []}, {'a': rows}, frames={'a': [1]})
        assert np.isfinite(list(results['combined'].values())).all()
        assert results['combined']['FP'] == len(rows)

    def test_no_boxes_and_no_frames(self):
        results = evaluate_sequences({'a': []}, {})
        assert np.isfinite(list(results['combined'].values())).all()


class TestErrors:
    def test_they_name_sequence_frame_and_id(self):
        good, twice = boxes([3], 1), np.concatenate([boxes([3], 1), boxes([3], 1, x=50)])
        with pytest.raises(ValueError, match='a, tracks, frame 3: id 1 occurs more than once'):
            evaluate_sequences({'a': good}, {'a': twice})
        with pytest.raises(
            ValueError, match='a, ground truth, frame 3: id 1 occurs more than once'
        ):
            evaluate_sequences({'a': twice}, {'a': good})
        inside_out = boxes([3], 1)
        inside_out[0, 4] = -1
        with pytest.raises(ValueError, match=r'a, tracks, frame 3, id 1: .* negative width'):
            evaluate_sequences({'a': good}, {'a': inside_out})
        with pytest.raises(ValueError, match=r'a, ground truth, frame 3, id 1: .* negative width'):
            evaluate_sequences({'a': inside_out}, {'a': good})
        with pytest.raises(ValueError, match=r'a, tracks, frame 3, id 1: class 2 \(label 1\)'):
            evaluate_sequences({'a': good}, {'a': boxes([3], 1, cls=2)}, benchmark='MOT17')
        with pytest.raises(
            ValueError, match=r'a, ground truth, frame 3, id 1: class 14 .* 1\.\.13'
        ):
            evaluate_sequences({'a': boxes([3], 1, cls=14)}, {'a': good}, benchmark='MOT17')
        with pytest.raises(ValueError, match=r'class 3 \(label 2\) is outside 1\.\.2'):
            evaluate_sequences({'a': good}, {'a': boxes([3], 1, cls=3)}, classes=('x', 'y'))

    def test_arguments(self):
        rows = boxes([1], 1)
        with pytest.raises(ValueError, match="benchmark='MOT18': should be None or one of MOT15"):
            evaluate_sequences({'a': rows}, {'a': rows}, benchmark='MOT18')
        with pytest.raises(
            ValueError, match="tracks of 'b', which has no ground truth; there is: a"
        ):
            evaluate_sequences({'a': rows}, {'b': rows})
        with pytest.raises(ValueError, match='no sequence'):
            evaluate_sequences({}, {})


def table_lines(table: str) -> dict[str, list[str]]:
    """Cells of each line of a table, by their first one."""
    lines = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines()]
    return {line[0]: line for line in lines if line}


def test_table():
    truth = {'a': np.concatenate([boxes([1, 2], 1), boxes([1], 2, x=50, cls=2)])}
    lines = table_lines(format_table(evaluate_sequences(truth, truth, classes=('bee', 'wasp'))))
    assert list(lines) == ['sequence', 'a', 'class bee', 'class wasp', 'combined']
    assert lines['sequence'][1] == 'HOTA'
    assert lines['combined'][1] == '100.00'
    assert lines['class wasp'][-1] == '-'


def test_table_has_no_number_where_nothing_was_measured():
    """The values stay TrackEval's."""
    here, there = boxes([1, 2], 1), boxes([1, 2], 1, x=5000)
    results = evaluate_sequences(
        dict(hit=here, miss=here, silent=here, invented=[], empty=[]),
        dict(hit=here, miss=there, invented=there),
        frames=dict.fromkeys(('hit', 'miss', 'silent', 'invented', 'empty'), (1, 2)),
    )
    assert results['sequences']['miss']['LocA'] == pytest.approx(100)
    assert results['sequences']['invented']['MOTA'] == 0
    lines = table_lines(format_table(results))
    names = ('HOTA', 'DetA', 'AssA', 'LocA', 'MOTA', 'IDF1', 'FP', 'FN')
    shown = {
        sequence: [line[lines['sequence'].index(name)] for name in names]
        for sequence, line in lines.items()
    }
    assert shown['hit'] == ['100.00'] * 6 + ['0', '0']
    assert shown['miss'] == ['0.00', '0.00', '-', '-', '-100.00', '0.00', '2', '2']
    assert shown['silent'] == ['0.00', '0.00', '-', '-', '0.00', '0.00', '0', '2']
    assert shown['invented'] == ['0.00', '0.00', '-', '-', '-', '0.00', '2', '0']
    assert shown['empty'] == ['-'] * 6 + ['0', '0']
    # 2 true, 4 false, 4 missed boxes
    assert shown['combined'][1] == '20.00' and shown['combined'][3] == '100.00'


def test_table_without_a_true_positive_in_a_class():
    truth = {'a': np.concatenate([boxes([1, 2], 1), boxes([1], 2, x=50, cls=2)])}
    tracks = {'a': boxes([1, 2], 1)}
    lines = table_lines(format_table(evaluate_sequences(truth, tracks, classes=('bee', 'wasp'))))
    column = lines['sequence'].index('LocA')
    assert lines['class wasp'][column] == '-'
    assert lines['class bee'][column] == lines['a'][column] == lines['combined'][column] == '100.00'


def test_cells():
    scores = dict(HOTA=12.345, DetA=10.0, AssA=7.0, IDSW=3)
    assert table_cells(scores, ('HOTA', 'IDSW', 'MOTP'), decimals=1) == ['12.3', '3', '-']
