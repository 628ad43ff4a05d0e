"""Frames extracted from videos that tell their number."""

import av
import cv2
import numpy as np
import pytest

from lamotr_mm.io.extract_frames import extract_frames
from lamotr_mm.io.mot_folder import MOTFormatError
from lamotr_mm.io.video_writer import VideoWriter


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
