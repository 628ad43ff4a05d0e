"""Zips for the test servers: their bytes, and every rule broken once."""

import json
import zipfile

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from trackeval.datasets import MotChallenge2DBox
from trackeval.utils import TrackEvalException

from lamotr_mm.evaluation import TrackingMetric, find_problems, write_submission
from lamotr_mm.evaluation.submission import check_sequences, has_ground_truth, read_lengths

DANCETRACK = [
    f'dancetrack{number:04d}'
    for number in (
        *(3, 9, 11, 13, 17, 21, 22, 28, 31, 36, 38, 40, 42, 46, 48, 50, 54, 56, 59, 60, 64, 67),
        *(70, 71, 76, 78, 84, 85, 88, 89, 91, 92, 93, 95, 100),
    )
]
MOT17_FRAMES = {'01': 450, '03': 1500, '06': 1194, '07': 500, '08': 625, '12': 900, '14': 750}
MOT17_TRAIN = {'02': 600, '04': 1050, '05': 837, '09': 525, '10': 654, '11': 900, '13': 750}
# the two sequences with tracks, of ids that start at 0 and at 1, unsorted
TRACKS = {
    'dancetrack0003': [
        [2, 0, 10.5, 20.25, 30, 40.0625, 0.875, 1],
        [1, 1, 5, 6, 7, 8, 0.75, 1],
        [1, 0, -1.5, 2, 3, 4, 0.5, 1],
    ],
    'dancetrack0100': [[3, 7, 1, 2, 3.00004, 4, 0.1234567, 1]],
}
GOLDEN = {
    'tracker/dancetrack0003.txt': (
        '1,1,-1.5000,2.0000,3.0000,4.0000,0.500000,-1,-1,-1\n'
        '1,2,5.0000,6.0000,7.0000,8.0000,0.750000,-1,-1,-1\n'
        '2,1,10.5000,20.2500,30.0000,40.0625,0.875000,-1,-1,-1\n'
    ),
    'tracker/dancetrack0100.txt': '3,7,1.0000,2.0000,3.0000,4.0000,0.123457,-1,-1,-1\n',
}


def dance_tracks() -> dict[str, np.ndarray]:
    empty = np.empty((0, 8))
    return {
        name: np.array(TRACKS[name], dtype=float) if name in TRACKS else empty
        for name in DANCETRACK
    }


