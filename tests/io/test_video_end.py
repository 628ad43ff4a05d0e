"""Whole files of many kinds pass without a word; copies that stopped midway do not."""

from fractions import Fraction
from itertools import cycle

import av
import numpy as np
import pytest

from lamotr_mm.io.frames import open_frames

CODECS = dict(
    mkv='libx264', ts='libx264', m2ts='libx264', avi='mpeg4', webm='libvpx', mp4='libx264'
)
TICKS = Fraction(1, 90_000)


def write(path, count=40, fps=25, durations=None, audio=0.0, **options):
    """A video of random tiles.

    Args:
        durations: of the frames in ticks of 1/90,000 s, again and again; default: as ``fps``.
        audio: seconds of silence beside it.
        options: of the container.
    """
    rng = np.random.default_rng(0)
    with av.open(str(path), 'w', options=options) as container:
        codec = CODECS[path.suffix[1:]]
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        stream.codec_context.thread_count = 1
        time_base = TICKS if durations else 1 / Fraction(fps)
        stream.time_base = stream.codec_context.time_base = time_base
        if audio:
            sound = container.add_stream('libopus' if codec == 'libvpx' else 'aac', 48_000)
        pts = 0
        for _, duration in zip(range(count), cycle(durations or [1])):
            tiles = rng.integers(0, 256, (2, 3, 3), np.uint8).repeat(32, 0).repeat(32, 1)
            frame = av.VideoFrame.from_ndarray(tiles, format='rgb24')
            frame.pts, pts = pts, pts + duration
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for start in range(0, int(48_000 * audio), 960):
            silence = np.zeros((1, 960), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format='flt', layout='mono')
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(sound.encode(frame))
        if audio:
            container.mux(sound.encode())
    return path


def cut(path):
    """The first half of the packets of the picture: nothing that a decoder would complain about."""
    with av.open(str(path)) as container:
        at = sorted(packet.pos for packet in container.demux(video=0) if packet.size)
    half = path.with_stem('half')
    # the few bytes of the next packet are too few for any container
    half.write_bytes(path.read_bytes()[: at[len(at) // 2] + 3])
    return half


def trim(path, start):
    """What `ffmpeg -ss start -c copy` makes of a file that starts with its only key frame."""
    out = path.with_stem('trimmed')
    with av.open(str(path)) as source, av.open(str(out), 'w') as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        shift = int(start / stream.time_base)
        for packet in source.demux(stream):
            if packet.size:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copy
                target.mux(packet)
    return out


def count_frames(path):
    return sum(1 for _ in open_frames(path))


KINDS = dict(
    plain={},
    ntsc=dict(fps=Fraction(30_000, 1001)),
    slow=dict(fps=1),
    fast=dict(fps=60, count=120),
    variable=dict(durations=[1500, 12_000, 3000, 6000, 45_000]),
    long_sound=dict(audio=4.0),
    short_sound=dict(audio=0.5),
)


@pytest.mark.parametrize('suffix', CODECS)
@pytest.mark.parametrize('kind', KINDS)
def test_whole_files_pass_and_halves_are_noticed(kind, suffix, tmp_path, caplog):
    if kind == 'variable' and suffix == 'avi':
        pytest.skip('AVI has one rate')
    faststart = dict(movflags='faststart') if suffix == 'mp4' else {}
    path = write(tmp_path / f'whole.{suffix}', **KINDS[kind], **faststart)
    whole = KINDS[kind].get('count', 40)
    assert count_frames(path) == whole
    assert not caplog.records
    frames = count_frames(cut(path))
    assert whole / 2 - 4 <= frames <= whole / 2
    (record,) = caplog.records
    assert f'half.{suffix} ends after frame {frames}, ' in record.getMessage()
    assert record.getMessage().endswith(': is the file cut off?')


@pytest.mark.parametrize('suffix', ['mkv', 'webm'])
def test_the_seconds_that_are_there_are_told(suffix, tmp_path, caplog):
    frames = count_frames(cut(write(tmp_path / f'whole.{suffix}', count=50, fps=10)))
    told = f'ends after frame {frames}, at {frames / 10:.1f} s of 5.0 s that its header promises'
    assert told in caplog.text


def test_frames_that_an_mp4_hides_are_not_missed(tmp_path, caplog):
    """Trimmed without encoding: frames from the key frame before the start are there, not shown."""
    trimmed = trim(write(tmp_path / 'whole.mp4'), start=0.6)
    with av.open(str(trimmed)) as container:
        assert container.streams.video[0].frames == 40
    assert count_frames(trimmed) == 25
    assert not caplog.records


def test_fragments(tmp_path, caplog):
    flags = dict(movflags='frag_keyframe+empty_moov')
    assert count_frames(write(tmp_path / 'fragments.mp4', **flags)) == 40
    assert not caplog.records


def test_reading_a_part_is_no_reason_to_warn(tmp_path, caplog):
    assert len(list(open_frames(cut(write(tmp_path / 'whole.mkv')), end=5))) == 5
    assert not caplog.records
