"""Odd and broken videos, and weights, through `tools/track.py`."""

import math
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from workshop import EVERY_OBJECT, Workshop, draw, load_tool, truncate


@pytest.fixture
def ready(workshop) -> Workshop:
    """``config.py`` and, untrained, ``weights.pth``; a sequence of six frames and its json."""
    from lamotr_mm.apis.inferencer import init_model

    torch.manual_seed(0)
    model = init_model(workshop.config(EVERY_OBJECT))
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), 'weights.pth')
    workshop.sequence('a', length=6)
    assert workshop.convert() == 0
    return workshop


def track(source: str | Path, *arguments: str, weights: str = 'weights.pth') -> list[list[float]]:
    """Rows of ``out.txt`` that `tools/track.py` writes."""
    options = ['--config', 'config.py', '--checkpoint', weights, '--mot-out', 'out.txt']
    load_tool('track').main([str(source), *options, *arguments])
    return [[float(x) for x in line.split(',')] for line in Path('out.txt').open()]


def refuse(capsys, source: str | Path, *arguments: str, weights: str = 'weights.pth') -> str:
    """The one line with which the tool ends; it leaves no output behind."""
    before = set(Path().iterdir())
    with pytest.raises(SystemExit) as stop:
        track(source, '--out', 'out.mp4', *arguments, weights=weights)
    assert stop.value.code == 2
    assert set(Path().iterdir()) == before
    text = capsys.readouterr().err
    (line,) = [line for line in text.splitlines() if 'error:' in line]
    assert 'Traceback' not in text
    return line


def folder(name: str, images: dict[int, np.ndarray]) -> Path:
    """A folder of frames by number."""
    path = Path(name)
    path.mkdir()
    for number, image in images.items():
        cv2.imwrite(str(path / f'{number:06d}.png'), image)
    return path


def test_tracking_is_testing(ready):
    """The frames of a sequence give the rows that `tools/test.py --out` writes for it."""
    rows = track('videos/train/a')
    ready.test(ready.config(EVERY_OBJECT), 'weights.pth', '--out', 'tracks')
    tested = np.loadtxt('tracks/a.txt', delimiter=',')
    assert len(rows) > 6 and set(tested[:, 0]) == {1, 2, 3, 4, 5, 6}
    np.testing.assert_allclose(rows, tested, atol=2e-4)


def test_odd_frames(ready):
    """One frame; numbers with gaps; grey, RGBA and 16 bit frames: as the same frames in colour."""
    plain = {number: draw(number, (1, 2)) for number in (3, 4, 8, 9)}
    grey = {number: cv2.cvtColor(i, cv2.COLOR_BGR2GRAY) for number, i in plain.items()}
    as_colour = {number: cv2.cvtColor(i, cv2.COLOR_GRAY2BGR) for number, i in grey.items()}
    odd = dict(grey)
    odd[4] = cv2.cvtColor(as_colour[4], cv2.COLOR_BGR2BGRA)
    odd[8] = grey[8].astype(np.uint16) * 257
    expected = track(folder('plain', as_colour))
    assert {row[0] for row in expected} == {3, 4, 8, 9}
    assert track(folder('odd', odd)) == expected
    one = track(folder('one', {3: as_colour[3]}))
    assert one == [row for row in expected if row[0] == 3]


def test_nothing_in_the_video(ready, capsys):
    """A model that finds nothing: an empty result, not an error, and what its weights know."""
    ready.config('model = dict(lifecycle=dict(det_thr=1.0))')
    assert track(folder('black', {1: np.zeros((64, 96, 3), np.uint8)})) == []
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith('Few tracks (0 boxes in 1 frames): weights of config.py know pedestrian')
    ready.config(EVERY_OBJECT)
    assert len(track('videos/train/a')) > 6
    assert 'Few tracks' not in capsys.readouterr().out


def test_a_video_that_was_cut_off(ready, caplog):
    """Tracked as far as it goes, with a warning; the whole one without."""
    with av.open('whole.mkv', 'w') as container:
        stream = container.add_stream('libx264', rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        for number in range(1, 31):
            image = av.VideoFrame.from_ndarray(draw(number, (1, 2)), format='bgr24')
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    rows = track('whole.mkv')
    assert {row[0] for row in rows} == set(range(1, 31))
    assert 'cut off' not in caplog.text
    truncate(Path(shutil.copy('whole.mkv', 'half.mkv')))
    some = track('half.mkv')
    frames = {row[0] for row in some}
    assert 1 <= len(frames) < 30
    assert some == [row for row in rows if row[0] in frames]
    assert f'half.mkv ends after frame {len(frames)}, at ' in caplog.text


def test_broken_inputs(ready, capsys):
    """Each is one line with the culprit, and leaves nothing half written."""
    frames = {number: draw(number, (1,)) for number in range(1, 5)}
    assert 'nowhere' in refuse(capsys, 'nowhere')
    Path('empty').mkdir()
    assert 'empty' in refuse(capsys, 'empty')
    Path('text.mp4').write_text('no video')
    assert 'text.mp4' in refuse(capsys, 'text.mp4')
    truncate(folder('cut', frames) / '000003.png')
    assert '000003.png' in refuse(capsys, 'cut')
    (folder('no_image', frames) / '000002.png').write_text('no image')
    assert '000002.png' in refuse(capsys, 'no_image')
    frames[4] = np.zeros((70, 50, 3), np.uint8)
    assert '000004.png' in refuse(capsys, folder('sizes', frames))
    assert 'frames 1 to 6, none from start=9' in refuse(capsys, 'videos/train/a', '--start', '9')


def test_broken_weights(ready, capsys):
    """Missing, cut off, of another config, of no config, not finite."""
    source = 'videos/train/a'
    assert 'no.pth does not exist' in refuse(capsys, source, weights='no.pth')
    truncate(Path(shutil.copy('weights.pth', 'cut.pth')))
    assert 'cut.pth is cut off' in refuse(capsys, source, weights='cut.pth')
    Path('text.pth').write_text('no weights')
    assert 'text.pth is no file that torch.save wrote' in refuse(capsys, source, weights='text.pth')
    torch.save(dict(state_dict={'a': torch.zeros(1)}), 'foreign.pth')
    assert 'foreign.pth is of another model' in refuse(capsys, source, weights='foreign.pth')
    state = torch.load('weights.pth')
    state['state_dict']['sotd_head.cls_branches.1.weight'][0, 0] = math.nan
    torch.save(state, 'nan.pth')
    assert 'not finite: the checkpoint is broken' in refuse(capsys, source, weights='nan.pth')
    ready.config('model = dict(sotd_head=dict(num_queries=20))')
    line = refuse(capsys, source)
    assert 'weights.pth is of another model' in line and 'query_embedding' in line
