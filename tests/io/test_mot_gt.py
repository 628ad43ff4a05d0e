"""Ground truth of MOTChallenge, against hand-written files and an independent parser."""

from collections import Counter

import numpy as np
import pytest
from trackeval.datasets import MotChallenge2DBox

from lamotr_mm.io.mot_folder import MOTFormatError
from lamotr_mm.io.mot_gt import BENCHMARKS, Row, class_rule, detect_benchmark, read_gt

GOOD = '1,1,10,20,30,40,1,1,1'


def write_gt(tmp_path, *lines):
    path = tmp_path / 'gt.txt'
    path.write_text('\n'.join(lines) + '\n')
    return path


class TestReadGt:
    def test_values_one_by_one(self, lamotr_data):
        path = lamotr_data / 'pets09_s2l1' / 'gt' / 'gt.txt'
        reference = np.loadtxt(path, delimiter=',')
        reference = reference[np.lexsort((reference[:, 1], reference[:, 0]))]
        rows, skipped = read_gt(path, 600, class_rule('mot15'))
        assert np.array_equal(np.array(rows), reference)
        assert not skipped

    def test_classes_of_mot17(self, lamotr_data):
        path = lamotr_data / 'mot17_mini' / 'MOT17-02-FRCNN' / 'gt' / 'gt.txt'
        reference = np.loadtxt(path, delimiter=',')
        kept = reference[np.isin(reference[:, 7], [1, 2, 7, 8, 12])]
        kept = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
        rows, skipped = read_gt(path, 600, class_rule('mot17'))
        assert np.array_equal(np.array(rows), kept)
        assert skipped == {'other class': len(reference) - len(kept)}

        # in each of 4 frames: pedestrians, persons on vehicles, static persons, distractors
        assert Counter(row.class_id for row in rows) == {1: 88, 2: 12, 7: 28, 8: 8}
        assert all((row.flag == 1) == (row.class_id == 1) for row in rows)

    @pytest.mark.parametrize('name', ['TUD-Campus', 'TUD-Stadtmitte'])
    def test_ten_columns_of_mot15(self, lamotr_data, name):
        path = lamotr_data / 'tud' / name / 'gt.txt'
        reference = np.loadtxt(path, delimiter=',')
        reference = reference[np.lexsort((reference[:, 1], reference[:, 0]))]
        assert reference.shape[1] == 10
        rows, _ = read_gt(path, int(reference[-1, 0]), class_rule('mot15'))
        assert np.array_equal(np.array(rows)[:, :7], reference[:, :7])
        assert {row[7:] for row in rows} == {(1, 1.0)}

    def test_order_of_rows_does_not_matter(self, tmp_path):
        lines = ['2,1,5,5,5,5,1,1,1', '1,2,6,6,6,6,1,1,1', GOOD]
        rows, _ = read_gt(write_gt(tmp_path, *lines), 2, class_rule('custom'))
        assert [(row.frame, row.id) for row in rows] == [(1, 1), (1, 2), (2, 1)]

    def test_mot15_rows_have_no_class(self, tmp_path):
        path = write_gt(tmp_path, '1,0,10,20,30,40,1,-1,-1,-1', '2,0,1,2,3,4,0,4.5,-2.1,0')
        rows, _ = read_gt(path, 2, class_rule('mot15'))
        assert rows == [
            Row(1, 0, 10, 20, 30, 40, 1, 1, 1),
            Row(2, 0, 1, 2, 3, 4, 0, 1, 1),
        ]

    def test_blank_lines_spaces_and_byte_order_mark(self, tmp_path):
        path = write_gt(tmp_path, '\ufeff1, 1, 10, 20, 30, 40, 1, 1, 0.5', '', '  ')
        rows, _ = read_gt(path, 1, class_rule('custom'))
        assert rows == [Row(1, 1, 10, 20, 30, 40, 1, 1, 0.5)]

    def test_zero_size_is_skipped_and_counted(self, tmp_path):
        path = write_gt(tmp_path, GOOD, '1,2,5,5,0,5,1,1,1', '1,3,5,5,5,0,1,1,1')
        rows, skipped = read_gt(path, 1, class_rule('custom'))
        assert [row.id for row in rows] == [1]
        assert skipped == {'zero size': 2}

    @pytest.mark.parametrize(
        ('line', 'complaint'),
        [
            ('1,2,10,20,30,40,1', '9 columns expected'),
            ('1 2 10 20 30 40 1 1 1', '9 columns expected'),
            ('1,2,10,20,30,40,1,1,1,1,1', 'got 11'),
            ('1,2,10,abc,30,40,1,1,1', "column 4 is no number: 'abc'"),
            ('1,2,10,20,30,,1,1,1', "column 6 is no number: ''"),
            ('1,2,nan,20,30,40,1,1,1', "column 3 is not finite: 'nan'"),
            ('1,2,10,20,inf,40,1,1,1', "column 5 is not finite: 'inf'"),
            ('1,2,10,20,-30,40,1,1,1', 'got -30.0 and 40.0'),
            ('0,2,10,20,30,40,1,1,1', 'frame 0 is outside 1..5'),
            ('6,2,10,20,30,40,1,1,1', 'frame 6 is outside 1..5'),
            ('1.5,2,10,20,30,40,1,1,1', 'frame must be whole, got 1.5'),
            ('1,-1,10,20,30,40,1,1,1', 'id must be >= 0, got -1'),
            ('1,1,11,20,30,40,1,1,1', 'id 1 is in frame 1 already, at line 1'),
            ('1,2,10,20,30,40,1,7,1', 'class 7 is none of [1]'),
            ('\x00\xff\x00', '9 columns expected'),
        ],
    )
    def test_a_broken_row_is_named(self, tmp_path, line, complaint):
        path = write_gt(tmp_path, GOOD, line)
        with pytest.raises(MOTFormatError) as error:
            read_gt(path, 5, class_rule('custom'))
        assert f'{path}:2: ' in str(error.value)
        assert complaint in str(error.value)

    def test_several_broken_rows_are_named_at_once(self, tmp_path):
        path = write_gt(tmp_path, *[f'1,{i},1,1,1,x,1,1,1' for i in range(30)])
        with pytest.raises(MOTFormatError) as error:
            read_gt(path, 5, class_rule('custom'))
        named = [line for line in str(error.value).splitlines() if str(path) in line]
        assert [int(line.split(':')[-3]) for line in named] == list(range(1, 11))


