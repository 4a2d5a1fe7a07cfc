"""What of a photograph counts in the end, on its own grid and on that of the network's input, and what is filled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray
from blemish.view.regions import IgnoredLater, Regions, continued, covered, filled
from blemish.view.view import View


@dataclass(frozen=True)
class Counting:
    """What counts of photographs of one size.

    Attributes:
        picture: which pixels of the network's input are judged, bool; those that any judged pixel reaches into.
        photograph: which pixels of the photograph are judged, bool; each of them is seen too.
    """

    picture: BoolArray
    photograph: BoolArray


def only_seen(image: ByteArray, view: View, colour: tuple[int, int, int]) -> ByteArray:
    """A photograph, uint8 RGB H x W x 3, in which what does not count has one colour; itself where all counts.

    What was taken away after the fit has the colours of the nearest pixels instead: a network that has not learnt the
    edge of a filled area is less astonished by these. What comes of it depends on the pixels that count alone.
    """
    size = (image.shape[1], image.shape[0])
    if view.regions is not None:
        learnt = view.regions.counted(view.photograph, size)
        image = image if learnt.all() else filled(image, learnt, colour)
    if view.ignored_later is None:
        return image
    later = view.ignored_later.regions.counted(view.photograph, size)
    if not later.any():
        return filled(image, later, colour)
    return image if later.all() else continued(image, later)


def seen_pixels(view: View, shape: tuple[int, ...]) -> BoolArray:
    """Which pixels of a photograph of H x W (and more) are seen, bool H x W, read-only."""
    return _seen(view.regions, view.ignored_later, view.photograph, (shape[1], shape[0]))


def counting(view: View, size: tuple[int, int], height: int, width: int) -> Counting:
    """What is judged of photographs of one size; arrays are read-only.

    Args:
        view: with regions.
        size: width and height of the photograph.
        height, width: of the network's input.
    """
    return _counting(view.regions, view.ignored_later, view.photograph, size, (height, width))


@lru_cache(maxsize=8)
def _counting(
    regions: Regions | None,
    later: IgnoredLater | None,
    usual: tuple[int, int],
    size: tuple[int, int],
    shape: tuple[int, int],
) -> Counting:
    seen = _seen(regions, later, usual, size)
    judged = covered(seen, *shape)
    if later is not None:
        before = np.ones_like(seen) if regions is None else regions.counted(usual, size)
        away = covered(before & ~seen, *shape).view(np.uint8)
        side = 2 * later.margin + 1
        near = cv2.dilate(away, np.ones((side, side), np.uint8)).view(np.bool_)
        judged = judged & ~near
        seen = seen & cv2.resize(judged.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT).view(
            np.bool_
        )
    judged.flags.writeable = seen.flags.writeable = False
    return Counting(judged, seen)


@lru_cache(maxsize=8)
def _seen(
    regions: Regions | None, later: IgnoredLater | None, usual: tuple[int, int], size: tuple[int, int]
) -> BoolArray:
    """Which pixels are seen, bool H x W, read-only."""
    seen = np.ones((size[1], size[0]), np.bool_)
    for one in (regions, None if later is None else later.regions):
        if one is not None:
            seen = seen & one.counted(usual, size)
    seen.flags.writeable = False
    return seen