def contents(path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def make_zip(path, files) -> str:
    with zipfile.ZipFile(path, 'w') as archive:
        for name, text in files:
            archive.writestr(name, text)
    return str(path)


def test_dancetrack_is_the_golden_file(tmp_path):
    path = tmp_path / 'new' / 'tracker.zip'
    lengths = dict.fromkeys(DANCETRACK, 3)
    without = write_submission(path, 'DanceTrack', dance_tracks(), lengths)
    assert contents(path) == {f'tracker/{name}.txt': '' for name in DANCETRACK} | GOLDEN
    assert without == sorted(set(DANCETRACK) - set(TRACKS)) and len(without) == 33
    assert find_problems(path, 'DanceTrack') == find_problems(path, 'DanceTrack', lengths) == []
    first = path.read_bytes()
    write_submission(path, 'DanceTrack', dict(reversed(dance_tracks().items())), lengths)
    assert path.read_bytes() == first, 'equal tracks give equal bytes'


def test_trackeval_reads_what_is_written_and_no_empty_lines(tmp_path, capfd):
    """The servers' program, which reads zips itself."""

    def read(path, name):
        file = f'tracker/{name}.txt'
        content, _ = MotChallenge2DBox._load_simple_text_file(file, is_zipped=True, zip_file=path)
        return {int(frame): np.array(rows, dtype=float) for frame, rows in content.items()}

    path = tmp_path / 'a.zip'
    write_submission(path, 'DanceTrack', dance_tracks(), dict.fromkeys(DANCETRACK, 3))
    assert {name: len(read(path, name)) for name in DANCETRACK} == {
        name: len({row[0] for row in TRACKS.get(name, [])}) for name in DANCETRACK
    }
    np.testing.assert_allclose(
        read(path, 'dancetrack0003')[1][:, :7],
        [[1, 1, -1.5, 2, 3, 4, 0.5], [1, 2, 5, 6, 7, 8, 0.75]],
    )
    broken = make_zip(tmp_path / 'b.zip', [('tracker/dancetrack0003.txt', GOOD + '\n' + GOOD)])
    with pytest.raises(TrackEvalException, match='cannot be read'):
        read(broken, 'dancetrack0003')


@pytest.mark.parametrize('tracked', ['FRCNN', 'SDP', None])
@pytest.mark.parametrize('train', [{}, MOT17_TRAIN], ids=['test', 'train and test'])
def test_mot17_has_three_copies(tmp_path, tracked, train):
    suffix = f'-{tracked}' if tracked else ''
    lengths = {f'MOT17-{n}{suffix}': frames for n, frames in (MOT17_FRAMES | train).items()}
    rows = {
        name: np.array([[frames, 1, 1, 2, 3, index + 1, 0.5, 1]], dtype=float)
        for index, (name, frames) in enumerate(lengths.items())
    }
    write_submission(tmp_path / 'm.zip', 'MOT17', rows, lengths)
    assert contents(tmp_path / 'm.zip') == {
        f'MOT17-{n}-{copy}.txt': f'{frames},1,1.0000,2.0000,3.0000,{index + 1}.0000,0.500000'
        ',-1,-1,-1\n'
        for index, (n, frames) in enumerate((MOT17_FRAMES | train).items())
        for copy in ('DPM', 'FRCNN', 'SDP')
    }


def test_sportsmot_lies_in_the_root(tmp_path):
    from lamotr_mm.preparation.official_splits import SPORTSMOT

    names = SPORTSMOT['test']
    assert len(names) == 150
    rows = {name: np.array([[1, 1, 1, 1, 9, 9, 1, 1]], dtype=float) for name in names}
    write_submission(tmp_path / 's.zip', 'SportsMOT', rows, dict.fromkeys(names, 1))
    assert set(contents(tmp_path / 's.zip')) == {f'{name}.txt' for name in names}


GOOD = '1,1,5,5,9,9,0.5,-1,-1,-1\n'
LINES = {
    '1,1,5,5,9,9,0.5,-1,-1\n': '9 columns; there should be 10',
    GOOD + '2,1,5,5,9,9,0.5\n': 'number of columns changed',
    '1,1,5,x,9,9,0.5,-1,-1,-1\n': "could not convert string 'x'",
    '1.5,1,5,5,9,9,0.5,-1,-1,-1\n': 'frame 1.5 and id 1 should be integers',
    '1,1.5,5,5,9,9,0.5,-1,-1,-1\n': 'frame 1 and id 1.5 should be integers',
    '0,1,5,5,9,9,0.5,-1,-1,-1\n': 'frame 0, id 1: frames count from 1',
    '4,1,5,5,9,9,0.5,-1,-1,-1\n': 'frame 4, id 1: the sequence has 3 frames',
    '1,0,5,5,9,9,0.5,-1,-1,-1\n': 'frame 1, id 0: ids count from 1',
    GOOD + GOOD: 'frame 1: id 1 occurs more than once',
    '1,1,nan,5,9,9,0.5,-1,-1,-1\n': 'is not finite',
    '1,1,5,5,9,-9,0.5,-1,-1,-1\n': 'has a negative width or height',
    '1,1,5,5,0,9,0.5,-1,-1,-1\n': 'width and height should be positive',
    '1,1,5,5,9,9,inf,-1,-1,-1\n': 'the score is not finite',
    '1,1,5,5,9,9,0.5,2,-1,-1\n': 'column 8 should be -1',
    GOOD + '\n' + '2,1,5,5,9,9,0.5,-1,-1,-1\n': 'line 2: empty',
    'é': 'not plain text',
}


@pytest.mark.parametrize(('text', 'message'), LINES.items(), ids=LINES.values())
def test_lines_that_break_a_rule(tmp_path, text, message):
    files = [(f'tracker/{name}.txt', GOOD) for name in DANCETRACK[1:]]
    path = make_zip(tmp_path / 'a.zip', [('tracker/dancetrack0003.txt', text), *files])
    problems = find_problems(path, 'DanceTrack', dict.fromkeys(DANCETRACK, 3))
    assert len(problems) == 1
    assert problems[0].startswith('tracker/dancetrack0003.txt') and message in problems[0]


def test_names_that_break_a_rule(tmp_path):
    good = [(f'tracker/{name}.txt', GOOD) for name in DANCETRACK]

    def problems(files):
        return find_problems(make_zip(tmp_path / 'a.zip', files), 'DanceTrack')

    assert problems([('tracker/', ''), *good]) == []
    assert problems(good[1:]) == ['tracker/dancetrack0003.txt is missing']
    form = 'should not be there: the zip holds only tracker/<sequence>.txt'
    for extra in ('readme.md', 'tracker/a.txt', '__MACOSX/tracker/._dancetrack0003.txt', 'x/'):
        assert problems([*good, (extra, '')]) == [f'{extra} {form}']
    root = problems([(f'{name}.txt', GOOD) for name in DANCETRACK])
    assert len(root) == 70 and root[0] == 'tracker/dancetrack0003.txt is missing'
    assert root[35] == f'dancetrack0003.txt {form}'
    with pytest.warns(UserWarning, match='Duplicate name'):
        assert problems([*good, good[4]]) == ['tracker/dancetrack0017.txt is there 2 times']


def test_mot17_wants_every_copy_and_all_training_sequences_or_none(tmp_path):
    test, train = (
        [(f'MOT17-{n}-{copy}.txt', GOOD) for n in numbers for copy in ('DPM', 'FRCNN', 'SDP')]
        for numbers in (MOT17_FRAMES, MOT17_TRAIN)
    )

    def problems(files):
        return find_problems(make_zip(tmp_path / 'a.zip', files), 'MOT17')

    assert problems(test) == problems(test + train) == []
    assert problems(test[1:]) == ['MOT17-01-DPM.txt is missing']
    assert problems(test + train[1:]) == ['MOT17-02-DPM.txt is missing']
    assert len(problems(test + train[:1])) == 20
    late = ('MOT17-01-DPM.txt', '451,1,5,5,9,9,0.5,-1,-1,-1\n')
    assert problems([late, *test[1:]]) == [
        'MOT17-01-DPM.txt, frame 451, id 1: the sequence has 450 frames'
    ]


def test_files_that_are_no_zip_or_damaged(tmp_path):
    (tmp_path / 'text.zip').write_text('1,1,')
    for name in ('text.zip', 'missing.zip'):
        (problem,) = find_problems(tmp_path / name, 'DanceTrack')
        assert f'{name} is no zip file that can be read' in problem
    path = tmp_path / 'a.zip'
    make_zip(path, [(f'tracker/{name}.txt', GOOD) for name in DANCETRACK])
    path.write_bytes(path.read_bytes().replace(GOOD.encode(), b'9' + GOOD.encode()[1:], 1))
    (problem,) = find_problems(path, 'DanceTrack')
    assert 'tracker/dancetrack0003.txt' in problem and 'CRC' in problem
    with pytest.raises(ValueError, match="benchmark='MOT20' should be one of DanceTrack, Sports"):
        find_problems(path, 'MOT20')


def test_nothing_is_written_on_failure(tmp_path):
    path = tmp_path / 'a.zip'
    path.write_text('older')
    lengths = dict.fromkeys(DANCETRACK, 3)
    tracks = dance_tracks() | {'dancetrack0009': np.array([[4.0, 1, 1, 1, 5, 5, 1, 1]])}
    message = r'a\.zip was not written: .*0009.txt, frame 4, id 1: the sequence has 3 frames$'
    with pytest.raises(ValueError, match=message):
        write_submission(path, 'DanceTrack', tracks, lengths)
    lengths.pop('dancetrack0011')
    with pytest.raises(ValueError, match=r'34 of the 35 .* dancetrack0011 missing'):
        write_submission(path, 'DanceTrack', tracks, lengths)
    assert path.read_text() == 'older' and len(list(tmp_path.iterdir())) == 1


def test_splits_that_are_not_the_test_split():
    def check(benchmark, lengths):
        check_sequences(benchmark, lengths, 'test.json')

    dance = dict.fromkeys(DANCETRACK, 1)
    check('DanceTrack', dance)
    with pytest.raises(ValueError, match=r'2 of the 35 .*0011, .*0013, .*0017 and 30 more missing'):
        check('DanceTrack', dict.fromkeys(DANCETRACK[:2], 1))
    with pytest.raises(ValueError, match=r'test\.json: dancetrack0004 not in the test split of D'):
        check('DanceTrack', dance | {'dancetrack0004': 1})
    mot17 = {f'MOT17-{n}-FRCNN': frames for n, frames in MOT17_FRAMES.items()}
    check('MOT17', mot17)
    with pytest.raises(ValueError, match='MOT17-01 is there 2 times; track one detector copy'):
        check('MOT17', mot17 | {'MOT17-01-DPM': 450})
    with pytest.raises(ValueError, match='MOT17-03-FRCNN has 1499 frames, of 1500'):
        check('MOT17', mot17 | {'MOT17-03-FRCNN': 1499})
    with pytest.raises(ValueError, match=r'8 of the 14 .* MOT17-04, MOT17-05, MOT17-09 and 3 more'):
        check('MOT17', mot17 | {'MOT17-02-FRCNN': 600})
    with pytest.raises(ValueError, match='1 of the 150 sequences'):
        check('SportsMOT', {'v_-9kabh1K8UA_c008': 5})


def cocovid(videos: dict[str, int], annotations=()) -> dict:
    images = [
        dict(id=f'{k}.{i}', video_id=k, frame_id=i, file_name=f'test/{name}/img1/{i + 1:06d}.jpg')
        for k, (name, frames) in enumerate(videos.items())
        for i in range(frames)
    ]
    named = [dict(id=k, name=name) for k, name in enumerate(videos)]
    return dict(videos=named, images=images, annotations=list(annotations), categories=[])


def test_reading_the_split(tmp_path):
    file = tmp_path / 'test.json'
    with pytest.raises(ValueError, match=r'test\.json does not exist: convert'):
        read_lengths(file)
    for text in ('{"videos": [', '[]', '{"videos": []}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r'test\.json is no CocoVID json'):
            read_lengths(file)
    file.write_text(json.dumps(cocovid({'b': 3, 'a': 1})))
    assert read_lengths(file) == {'b': 3, 'a': 1}
    assert not has_ground_truth(file, tmp_path)
    (tmp_path / 'test' / 'a' / 'gt').mkdir(parents=True)
    (tmp_path / 'test' / 'a' / 'gt' / 'gt.txt').touch()
    assert has_ground_truth(file, tmp_path), 'nobody to be seen is a ground truth, too'
    file.write_text(json.dumps(cocovid({'b': 1}, [dict(id=1)])))
    assert has_ground_truth(file, 'elsewhere')


def sample(sequence: str, index: int, rows: list) -> TrackDataSample:
    rows = np.array(rows, dtype=float).reshape(-1, 8)
    meta = dict(video_name=sequence, frame_id=index, mot_frame_id=index + 1, instances=[])
    frame = DetDataSample(metainfo=meta)
    frame.pred_track_instances = InstanceData(
        bboxes=torch.from_numpy(np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])),
        scores=torch.from_numpy(rows[:, 6]),
        labels=torch.zeros(len(rows), dtype=torch.int64),
        instances_id=torch.from_numpy(rows[:, 1].astype(int)),
    )
    track = TrackDataSample()
    track.video_data_samples = [frame]
    return track


