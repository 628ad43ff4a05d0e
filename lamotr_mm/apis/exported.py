"""Track with an exported model, without PyTorch: `lamotr track --backend onnxruntime`."""

from collections.abc import Generator, Iterable
from contextlib import closing

import numpy as np

from lamotr_mm.deploy.runtime import ExportedModel
from lamotr_mm.io.frames import FrameSource
from lamotr_mm.io.overlap import read_ahead

from .results import Tracks
from .write_tracks import FrameBoxes, TrackedImage


def track_exported(
    model: ExportedModel, frames: FrameSource
) -> Generator[TrackedImage, None, None]:
    """Track one video, frame by frame; one frame is held at a time, however long the video.

    Frames are prepared in one thread, while the network works on those before; of a live source
    none is prepared ahead, and a gap in its numbers is time that passed.

    Args:
        model: opened.
        frames: of :func:`lamotr_mm.io.frames.open_frames`.

    Yields:
        Frames with :class:`Tracks` as details.

    Raises:
        ValueError: a frame is of a size for which the model is not exported; names its number.
        FloatingPointError: the network's scores are not finite.
    """
    session, last = model.new_session(), None
    prepared = _prepare(model, frames)
    with closing(prepared if frames.live else read_ahead(prepared)) as ahead:
        for number, image, images in ahead:
            if frames.live and last is not None:
                session.skip(number - last - 1, model.lifecycle.miss_tolerance)
            last = number
            tracked = model.track_frame(session, model.encode(images), image.shape[:2])
            found = Tracks.from_tracked(
                number, tracked, model.shown(tracked), model.settings.classes
            )
            boxes = FrameBoxes(found.ids, found.boxes_xyxy, found.scores)
            yield TrackedImage(number, image, boxes, found)


def _prepare(
    model: ExportedModel, frames: Iterable[tuple[int, np.ndarray]]
) -> Generator[tuple[int, np.ndarray, np.ndarray], None, None]:
    for number, image in frames:
        try:
            yield number, image, model.prepare(image)
        except ValueError as error:
            raise ValueError(f'frame {number}: {error}') from error
