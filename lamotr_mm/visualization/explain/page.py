"""One self-contained HTML file with data, pictures, style and script: no network is needed."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lamotr_mm.io.files import replace_on_success

from ..draw_tracks import BASE_COLOURS, LIGHTNESS, colour_of
from .events import Event, life_events, switch_events
from .records import FrameRecord

# 300 frames within 20 MB, with style, script and events
FRAME_BYTES = 19_800_000 // 300
# longest side in px and JPEG quality: the first that fits
LADDER = ((960, 85), (960, 70), (960, 55), (800, 55), (640, 55), (640, 40), (480, 40), (320, 40))
SCRIPTS = ('state.js', 'scene.js', 'reason.js', 'matrix.js', 'timeline.js', 'main.js')


class ExplanationPage:
    """Collects frames and writes the page.

    A frame takes at most `FRAME_BYTES` of the file, unless its records alone are larger (from about
    100 tracks and 100 objects on): its picture is scaled and compressed to what they leave.

    Args:
        title: of the page.
        size: (width, height) of the video in px.
        fps: frames per second, for playing.
        rules: thresholds of the lifecycle by name; ``gate`` is needed.
        classes: names by label.
    """

    def __init__(
        self,
        title: str,
        size: tuple[int, int],
        fps: float,
        rules: Mapping[str, Any],
        classes: Sequence[str] = ('object',),
    ) -> None:
        self.frames: list[FrameRecord] = []
        self._images: list[str] = []
        palette = [colour_of(i)[::-1] for i in range(len(BASE_COLOURS) * len(LIGHTNESS))]
        self._header: dict[str, Any] = dict(
            title=title,
            width=size[0],
            height=size[1],
            fps=fps,
            rules=dict(rules),
            classes=list(classes),
            palette=['#{:02x}{:02x}{:02x}'.format(*rgb) for rgb in palette],
            prior=0.0,
            layers=0,
        )

    def add(self, record: FrameRecord, image_bgr: np.ndarray, prior: float, layers: int) -> None:
        """The next frame.

        Args:
            record: of the frame.
            image_bgr: ``(H, W, 3)`` uint8.
            prior: logit of ``S`` where the association matrix is 0.
            layers: number of SGLA layers.
        """
        self._header |= dict(prior=round(prior, 4), layers=layers)
        self.frames.append(record)
        left = FRAME_BYTES - len(_dump(record.as_json()))
        self._images.append(encode_image(image_bgr, left))

    def events(self, switches: Sequence[tuple[int, int, int, int, int]] = ()) -> list[Event]:
        """Of all frames, in order; switches as for `switch_events`."""
        events = life_events(self.frames) + switch_events(switches, self.frames)
        return sorted(events, key=lambda event: event.frame)

    def write(
        self, path: str | Path, switches: Sequence[tuple[int, int, int, int, int]] | None = None
    ) -> list[Event]:
        """Write the page; it appears whole or not at all.

        Args:
            path: the HTML file.
            switches: as for `switch_events`; None: there is no ground truth.

        Returns:
            What happened to the tracks.
        """
        events = self.events(switches or ())
        data = self._header | dict(
            truth=switches is not None,
            events=[event.as_json() for event in events],
            frames=[
                frame.as_json() | dict(image=image)
                for frame, image in zip(self.frames, self._images)
            ],
        )
        with replace_on_success(path) as part:
            part.write_text(_fill(self._header['title'], data), encoding='utf-8')
        return events


def encode_image(image_bgr: np.ndarray, limit: int) -> str:
    """A picture as JPEG in base64, of at most ``limit`` characters if that can be.

    Args:
        image_bgr: ``(H, W, 3)`` uint8.
        limit: number of characters.
    """
    text, scaled, side = '', image_bgr, max(image_bgr.shape[:2])
    for longest, quality in LADDER:
        if longest < side:
            factor = longest / side
            scaled = cv2.resize(image_bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode('.jpg', scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        text = base64.b64encode(jpeg.tobytes()).decode()
        if len(text) <= limit:
            break
    return text


def _fill(title: str, data: Mapping[str, Any]) -> str:
    """The template with everything in its place."""
    folder = files(__package__) / 'page'
    parts = {
        'title': html.escape(title),
        'style': (folder / 'page.css').read_text(encoding='utf-8'),
        'script': '\n'.join((folder / name).read_text(encoding='utf-8') for name in SCRIPTS),
        # a text in the data must not end the element that holds it
        'data': _dump(data).replace('<', '\\u003c'),
    }
    page = (folder / 'page.html').read_text(encoding='utf-8')
    for name, text in parts.items():  # the data last: they may hold anything
        page = page.replace(f'{{{{{name}}}}}', text, 1)
    return page


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False)