class TestClasses:
    @pytest.mark.parametrize('benchmark', ['mot16', 'mot17', 'mot20'])
    def test_distractors_are_trackevals(self, tmp_path, benchmark):
        config = MotChallenge2DBox.get_default_dataset_config()
        (tmp_path / 'gt.txt').touch()
        config |= dict(
            BENCHMARK=benchmark.upper(),
            GT_FOLDER=str(tmp_path),
            GT_LOC_FORMAT='{gt_folder}/gt.txt',
            TRACKERS_FOLDER=str(tmp_path),
            TRACKERS_TO_EVAL=[],
            SKIP_SPLIT_FOL=True,
            SEQ_INFO={'a': 1},
            PRINT_CONFIG=False,
        )
        numbers = MotChallenge2DBox(config).class_name_to_class_id
        names = ['person_on_vehicle', 'static_person', 'distractor', 'reflection']
        names += ['non_mot_vehicle'] if benchmark == 'mot20' else []
        rule = BENCHMARKS[benchmark]
        assert rule.targets == {numbers['pedestrian']: 'pedestrian'}
        assert rule.ignored == {numbers[name]: name for name in names}
        assert {n for n in range(-1, 20) if rule.known(n)} == set(numbers.values())

    def test_custom(self):
        rule = class_rule('custom', ['fly', 'bee'])
        assert rule.targets == {1: 'fly', 2: 'bee'}
        assert not rule.known(3)

    def test_fixed_ones_cannot_be_renamed(self):
        with pytest.raises(ValueError, match='mot17'):
            class_rule('mot17', ['fly'])

    @pytest.mark.parametrize(
        ('names', 'benchmark'),
        [
            (['MOT17-02-FRCNN', 'MOT17-04-DPM'], 'mot17'),
            (['MOT20-01'], 'mot20'),
            (['dancetrack0001'], 'dancetrack'),
            (['v_-6Os86HzwCs_c001'], 'sportsmot'),
            (['PETS09-S2L1'], 'custom'),
        ],
    )
    def test_told_from_names(self, names, benchmark):
        assert detect_benchmark(names) == benchmark

    def test_mixture_asks(self):
        with pytest.raises(ValueError, match='--benchmark'):
            detect_benchmark(['MOT17-02', 'dancetrack0001'])
