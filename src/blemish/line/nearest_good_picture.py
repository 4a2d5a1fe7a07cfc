"""A picture of why a region is one: the part, and beside it the nearest good patch at the same scale."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.overlay import captioned
from blemish.core.pictures import fitted
from blemish.core.types import ByteArray, Region
from blemish.line.nearest_good import NearestGood

SIDE = 320
"""Side of each of the pictures in pixels."""

_GAP = 8
_BAR = (54, 60, 68)
_BAD, _GOOD = (218, 30, 40), (46, 160, 67)


def pair_picture(photograph: ByteArray, region: Region, nearest: NearestGood) -> ByteArray:
    """Where the region is, what the network saw there, and the nearest good patch at the same scale, in one row.

    Args:
        photograph: that was inspected, uint8 RGB H x W x 3, at any scale.
        region: which `nearest` is of, in pixels of the photograph's own size.
        nearest: the good patch.

    Returns:
        uint8 RGB; frames mark the patch that was compared. Without pictures of good patches the last is missing.
    """
    shown = [
        captioned(_where(photograph, region, nearest), f"region {nearest.region + 1}", _BAR),
        captioned(_marked(nearest.part, nearest.marks[0], nearest.marks[2], _BAD), "this part", _BAD),
    ]
    if nearest.picture is not None:
        copied = f", {nearest.copied}" if nearest.copied else ""
        good = _marked(nearest.picture, nearest.marks[1], nearest.marks[2], _GOOD)
        shown.append(captioned(good, f"nearest good: {nearest.photograph}{copied}", _GOOD))
    high = max(one.shape[0] for one in shown)
    row = [
        cv2.copyMakeBorder(one, 0, high - one.shape[0], 0, _GAP, cv2.BORDER_CONSTANT, value=(255,) * 3)
        for one in shown
    ]
    whole = np.asarray(np.concatenate(row, axis=1)[:, :-_GAP], np.uint8)
    words = nearest.how_far()
    return captioned(whole, words[0].upper() + words[1:], _BAR)


def _where(photograph: ByteArray, region: Region, nearest: NearestGood) -> ByteArray:
    """The photograph, small, with the region's box on it."""
    small = fitted(photograph, SIDE)
    scale = small.shape[1] / nearest.width
    boxed = np.full((SIDE, SIDE, 3), 255, np.uint8)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    boxed[top : top + small.shape[0], left : left + small.shape[1]] = small
    first = left + round(region.x * scale), top + round(region.y * scale)
    last = left + round((region.x + region.width) * scale), top + round((region.y + region.height) * scale)
    cv2.rectangle(boxed, first, last, _BAD, 2)
    return boxed


def _marked(picture: ByteArray, mark: tuple[int, int], side: int, colour: tuple[int, int, int]) -> ByteArray:
    """A picture at the size of a row, with a frame around the patch."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    large = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC))
    first = round(mark[0] * scale), round(mark[1] * scale)
    last = round((mark[0] + side) * scale), round((mark[1] + side) * scale)
    cv2.rectangle(large, first, last, (255, 255, 255), 4)
    cv2.rectangle(large, first, last, colour, 2)
    return np.asarray(large, np.uint8)
