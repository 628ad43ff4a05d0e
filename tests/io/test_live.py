"""Live sources: the newest frame alone, and a camera on HTTP that stalls, drops and restarts."""

import contextlib
import gc
import queue
import threading
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from lamotr_mm.io.frames import FrameReadError, open_frames
from lamotr_mm.io.live import LiveSource

BOUNDARY = 'frame'


def picture(brightness: int) -> np.ndarray:
    return np.full((48, 64, 3), brightness, np.uint8)


class Camera:
    """MJPEG over HTTP. Each connection shows its own brightness: 40 for the first, 80, 120, ...

    Args:
        script: what becomes of each connection after 30 frames: 'drop', 'stall'; later ones go on.
        port: 0: any free one.
    """

    def __init__(self, *script: str, port: int = 0) -> None:
        self.connections = 0
        self.closing = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place, camera.connections = camera.connections, camera.connections + 1
                self.send_response(200)
                self.send_header('Content-Type', f'multipart/x-mixed-replace; boundary={BOUNDARY}')
                self.end_headers()
                data = cv2.imencode('.jpg', picture(40 * (place + 1)))[1].tobytes()
                kind = f'Content-Type: image/jpeg\r\nContent-Length: {len(data)}'
                head = f'--{BOUNDARY}\r\n{kind}\r\n\r\n'
                fate, sent = (script[place] if place < len(script) else 'go on'), 0
                while not camera.closing.wait(0.01):
                    if sent < 30 or fate == 'go on':
                        self.wfile.write(head.encode() + data + b'\r\n')
                        sent += 1
                    elif fate == 'drop':
                        return

            def log_message(self, *args: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # the client has gone
                    super().handle()

        self.server = ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.address = f'http://127.0.0.1:{self.port}/video.mjpg'
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def camera():
    """``camera(*script)``; closed after the test."""
    made = []

    def make(*script, **options):
        made.append(Camera(*script, **options))
        return made[-1]

    yield make
    for each in made:
        if not each.closing.is_set():
            each.close()


def connection_of(image: np.ndarray) -> int:
    return round(float(image.mean()) / 40)


def numbers_until(frames, connection: int) -> dict[int, list[int]]:
    """Connection -> numbers of its frames, until a frame of this one comes."""
    seen: dict[int, list[int]] = {}
    for number, image in frames:
        seen.setdefault(connection_of(image), []).append(number)
        if connection in seen:
            return seen
    raise AssertionError('the source ended')


def test_a_camera_that_drops_and_stalls(camera, caplog):
    source = LiveSource(camera('drop', 'stall').address, timeout=1, patience=30)
    assert (source.size, source.num_frames, source.live) == ((64, 48), None, True)
    assert source.name == '127.0.0.1'
    frames = iter(source)
    seen = numbers_until(frames, 3)
    numbers = [number for of_one in seen.values() for number in of_one]
    assert numbers == sorted(set(numbers))
    assert min(seen) == 1 and list(seen) == sorted(seen)
    # more than a second without a frame, at the source's rate
    assert seen[3][0] - numbers[-2] > 0.8 * source.fps
    assert caplog.text.count('connecting again') >= 2
    frames.close()


def test_a_camera_that_restarts(camera):
    first = camera()
    source = LiveSource(first.address, timeout=1, patience=30)
    frames = iter(source)
    number, _ = next(frames)
    first.close()
    # what was on its way may still come
    second = camera('go on', port=first.port)
    assert second.address == first.address
    later = [next(frames)[0] for _ in range(5)]
    assert later == sorted(set(later)) and later[0] > number
    second.close()
    source.patience = 0.5
    with pytest.raises(FrameReadError, match=r'http.*: no frame for \d+ s'):
        list(frames)


def test_what_cannot_be_opened_is_said_at_once(camera):
    closed = camera()
    closed.close()
    with pytest.raises(FrameReadError, match=r'cannot be opened \(Connection refused\)'):
        open_frames(closed.address)
    with pytest.raises(FrameReadError, match='camera 99: cannot be opened'):
        open_frames(99)
    with pytest.raises(FrameReadError, match='camera 99'):
        open_frames('99')
    with pytest.raises(ValueError, match='its first frame is the next one'):
        open_frames('rtsp://127.0.0.1:1/a', start=3)


class Scripted(LiveSource):
    """Shows the images that are put into a queue; None ends the connection."""

    def __init__(self, images: queue.Queue, **options) -> None:
        self.images = images
        super().__init__('test://camera', **options)

    def _frames(self):
        while True:
            image = self.images.get()
            self.images.task_done()
            if image is None:
                return
            yield image
            del image


def test_only_the_newest_frame_is_kept():
    images: queue.Queue = queue.Queue()
    alive = weakref.WeakSet()

    class Tracked(np.ndarray):
        __hash__ = object.__hash__

    def put(brightness):
        image = picture(brightness).view(Tracked)
        alive.add(image)
        images.put(image)

    put(0)
    source = Scripted(images, end=151)
    frames = iter(source)
    assert next(frames)[0] == 1
    for k in range(1, 101):
        put(k)
    images.put(None)  # when this one is taken, all before it were
    images.join()
    gc.collect()
    assert len(alive) <= 3
    put(101)
    number, image = next(frames)
    assert number >= 101 and image.mean() in (100, 101)
    frames.close()


def test_frames_of_another_size_are_refused():
    images: queue.Queue = queue.Queue()
    images.put(picture(1))
    frames = iter(Scripted(images))
    next(frames)
    images.put(picture(2)[:20])
    with pytest.raises(FrameReadError, match='64x20 px, the frames before it are 64x48'):
        next(frames)
