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
        ('lines', 'note'),
        [
            (['1 7 1.5 2 3 4 1 1 0.5', '2 7  1.5 2  3 4 0 1 1'], 'by spaces'),
            (['1\t7\t1.5\t2\t3\t4\t1\t1\t0.5', '2\t7\t1.5\t2\t3\t4\t0\t1\t1'], 'by tabs'),
            (['1;7;1.5;2;3;4;1;1;0.5', '2; 7;1.5;2;3;4;0;1;1'], 'by semicolons'),
            (['1,7,1.5,2,3,4,1,1,0.5,', '2,7,1.5,2,3,4,0,1,1'], 'at the end'),
            (
                [
                    '#frame,ID,bb_left,bb_top,bb_width,bb_height,conf,class,visibility',
                    '1,7,1.5,2,3,4,1,1,0.5',
                    '2,7,1.5,2,3,4,0,1,1',
                ],
                'first line',
            ),
        ],
    )
    def test_other_ways_to_write_it(self, tmp_path, lines, note):
        notes = []
        rows, _ = read_gt(write_gt(tmp_path, *lines), 2, class_rule('custom'), on_note=notes.append)
        assert rows == [Row(1, 7, 1.5, 2, 3, 4, 1, 1, 0.5), Row(2, 7, 1.5, 2, 3, 4, 0, 1, 1)]
        assert len(notes) == 1 and note in notes[0]

    def test_nothing_is_assumed_of_the_format_itself(self, tmp_path):
        notes = []
        for line in (GOOD, '1,0,10,20,30,40,1,-1,-1,-1'):
            read_gt(write_gt(tmp_path, line), 2, class_rule('custom'), on_note=notes.append)
        assert notes == []

    def test_six_and_seven_columns(self, tmp_path):
        notes = []
        path = write_gt(tmp_path, '1,7,1.5,2,3,4', '2,7,1.5,2,3,4')
        rows, _ = read_gt(path, 2, class_rule('custom', ['bee']), on_note=notes.append)
        assert rows == [Row(frame, 7, 1.5, 2, 3, 4, 1, 1, 1) for frame in (1, 2)]
        path = write_gt(tmp_path, '1,7,1.5,2,3,4,0.5', '2,7,1.5,2,3,4,0')
        rows, _ = read_gt(path, 2, class_rule('mot17'), on_note=notes.append)
        assert [(row.flag, row.class_id) for row in rows] == [(0.5, 1), (0, 1)]
        assert ['class bee' in notes[0], 'flag' in notes[1]] == [True, True]

    @pytest.mark.parametrize(
        ('lines', 'classes', 'complaint'),
        [
            (['1,7,1,2,3,4'], ['bee', 'wasp'], r'6 columns name no class.*\(bee, wasp\)'),
            (['1,7,1,2,3,4,1'], ['bee', 'wasp'], 'name no class'),
            (['1,7,1,2,3,4,1', '1,8,1,2,3,4,2'], None, 'column 7, the last one, is 1 to 2'),
            (['1,7,1,2,3,4,0'], None, 'not 0 in all rows'),
            (['1,7,1,2,3,4,-1'], None, 'is -1 to -1'),
            (['1,7,1,2,3,4,1,1'], None, '9 columns expected .* got 8'),
            (['1;7;103,5;2;3;4;1;1;1'], None, "column 3 is no number: '103,5'"),
            (['frame,id,x1,y1,x2,y2', '1,7,1,2,3,4'], None, "column 3 is called 'x1', x is"),
            (['frame,id,left,top,right,bottom', '1,7,1,2,3,4'], None, "5 is called 'right', w is"),
            (['1,7,1,2,3,4', '1,8,1,2,3,4,1'], None, 'gt.txt:2: 6 columns expected, got 7'),
            (['1,7,1,2,3,'], None, 'column 6 is no number|columns expected'),
        ],
    )
    def test_what_could_mean_several_things(self, tmp_path, lines, classes, complaint):
        with pytest.raises(MOTFormatError, match=complaint):
            read_gt(write_gt(tmp_path, *lines), 5, class_rule('custom', classes))

    @pytest.mark.parametrize(
        ('numbers', 'frames', 'note'),
        [((0, 2), [1, 3], 'from 0'), ((2, 5), [2, 5], 'from 1'), ((0,), [1], 'from 0')],
    )
    def test_names_from_zero(self, tmp_path, numbers, frames, note):
        """Five images, 0 to 4: frame 0, or 5, in a row tells how rows count."""
        path = write_gt(tmp_path, *[f'{number},7,1,2,3,4,1,1,1' for number in numbers])
        notes = []
        rows, _ = read_gt(path, 5, class_rule('custom'), True, notes.append)
        assert [row.frame for row in rows] == frames
        assert notes == [f'frames in gt.txt count {note}']

    @pytest.mark.parametrize(('numbers', 'why'), [((1, 4), 'no row of either'), ((0, 5), 'both')])
    def test_names_from_zero_in_doubt(self, tmp_path, numbers, why):
        path = write_gt(tmp_path, *[f'{number},7,1,2,3,4,1,1,1' for number in numbers])
        with pytest.raises(MOTFormatError, match=f'{why}.*: rename the images'):
            read_gt(path, 5, class_rule('custom'), from_zero=True)

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
