"""The stream from frames to files, with a model that says what it was shown."""

import io
import signal
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from lamotr_mm.apis.inferencer import build_pipeline, track_frames
from lamotr_mm.apis.track_video import boxes_of, track_video
from lamotr_mm.apis.write_tracks import FrameBoxes, Progress, TrackSummary, mot_lines
from lamotr_mm.io.frames import FrameReadError, open_frames
from lamotr_mm.io.overlap import DEPTH
from lamotr_mm.io.video_writer import VideoWriter
from lamotr_mm.visualization.contact_sheet import EvenSample, contact_sheet
from lamotr_mm.visualization.draw_tracks import TrackPainter

PIPELINE = [
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(40, 30), keep_ratio=True),
            dict(type='LoadTrackAnnotations'),
        ],
    ),
    dict(type='PackTrackInputs'),
]


class EchoModel:
    """Stands in for LAMOTR: track 1 is one px wider per frame of its session; track 7 comes with
    the third frame; boxes of track 1 start at x = the frame's brightness."""

    def parameters(self):
        """On a CPU."""
        yield torch.zeros(1)

    def __init__(self) -> None:
        self.cfg = Config(
            dict(default_scope='mmdet', test_dataloader=dict(dataset=dict(pipeline=PIPELINE)))
        )
        self.seen = []

    def new_session(self) -> list:
        return []

    def data_preprocessor(self, data: dict, training: bool) -> dict:
        assert not training
        return data

    def predict(self, inputs: list, data_samples: list, session: list) -> list:
        (image,), (sample,) = inputs, data_samples
        frame = sample[0]
        self.seen.append((tuple(image.shape), dict(frame.metainfo)))
        session.append(image)
        age, left = len(session), float(image.float().mean())
        boxes = [[left, 10.0, left + age, 20.0], [1.0, 2.0, 3.0, 5.0]]
        shown = 2 if age > 2 else 1
        frame.pred_track_instances = InstanceData(
            bboxes=torch.tensor(boxes)[:shown].flip(0),
            scores=torch.tensor([0.75, 0.5])[:shown].flip(0),
            labels=torch.zeros(shown, dtype=torch.int64),
            instances_id=torch.tensor([1, 7])[:shown].flip(0),
        )
        return [sample]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Frames 5, 6, 8 and 9 of 80x60 px and brightness 50, 60, 80, 90."""
    path = tmp_path / 'street'
    path.mkdir()
    for number in (5, 6, 8, 9):
        cv2.imwrite(str(path / f'{number:04d}.png'), np.full((60, 80, 3), 10 * number, np.uint8))
    return path


def test_frames_reach_the_model_resized_and_numbered(folder):
    model = EchoModel()
    stream = track_frames(model, open_frames(folder))
    number, image, sample = next(stream)
    assert len(model.seen) == 1  # one frame at a time
    assert (number, image.shape) == (5, (60, 80, 3))
    assert sample.pred_track_instances.bboxes.tolist() == [[50, 10, 51, 20]]
    assert [number for number, _, _ in stream] == [6, 8, 9]
    shapes, metas = zip(*model.seen)
    assert set(shapes) == {(1, 3, 30, 40)}
    assert [meta['frame_id'] for meta in metas] == [0, 1, 2, 3]
    assert {meta['video_id'] for meta in metas} == {0}
    assert {(meta['ori_shape'], meta['img_shape']) for meta in metas} == {((60, 80), (30, 40))}


def test_each_video_starts_afresh(folder):
    model = EchoModel()
    widths = []
    for _ in range(2):
        for _, _, sample in track_frames(model, open_frames(folder, end=6)):
            box = sample.pred_track_instances.bboxes[-1]
            widths.append(float(box[2] - box[0]))
    assert widths == [1, 2, 1, 2]


def test_two_videos_in_turn(folder):
    model = EchoModel()
    streams = [track_frames(model, open_frames(folder, end=end)) for end in (6, 8)]
    tracks = [len(sample.pred_track_instances) for pair in zip(*streams) for _, _, sample in pair]
    assert tracks == [1, 1, 1, 1]
    assert len(next(streams[1])[2].pred_track_instances) == 2, 'its third frame'


@pytest.mark.parametrize(
    'image', [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))]
)
def test_no_image(image):
    with pytest.raises(ValueError, match=r'frame 4 is .*expected uint8'):
        list(track_frames(EchoModel(), [(4, image)]))


def test_nothing_is_loaded_from_disk():
    kinds = [type(t).__name__ for t in build_pipeline(EchoModel().cfg).transforms]
    assert kinds == ['TransformBroadcaster', 'PackTrackInputs']
    with pytest.raises(ValueError, match='no test_dataloader'):
        build_pipeline(Config(dict(model=dict())))


def test_all_outputs(folder, tmp_path, capsys):
    out = [tmp_path / 'out' / name for name in ('a.mp4', 'a.txt', 'a.png')]
    summary = track_video(EchoModel(), open_frames(folder), *out)
    assert (summary.frames, summary.tracks, summary.files, summary.hint) == (4, 2, out, None)
    assert '4/4 frames' in capsys.readouterr().err
    assert sorted(file.name for file in (tmp_path / 'out').iterdir()) == ['a.mp4', 'a.png', 'a.txt']
    assert out[1].read_text().splitlines() == [
        '5,1,50.0000,10.0000,1.0000,10.0000,0.750000,-1,-1,-1',
        '6,1,60.0000,10.0000,2.0000,10.0000,0.750000,-1,-1,-1',
        '8,1,80.0000,10.0000,3.0000,10.0000,0.750000,-1,-1,-1',
        '8,7,1.0000,2.0000,2.0000,3.0000,0.500000,-1,-1,-1',
        '9,1,90.0000,10.0000,4.0000,10.0000,0.750000,-1,-1,-1',
        '9,7,1.0000,2.0000,2.0000,3.0000,0.500000,-1,-1,-1',
    ]
    with av.open(str(out[0])) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4
    assert cv2.imread(str(out[2])) is not None


def noise(count: int) -> Iterator[tuple[int, np.ndarray]]:
    rng = np.random.default_rng(0)
    for number in range(1, count + 1):
        yield number, rng.integers(0, 256, (60, 80, 3), np.uint8)


def test_overlapping_changes_no_byte(tmp_path):
    """Against one frame after another: read, track, draw, write."""
    for number, image in noise(40):
        cv2.imwrite(str(tmp_path / f'{number}.png'), image)
    source = open_frames(tmp_path)
    track_video(
        EchoModel(), source, tmp_path / 'a.mp4', tmp_path / 'a.txt', tmp_path / 'a.png', False
    )
    painter, sheet, rows = TrackPainter(), EvenSample(), []
    with VideoWriter(tmp_path / 'b.mp4', source.fps) as video:
        for number, image, sample in track_frames(EchoModel(), noise(40)):
            tracks = sample.pred_track_instances
            drawn = painter(image, tracks.bboxes.numpy(), tracks.instances_id.numpy())
            video.write(drawn)
            sheet.add(number, drawn)
            rows += mot_lines(number, boxes_of(sample))
    assert (tmp_path / 'a.txt').read_text() == ''.join(rows)
    assert (tmp_path / 'a.mp4').read_bytes() == (tmp_path / 'b.mp4').read_bytes()
    assert np.array_equal(cv2.imread(str(tmp_path / 'a.png')), contact_sheet(sheet.frames()))


class Frames:
    """Stands in for a FrameSource that says how many of its images are alive."""

    path, fps, num_frames, live = Path('camera'), 25.0, 60, False

    def __init__(self) -> None:
        self.images = weakref.WeakSet()
        self.most = 0

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for number, image in noise(60):
            kept = np.array(image).view(Image)
            self.images.add(kept)
            self.most = max(self.most, len(self.images))
            yield number, kept


class Image(np.ndarray):
    """An array that can be in a set."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def test_memory_stays_bounded(tmp_path, monkeypatch):
    """However slow the writer: what is read ahead, what waits to be written, what is in work."""
    entered = threading.Semaphore(0)

    def slow(writer, image):
        entered.acquire(timeout=0.02)  # of a semaphore that nobody releases
        return write(writer, image)

    write = VideoWriter.write
    monkeypatch.setattr(VideoWriter, 'write', slow)
    frames = Frames()
    track_video(EchoModel(), frames, tmp_path / 'a.mp4', progress=False)
    assert DEPTH < frames.most <= 2 * DEPTH + 4


