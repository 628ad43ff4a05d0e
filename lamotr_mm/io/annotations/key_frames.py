"""Boxes between key frames, as annotation tools fill them in: linear in each coordinate."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Key(NamedTuple):
    """A box that somebody set.

    Attributes:
        frame (int): Its frame.
        box (tuple[float, ...]): Its coordinates, in any box format.
        shown (bool): Whether the target is there in this frame.
        goes_on (bool): Whether it is there up to the next key frame, or to the last frame.
    """

    frame: int
    box: tuple[float, ...]
    shown: bool = True
    goes_on: bool = True


def fill(keys: Iterable[Key], last: int) -> Iterator[tuple[int, tuple[float, ...], Key]]:
    """Boxes of a target in all frames in which it is there.

    Args:
        keys (Iterable[Key]): Its key frames in any order, one a frame.
        last (int): Last frame of the video: after its last key a target that goes on stays where
            it is.

    Yields:
        tuple[int, tuple[float, ...], Key]: Frame, box, and the key at or before it; ascending.
    """
    keys = sorted(keys)
    for key, following in zip(keys, [*keys[1:], None]):
        if key.shown:
            yield key.frame, key.box, key
        if not key.goes_on:
            continue
        end = last + 1 if following is None else following.frame
        target = key.box if following is None else following.box
        for frame in range(key.frame + 1, end):
            part = (frame - key.frame) / (end - key.frame)
            box = tuple(a + (b - a) * part for a, b in zip(key.box, target))
            yield frame, box, key
