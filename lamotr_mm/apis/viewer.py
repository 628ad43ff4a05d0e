"""Tracks in a window while they are found."""

import cv2
import numpy as np

from lamotr_mm.visualization.draw_tracks import TrackPainter

from .results import Tracks


class Viewer:
    """A window with drawn tracks.

    Args:
        name: of the window.
        wait_time: seconds for which a frame is shown, at least.
    """

    def __init__(self, name: str, wait_time: float = 0) -> None:
        self.name = name
        self.wait_time = wait_time
        self._painter = TrackPainter()

    def show(self, image: np.ndarray, tracks: Tracks) -> bool:
        """Show the next frame; whether the user wants to end (`q` or Esc).

        Raises:
            ValueError: there is no display.
        """
        try:
            cv2.imshow(self.name, self._painter(image, tracks.boxes_xyxy, tracks.ids))
            key = cv2.waitKey(max(round(1000 * self.wait_time), 1))
        except cv2.error as error:
            raise ValueError(
                'showing needs a display, and OpenCV with windows (opencv-python, not -headless)'
            ) from error
        return key in (ord('q'), 27)
