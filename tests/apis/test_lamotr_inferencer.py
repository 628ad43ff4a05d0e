"""The tracker as one object: models by name, every kind of source, files and returned values."""

import threading

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import TrackDataSample
from mmengine.infer import BaseInferencer

from lamotr_mm.apis import LAMOTRInferencer
from lamotr_mm.apis.inferencer import init_model, track_frames
from lamotr_mm.apis.model_zoo import find_config, find_model, list_models
from lamotr_mm.io.live import LiveSource
from lamotr_mm.io.mot_rows import parse_rows, read_rows


@pytest.fixture
def folder(tmp_path, videos):
    """Frames 21 to 25."""
    (tmp_path / 'walk').mkdir()
    for number, image in enumerate(videos[0], 21):
        cv2.imwrite(str(tmp_path / 'walk' / f'{number}.png'), image)
    return tmp_path / 'walk'


def test_every_source_gives_the_same_tracks(tracker, tiny_tracker, videos, folder):
    """As the functions below it, whose model is not folded."""
    assert isinstance(tracker, BaseInferencer)
    model = init_model(*tiny_tracker)
    reference = [s.pred_track_instances for *_, s in track_frames(model, enumerate(videos[0], 1))]
    files = sorted(folder.iterdir())
    for source, first in (
        (folder, 21),
        (str(folder / '*.png'), 21),
        (files, 1),
        ([str(file) for file in files], 1),
        (videos[0], 1),
        (np.stack(videos[0]), 1),
    ):
        found = tracker(source)['predictions']
        assert [tracks.frame for tracks in found] == list(range(first, first + 5))
        for tracks, expected in zip(found, reference, strict=True):
            assert tracks.ids.tolist() == expected.instances_id.tolist()
            torch.testing.assert_close(
                torch.from_numpy(tracks.boxes_xyxy), expected.bboxes, rtol=0, atol=1e-2
            )
    assert len(tracker(videos[0][0])['predictions']) == 1
    assert len(tracker(str(files[0]))['predictions']) == 1
    streamed = list(tracker.stream(folder, 22, 23))
    assert [(image.shape, t.frame) for image, t in streamed] == [
        ((128, 192, 3), k) for k in (22, 23)
    ]


def test_files_and_returned_values(tracker, folder, tmp_path):
    found = tracker(folder, end=23, out_dir=tmp_path / 'out', return_vis=True)
    written = sorted(str(f.relative_to(tmp_path)) for f in (tmp_path / 'out').rglob('*.*'))
    assert written == ['out/preds/walk.txt', 'out/vis/walk.mp4']
    rows = read_rows(tmp_path / 'out/preds/walk.txt')
    np.testing.assert_array_equal(rows, parse_rows(found['predictions'].to_mot(), ''))
    assert [image.shape for image in found['visualization']] == [(128, 192, 3)] * 3
    assert (found['summary'].frames, found['predictions'].name) == (3, 'walk')
    drawn = tracker.visualize(
        [cv2.imread(str(folder / f'{k}.png')) for k in (21, 22, 23)], found['predictions']
    )
    np.testing.assert_array_equal(drawn, found['visualization'])
    options = dict(no_save_vis=True, return_datasamples=True)
    again = tracker(folder, end=23, out_dir=tmp_path / 'two', **options)
    assert [f.name for f in (tmp_path / 'two').rglob('*.*')] == ['walk.txt']
    assert isinstance(again['predictions'], TrackDataSample) and len(again['predictions']) == 3
    assert again['visualization'] == []


def test_showing_ends_with_q(tracker, folder, monkeypatch):
    shown = []
    keys = iter([-1, ord('q')])
    monkeypatch.setattr(cv2, 'imshow', lambda name, image: shown.append((name, image.shape)))
    monkeypatch.setattr(cv2, 'waitKey', lambda ms: next(keys))
    assert len(tracker(folder, show=True)['predictions']) == 2
    assert shown == [('walk', (128, 192, 3))] * 2

    def no_display(name, image):
        raise cv2.error('cannot open display')

    monkeypatch.setattr(cv2, 'imshow', no_display)
    with pytest.raises(ValueError, match='needs a display'):
        tracker(folder, show=True)


def test_a_live_source(tracker, videos, monkeypatch):
    """Five frames at a time that the test chooses: a long pause ends all tracks."""
    go = threading.Semaphore(0)

    def frames(source):
        for image in videos[0]:
            yield image
            go.acquire()

    monkeypatch.setattr(LiveSource, '_frames', frames)
    stream = tracker.stream('rtsp://camera/1')
    found = []
    for _ in videos[0]:
        found.append(next(stream)[1])
        go.release()
    stream.close()
    assert [tracks.frame for tracks in found] == [1, 2, 3, 4, 5]
    session = tracker.session()
    for tracks, image in zip(found, videos[0]):
        np.testing.assert_array_equal(tracks.boxes_xyxy, session.push(image).boxes_xyxy)


def test_models_by_name(tmp_path):
    for name in ('lamotr_people', 'lamotr_mm::lamotr_people.py'):
        config, weights = find_model(name)
        assert config.endswith('configs/lamotr_people.py') and weights.endswith('people.pth')
    assert list_models()['lamotr_people'].results['PETS09-S2L1, frames 451-600']['HOTA'] == 69.7
    config, weights = find_config('lamotr_dancetrack')
    assert weights is None and find_model(config, 'mine.pth') == (config, 'mine.pth')
    with pytest.raises(ValueError, match='no weights come with lamotr_dancetrack'):
        find_model('lamotr_dancetrack')
    with pytest.raises(ValueError, match=r'people2 .*nor is it one of lamotr_dancetrack, '):
        LAMOTRInferencer('people2')


def test_sources_that_are_none(tracker, folder, tmp_path):
    (tmp_path / 'a.mp4').write_text('')
    (tmp_path / 'b.mp4').write_text('')
    for source, message in (
        ([], 'list of frames is empty'),
        ([str(tmp_path / 'a.mp4')], 'a list names the images of one video'),
        (str(tmp_path / '*.mp4'), 'fits 2 files'),
        (str(tmp_path / '*.mkv'), 'no file fits'),
        (np.zeros((3, 3), np.uint8), 'is no image'),
        ('nowhere.mp4', 'no such video'),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            tracker(source)