def samples(skip=()):
    return [
        sample(name, index, [row for row in TRACKS.get(name, []) if row[0] == index + 1])
        for name in DANCETRACK
        for index in range(3)
        if (name, index) not in skip
    ]


def submit(path, frames, **kwargs) -> dict:
    evaluator = Evaluator(
        [TrackingMetric('DanceTrack', format_only=True, submission=str(path), **kwargs)]
    )
    evaluator.dataset_meta = dict(classes=('pedestrian',))
    for frame in frames:
        evaluator.process([frame])
    return evaluator.evaluate(size=len(frames))


def test_the_metric_writes_the_golden_file(tmp_path):
    assert submit(tmp_path / 'a.zip', samples(), outfile_prefix=str(tmp_path / 'out')) == {}
    expected = {f'tracker/{name}.txt': '' for name in DANCETRACK} | GOLDEN
    assert contents(tmp_path / 'a.zip') == expected
    # beside the zip, on request, the plain files
    written = {f'tracker/{file.name}': file.read_text() for file in (tmp_path / 'out').iterdir()}
    assert written == expected


def test_the_metric_refuses_a_part_of_the_split(tmp_path):
    with pytest.raises(ValueError, match='dancetrack0009: frame 2 was not tracked'):
        submit(tmp_path / 'a.zip', samples(skip=[('dancetrack0009', 1)]))
    skip = [('dancetrack0009', index) for index in range(3)]
    with pytest.raises(ValueError, match='34 of the 35 sequences'):
        submit(tmp_path / 'a.zip', samples(skip))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="benchmark='MOT20' should be one of"):
        TrackingMetric('MOT20', submission='a.zip')
    with pytest.raises(ValueError, match='benchmark=None should be one of'):
        TrackingMetric(submission='a.zip')
    with pytest.raises(ValueError, match='format_only=True needs outfile_prefix'):
        TrackingMetric('DanceTrack', format_only=True)