def test_failure_of_the_writer(folder, tmp_path, monkeypatch):
    def full(writer, image):
        raise OSError('no space left on device')

    monkeypatch.setattr(VideoWriter, 'write', full)
    (tmp_path / 'out').mkdir()
    with pytest.raises(OSError, match='no space left'):
        track_video(
            EchoModel(), open_frames(folder), tmp_path / 'out/a.mp4', tmp_path / 'out/a.txt'
        )
    assert not list((tmp_path / 'out').iterdir())


def test_ctrl_c_leaves_nothing(tmp_path):
    """A real signal, while frames are read ahead and written behind."""

    class Interrupted(EchoModel):
        def predict(self, **kwargs) -> list:
            if len(self.seen) == 20:
                signal.raise_signal(signal.SIGINT)
            return super().predict(**kwargs)

    before = threading.active_count()
    # a shell starts its background jobs with the signal ignored, and Python keeps that
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            track_video(Interrupted(), Frames(), tmp_path / 'a.mp4', tmp_path / 'a.txt')
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == before


def test_start_and_end(folder, tmp_path):
    track_video(EchoModel(), open_frames(folder, 6, 8), mot_out=tmp_path / 'a.txt', progress=False)
    rows = [line.split(',')[:2] for line in (tmp_path / 'a.txt').open()]
    assert rows == [['6', '1'], ['8', '1']]


