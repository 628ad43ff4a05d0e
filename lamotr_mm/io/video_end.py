"""Does a video end where its container says? Copies that stopped midway do not."""

import av
from av.container import InputContainer

_TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # bytes of a packet, offset of its sync byte
_SYNC = 0x47


class VideoEnd:
    """Holds what is read of a video against what its container promises, in seconds.

    Time is compared, not frames: few containers count frames, rates vary within a video, and sound
    may outlast the picture, so that the last packet of any stream counts.

    Args:
        container: open and not read yet, with a video stream.
    """

    def __init__(self, container: InputContainer) -> None:
        self._container = container
        self._stream = container.streams.video[0]
        self._packets = 0
        self._reached = 0.0
        self._shown: float | None = None
        self._longest = 0.0

    def add_packet(self, packet: av.Packet) -> None:
        """A packet of any stream was read."""
        if not packet.size:  # the flush at the end, or a dropped frame of an AVI
            return
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._reached = max(self._reached, end)
        self._packets += packet.stream_index == self._stream.index

    def add_frame(self, frame: av.VideoFrame) -> None:
        """A frame was decoded, in the order in which it is shown."""
        if frame.time is not None and self._shown is not None:
            self._longest = max(self._longest, frame.time - self._shown)
        self._shown = frame.time

    def missing(self) -> str | None:
        """What the end lacks, where the file was read to its end; None where nothing does.

        Twice the longest frame may lack, and half a second more where frames are not counted:
        containers differ in whether they count what the last frame lasts, and the delay of the
        first one.
        """
        promised = self._promised()
        slack = 2 * self._longest + (0.0 if self._packets < self._stream.frames else 0.5)
        if promised - self._reached > slack:
            return f'at {self._reached:.1f} s of {promised:.1f} s that its header promises'
        if self._container.format.name == 'mpegts' and self._in_a_packet():
            return 'in the middle of a packet'
        return None

    def _promised(self) -> float:
        container, stream = self._container, self._stream
        promised = 0.0
        if container.duration is not None:
            promised = ((container.start_time or 0) + container.duration) / av.time_base
        # FFmpeg shortens the duration of an AVI with its file, but not its number of frames. An
        # mp4 that was trimmed without encoding counts frames that are there and not shown.
        if self._packets < stream.frames and stream.average_rate:
            promised = max(promised, float(stream.frames / stream.average_rate))
        return promised

    def _in_a_packet(self) -> bool:
        """A transport stream has no header that could promise anything, but whole packets."""
        with open(self._container.name, 'rb') as file:
            head = file.read(4 * 204 + 4)
            size = file.seek(0, 2)
        for length, offset in _TS_PACKETS:
            starts = range(offset, min(len(head), 4 * length), length)
            if all(head[start] == _SYNC for start in starts):
                return size % length != 0
        return False
