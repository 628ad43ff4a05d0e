"""Reading frames from every kind of input, and writing video, with real and broken files."""

import av
import cv2
import numpy as np
import pytest

from lamotr_mm.io.frames import FrameReadError, open_frames
from lamotr_mm.io.video_writer import VideoWriter


def _pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames that tell their number: a smooth ramp whose brightness is ``10 + 12 * index``."""
    ramp = np.linspace(0, 40, width)[None, :, None] * np.ones((height, 1, 3))
    return [(ramp + 10 + 12 * index).astype(np.uint8) for index in range(count)]


def _write_video(path, count=10, height=48, width=64, fps=12.5):
    with VideoWriter(path, fps) as writer:
        for picture in _pictures(count, height, width):
            writer.write(picture)
    return path


def _write_folder(folder, names, **size):
    folder.mkdir(parents=True)
    for name, picture in zip(names, _pictures(len(names), **size)):
        assert cv2.imwrite(str(folder / name), picture)
    return folder


def _read(path, **limits):
    frames = list(open_frames(path, **limits))
    return [number for number, _ in frames], [image for _, image in frames]


def _which(image: np.ndarray) -> int:
    """Index of the picture that ``image`` shows."""
    return round((float(image.mean()) - 29.5) / 12)


# ---- video


def test_video_round_trip(tmp_path):
    source = open_frames(_write_video(tmp_path / 'a.mp4'))
    assert (source.num_frames, source.fps, source.size, source.name) == (10, 12.5, (64, 48), 'a')
    frames = list(source)
    assert [number for number, _ in frames] == list(range(1, 11))
    for (_, image), picture in zip(frames, _pictures(10)):
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - picture).mean() < 3
    assert len(list(source)) == 10  # again from the start


@pytest.mark.parametrize(
    ('limits', 'numbers'),
    [
        (dict(start=4, end=6), [4, 5, 6]),
        (dict(start=10), [10]),
        (dict(end=2), [1, 2]),
        (dict(start=9, end=99), [9, 10]),
    ],
)
def test_video_start_and_end(tmp_path, limits, numbers):
    path = _write_video(tmp_path / 'a.mp4')
    assert open_frames(path, **limits).num_frames == len(numbers)
    read, images = _read(path, **limits)
    assert read == numbers
    assert [_which(image) + 1 for image in images] == numbers


def test_end_beyond_the_input_warns(tmp_path, caplog):
    _read(_write_video(tmp_path / 'a.mp4'), end=99)
    assert 'ends with frame 10, before end=99' in caplog.text


def test_start_beyond_the_input(tmp_path):
    with pytest.raises(FrameReadError, match='no frame at or after 11'):
        _read(_write_video(tmp_path / 'a.mp4'), start=11)


@pytest.mark.parametrize('limits', [dict(start=0), dict(start=-3), dict(start=5, end=4)])
def test_impossible_range(tmp_path, limits):
    path = _write_video(tmp_path / 'a.mp4', count=2)
    with pytest.raises(ValueError, match='start='):
        open_frames(path, **limits)


def test_lying_video_is_turned_upright(tmp_path):
    """Phones write portrait video as landscape and a display matrix."""
    path = _write_video(tmp_path / 'a.mp4', count=2)
    data = bytearray(path.read_bytes())
    one = (1 << 16).to_bytes(4, 'big')
    identity = one + bytes(12) + one + bytes(12) + (1 << 30).to_bytes(4, 'big')
    minus = (-(1 << 16)).to_bytes(4, 'big', signed=True)
    quarter = bytes(4) + one + bytes(4) + minus + bytes(16) + (1 << 30).to_bytes(4, 'big')
    at = data.index(identity, data.index(b'tkhd'))
    data[at : at + 36] = quarter
    path.write_bytes(data)
    source = open_frames(path)
    assert source.size == (48, 64)
    image = next(iter(source))[1]
    assert image.shape == (64, 48, 3)
    # turned clockwise: the left edge, which is dark, is on top now
    assert image[0].mean() + 30 < image[-1].mean()
    assert np.abs(image.astype(int) - np.rot90(_pictures(1)[0], -1)).mean() < 3


def test_text_is_no_video(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_text('not a video')
    with pytest.raises(FrameReadError, match=r'a\.mp4 is no video'):
        open_frames(path)


def test_missing_input(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        open_frames(tmp_path / 'nowhere.mp4')


# ---- folders and images


def test_natural_order(tmp_path):
    folder = _write_folder(tmp_path / 'f', ['f1.png', 'f2.png', 'f10.png', 'f9.png'])
    numbers, images = _read(folder)
    assert numbers == [1, 2, 3, 4]
    assert [_which(image) for image in images] == [0, 1, 3, 2]


def test_numbers_come_from_the_names(tmp_path, caplog):
    folder = _write_folder(tmp_path / 'f', ['000007.jpg', '000008.jpg', '000010.jpg'])
    assert _read(folder)[0] == [7, 8, 10]
    assert '1 frame(s) missing, the first is 9' in caplog.text
    assert _read(folder, start=8, end=9)[0] == [8]
    with pytest.raises(FrameReadError, match=r'frames 7 to 10, none from start=11'):
        open_frames(folder, start=11)


def test_numbers_from_zero_are_shifted(tmp_path):
    assert _read(_write_folder(tmp_path / 'f', ['0.png', '1.png', '2.png']))[0] == [1, 2, 3]


def test_one_number_twice(tmp_path):
    folder = _write_folder(tmp_path / 'f', ['1.png', '01.png'])
    with pytest.raises(FrameReadError, match='both frame 1'):
        open_frames(folder)


def test_sequence_folder(tmp_path):
    _write_folder(tmp_path / 'seq' / 'img1', ['000001.jpg', '000002.jpg'])
    info = tmp_path / 'seq' / 'seqinfo.ini'
    info.write_text('[Sequence]\nname=Street-01\nimDir=img1\nframeRate=14\n')
    for path in (tmp_path / 'seq', tmp_path / 'seq' / 'img1'):
        source = open_frames(path)
        assert (source.name, source.fps, source.num_frames) == ('Street-01', 14, 2)
        assert [number for number, _ in source] == [1, 2]
    info.write_text('[Sequence]\nframeRate=fast\n')
    with pytest.raises(FrameReadError, match='frameRate=fast'):
        open_frames(tmp_path / 'seq')
    info.write_text('name=Street-01\n')
    with pytest.raises(FrameReadError, match=r'seqinfo\.ini is not'):
        open_frames(tmp_path / 'seq')


def test_sequence_folder_without_seqinfo(tmp_path):
    _write_folder(tmp_path / 'seq' / 'img1', ['000001.jpg', '000002.jpg'])
    assert open_frames(tmp_path / 'seq').num_frames == 2


def test_single_image(tmp_path):
    folder = _write_folder(tmp_path / 'f', ['000123.png'])
    assert _read(folder / '000123.png')[0] == [1]


def test_empty_folder(tmp_path):
    with pytest.raises(FrameReadError, match='no images'):
        open_frames(tmp_path)


@pytest.mark.parametrize(
    ('make', 'expected'),
    [
        (lambda grey: grey, 100),
        (lambda grey: np.dstack([grey, grey, grey, np.zeros_like(grey)]), 100),
        (lambda grey: grey.astype(np.uint16) * 256 + 255, 100),
        (lambda grey: np.dstack([grey.astype(np.uint16) * 256] * 3), 100),
    ],
    ids=['grey', 'rgba', 'grey 16 bit', 'colour 16 bit'],
)
def test_other_pixel_formats(tmp_path, make, expected):
    picture = make(np.full((20, 30), 100, np.uint8))
    assert cv2.imwrite(str(tmp_path / 'a.png'), picture)
    image = _read(tmp_path / 'a.png')[1][0]
    assert (image.shape, image.dtype) == ((20, 30, 3), np.uint8)
    assert np.abs(image.astype(int) - expected).max() <= 1


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.bmp', '.webp'])
def test_truncated_image_is_named(tmp_path, suffix):
    folder = _write_folder(tmp_path / 'f', [f'{n}{suffix}' for n in (1, 2, 3)])
    broken = folder / f'2{suffix}'
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    source = iter(open_frames(folder))
    assert next(source)[0] == 1
    with pytest.raises(FrameReadError, match=rf'2\{suffix} \(frame 2\) cannot be decoded'):
        next(source)


@pytest.mark.parametrize('content', [b'', b'no image'])
def test_no_image(tmp_path, content):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(FrameReadError, match=r'a\.png \(frame 1\) cannot be decoded'):
        open_frames(tmp_path / 'a.png')


def test_image_that_vanishes(tmp_path):
    folder = _write_folder(tmp_path / 'f', ['1.png', '2.png'])
    source = open_frames(folder)
    (folder / '2.png').unlink()
    with pytest.raises(FrameReadError, match=r'2\.png \(frame 2\) is missing'):
        list(source)


def test_size_changes_midway(tmp_path):
    folder = _write_folder(tmp_path / 'f', ['1.png', '2.png'])
    cv2.imwrite(str(folder / '3.png'), np.zeros((50, 64, 3), np.uint8))
    with pytest.raises(FrameReadError, match=r'3\.png \(frame 3\) is 64x50 px.*64x48'):
        list(open_frames(folder))


# ---- real video


def test_pets(lamotr_data):
    path = lamotr_data / 'pets09_s2l1' / 'video.avi'
    source = open_frames(path)
    assert (source.num_frames, source.size) == (600, (768, 576))
    numbers = []
    for number, image in source:
        numbers.append(number)
        if number == 1:
            first = image
    assert numbers == list(range(1, 601))
    assert image.shape == (576, 768, 3)
    expected = cv2.VideoCapture(str(path)).read()[1]
    assert np.abs(first.astype(int) - expected).mean() < 1


def test_pets_cut_off(lamotr_data, tmp_path, caplog):
    """A copy that stopped midway: the frames that are there, then a warning or an error."""
    data = (lamotr_data / 'pets09_s2l1' / 'video.avi').read_bytes()
    path = tmp_path / 'cut.avi'
    path.write_bytes(data[: len(data) // 3])
    numbers = []
    try:
        for number, _ in open_frames(path):
            numbers.append(number)
        message = caplog.text
    except FrameReadError as error:
        message = str(error)
    assert 100 < len(numbers) < 300
    assert 'cut.avi' in message
    assert str(len(numbers)) in message


def test_damaged_pets_frame_is_named(lamotr_data, tmp_path):
    data = bytearray((lamotr_data / 'pets09_s2l1' / 'video.avi').read_bytes())
    with av.open(str(lamotr_data / 'pets09_s2l1' / 'video.avi')) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    at = data.index(bytes(packets[40])[:64])
    data[at : at + 400] = bytes(400)
    path = tmp_path / 'damaged.avi'
    path.write_bytes(data)
    with pytest.raises(FrameReadError, match=r'damaged\.avi: frame 41 of the video cannot be'):
        list(open_frames(path))