def test_failure_leaves_nothing(folder, tmp_path):
    (folder / '0008.png').write_bytes(b'broken')
    outputs = tmp_path / 'out'
    outputs.mkdir()
    (outputs / 'a.txt').write_text('older')
    with pytest.raises(FrameReadError, match=r'0008\.png \(frame 8\)'):
        track_video(
            EchoModel(),
            open_frames(folder),
            outputs / 'a.mp4',
            outputs / 'a.txt',
            outputs / 'a.png',
            progress=False,
        )
    assert [file.name for file in outputs.iterdir()] == ['a.txt']
    assert (outputs / 'a.txt').read_text() == 'older'


def test_outputs_that_would_destroy(folder, tmp_path):
    video = tmp_path / 'a.mp4'
    track_video(EchoModel(), open_frames(folder), video, progress=False)
    before = video.read_bytes()
    with pytest.raises(ValueError, match='is the input'):
        track_video(EchoModel(), open_frames(video), tmp_path / '.' / 'a.mp4', progress=False)
    with pytest.raises(ValueError, match='two outputs'):
        track_video(
            EchoModel(), open_frames(video), tmp_path / 'b.mp4', tmp_path / 'b.mp4', progress=False
        )
    assert video.read_bytes() == before


def test_no_tracks():
    nothing = FrameBoxes(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
    assert mot_lines(1, nothing) == []


def test_progress_of_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    meter = Progress(None, stream)
    meter._shown = -1e9  # the last output was long ago
    meter.update()
    meter.finish()
    assert stream.getvalue().startswith('\r1 frames, ')
    assert stream.getvalue().endswith('\n')


def test_summary_names_the_files():
    text = str(TrackSummary(30, 4, 2.0, [Path('a.mp4'), Path('b.txt')]))
    assert text == '30 frames, 4 tracks, 15.0 frames/s\n  a.mp4\n  b.txt'
    assert str(TrackSummary(30, 0, 2.0, [], 'look here')).splitlines()[1:] == ['look here']
