"""Reading of MOTChallenge folders, against hand-written files and an independent parser."""

from collections import Counter

import av
import cv2
import numpy as np
import pytest
from trackeval.datasets import MotChallenge2DBox

from lamotr_mm.apis.video_io import VideoWriter
from lamotr_mm.datasets.mot_format import (
    BENCHMARKS,
    MOTFormatError,
    Row,
    class_rule,
    detect_benchmark,
    extract_frames,
    find_video,
    list_frames,
    read_gt,
    read_seqinfo,
    read_sequence,
)

GOOD = '1,1,10,20,30,40,1,1,1'


def write_gt(tmp_path, *lines):
    path = tmp_path / 'gt.txt'
    path.write_text('\n'.join(lines) + '\n')
    return path


def write_video(path, num_frames, size=(64, 48)):
    """A video without loss whose frame k (from 0) is grey of value 20 k."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = 'bgr0'
        for k in range(num_frames):
            image = np.full((size[1], size[0], 3), 20 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
        container.mux(stream.encode())


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


class TestSequence:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / 'walk'
        (folder / 'img1').mkdir(parents=True)
        for number in (2, 1, 10):
            cv2.imwrite(str(folder / 'img1' / f'{number:03d}.png'), np.zeros((4, 6, 3), np.uint8))
        return folder

    def test_with_seqinfo(self, lamotr_data):
        sequence = read_sequence(lamotr_data / 'mot17_mini' / 'MOT17-02-FRCNN')
        assert (sequence.name, sequence.length, sequence.fps) == ('MOT17-02-FRCNN', 600, 30)
        assert (sequence.width, sequence.height) == (1920, 1080)
        assert list(sequence.frames) == [1, 2, 3, 4]
        assert sequence.gt_file.is_file()

    def test_without_seqinfo(self, folder):
        sequence = read_sequence(folder)
        assert (sequence.name, sequence.length, sequence.fps) == ('walk', 10, 30)
        assert (sequence.width, sequence.height) == (6, 4)
        # by number, not by name
        assert [file.name for file in sequence.frames.values()] == ['001.png', '002.png', '010.png']

    def test_other_image_folder(self, folder):
        (folder / 'img1').rename(folder / 'frames')
        (folder / 'seqinfo.ini').write_text('[Sequence]\nimDir=frames\nframeRate=12.5\n')
        assert read_sequence(folder).fps == 12.5

    @pytest.mark.parametrize(
        ('text', 'complaint'),
        [
            ('[Sequence]\nseqLength=many\n', "seqlength must be a positive number, got 'many'"),
            ('seqLength=5\n', 'not a [Sequence] file'),
            ('[Other]\n', 'not a [Sequence] file'),
        ],
    )
    def test_broken_seqinfo(self, folder, text, complaint):
        (folder / 'seqinfo.ini').write_text(text)
        with pytest.raises(MOTFormatError) as error:
            read_seqinfo(folder)
        assert complaint in str(error.value)
        assert 'seqinfo.ini' in str(error.value)

    def test_size_other_than_stated(self, folder):
        (folder / 'seqinfo.ini').write_text('[Sequence]\nimWidth=60\nimHeight=4\n')
        with pytest.raises(MOTFormatError, match=r'6x4 px, seqinfo\.ini says 60x4'):
            read_sequence(folder)

    def test_first_frame_unreadable(self, folder):
        (folder / 'img1' / '001.png').write_text('no image')
        with pytest.raises(MOTFormatError, match=r'001\.png: not a readable image'):
            read_sequence(folder)

    @pytest.mark.parametrize('name', ['frame7.png', '000.png', '1.png'])
    def test_odd_names(self, folder, name):
        (folder / 'img1' / name).touch()
        with pytest.raises(MOTFormatError, match='frame'):
            list_frames(folder / 'img1')

    def test_no_frames(self, tmp_path):
        with pytest.raises(MOTFormatError, match='no images'):
            list_frames(tmp_path)
        with pytest.raises(MOTFormatError, match='no such folder'):
            list_frames(tmp_path / 'img1')


class TestExtractFrames:
    def test_every_frame_in_order(self, tmp_path):
        write_video(tmp_path / 'clip.mkv', 6)
        calls = []
        extract_frames(tmp_path / 'clip.mkv', tmp_path / 'img1', on_frame=lambda: calls.append(1))
        files = sorted((tmp_path / 'img1').iterdir())
        assert [file.name for file in files] == [f'{n:06d}.jpg' for n in range(1, 7)]
        assert len(calls) == 6
        for k, file in enumerate(files):
            assert cv2.imread(str(file)).mean() == pytest.approx(20 * k, abs=8)

    def test_takes_the_first(self, tmp_path):
        write_video(tmp_path / 'clip.mkv', 6)
        extract_frames(tmp_path / 'clip.mkv', tmp_path / 'img1', 4)
        assert len(list((tmp_path / 'img1').iterdir())) == 4

    def test_what_is_there_stays(self, tmp_path):
        (tmp_path / 'img1').mkdir()
        extract_frames(tmp_path / 'missing.mp4', tmp_path / 'img1')
        assert list((tmp_path / 'img1').iterdir()) == []

    def test_goes_on_after_an_interruption(self, tmp_path):
        write_video(tmp_path / 'clip.mkv', 3)
        (tmp_path / '.img1.part').mkdir()
        (tmp_path / '.img1.part' / '000009.jpg').write_text('left over')
        extract_frames(tmp_path / 'clip.mkv', tmp_path / 'img1')
        assert len(list((tmp_path / 'img1').iterdir())) == 3

    def test_nothing_is_left_of_an_interruption(self, tmp_path):
        write_video(tmp_path / 'clip.mkv', 3)

        def stop():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            extract_frames(tmp_path / 'clip.mkv', tmp_path / 'img1', on_frame=stop)
        assert [file.name for file in tmp_path.iterdir()] == ['clip.mkv']

    def test_nothing_is_left_of_a_failure(self, tmp_path):
        write_video(tmp_path / 'clip.mkv', 3)
        before = sorted(tmp_path.iterdir())
        with pytest.raises(MOTFormatError, match='has 3 frames, 5 are needed'):
            extract_frames(tmp_path / 'clip.mkv', tmp_path / 'img1', 5)
        assert sorted(tmp_path.iterdir()) == before

    def test_no_video(self, tmp_path):
        (tmp_path / 'clip.mkv').write_text('no video at all')
        with pytest.raises(MOTFormatError, match=r'clip\.mkv: not a readable video'):
            extract_frames(tmp_path / 'clip.mkv', tmp_path / 'img1')
        assert [file.name for file in tmp_path.iterdir()] == ['clip.mkv']

    def test_lying_phone_video_is_turned_upright(self, tmp_path):
        video = tmp_path / 'clip.mp4'
        with VideoWriter(video, 10) as writer:
            for _ in range(2):
                writer.write(np.zeros((48, 64, 3), np.uint8))
        data = bytearray(video.read_bytes())
        one, minus = ((k << 16).to_bytes(4, 'big', signed=True) for k in (1, -1))
        last = (1 << 30).to_bytes(4, 'big')
        identity = one + bytes(12) + one + bytes(12) + last
        at = data.index(identity, data.index(b'tkhd'))
        data[at : at + 36] = bytes(4) + one + bytes(4) + minus + bytes(16) + last
        video.write_bytes(data)
        extract_frames(video, tmp_path / 'img1')
        assert cv2.imread(str(tmp_path / 'img1' / '000002.jpg')).shape == (64, 48, 3)

    def test_which_video(self, tmp_path):
        assert find_video(tmp_path) is None
        (tmp_path / 'a.avi').touch()
        assert find_video(tmp_path).name == 'a.avi'
        (tmp_path / 'b.MP4').touch()
        with pytest.raises(MOTFormatError, match=r'a\.avi, b\.MP4'):
            find_video(tmp_path)
