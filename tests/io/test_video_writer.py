"""Written videos, decoded again."""

import av
import numpy as np
import pytest

from lamotr_mm.io.video_writer import VideoWriter


def _ramp(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Grey frames, each brighter than the one before it."""
    return [np.full((height, width, 3), 10 + 12 * index, np.uint8) for index in range(count)]


def _write_video(path, height=48, width=64):
    with VideoWriter(path, 12.5) as writer:
        for picture in _ramp(10, height, width):
            writer.write(picture)
    return path


def test_video_plays_in_browsers(tmp_path):
    path = _write_video(tmp_path / 'odd.mp4', height=47, width=65)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == 'h264'
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert (stream.width, stream.height) == (66, 48)
        frame = next(container.decode(video=0)).to_ndarray(format='bgr24')
    assert np.abs(frame[47].astype(int) - frame[46]).max() < 8  # padded by repeating, not by black
    data = path.read_bytes()
    assert data.index(b'moov') < data.index(b'mdat')


def test_failure_leaves_no_video(tmp_path):
    with pytest.raises(RuntimeError, match='consumer'), VideoWriter(tmp_path / 'a.mp4', 10) as w:
        w.write(_ramp(1)[0])
        raise RuntimeError('consumer')
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_older_video(tmp_path):
    path = _write_video(tmp_path / 'a.mp4')
    before = path.read_bytes()
    with pytest.raises(ValueError, match='no frame'), VideoWriter(path, 10):
        pass
    with pytest.raises(ValueError, match='after frames of'), VideoWriter(path, 10) as writer:
        writer.write(_ramp(1)[0])
        writer.write(_ramp(1, height=50)[0])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(('name', 'fps'), [('a.avi', 10), ('a.mp4', 0), ('a.mp4', float('nan'))])
def test_writer_refuses(tmp_path, name, fps):
    with pytest.raises(ValueError, match=r'mp4|positive'):
        VideoWriter(tmp_path / name, fps)
