"""Where the part is: foreground by its difference from the ground that the border of a photograph shows."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.types import BoolArray, ByteArray

_SIDE = 256
_FEWEST, _MOST, _MOST_OF_BORDER = 0.02, 0.95, 0.12
_SEPARATION = 3.0


def estimate_foreground(image: ByteArray) -> BoolArray | None:
    """The part on an even ground, bool H x W; None where the photograph shows no such ground.

    The colour of the ground is the median along the border; what differs from it by more than Otsu's threshold is the
    part, its holes included. None if that is under 2 % or over 95 % of the photograph, if the border itself is not
    even, or if part and ground hardly differ: then the part fills the photograph, as surfaces do.

    Args:
        image: uint8 RGB H x W x 3.
    """
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    difference = np.linalg.norm(colours - np.median(border, axis=0), axis=2)
    levels = np.clip(difference, 0, 255).astype(np.uint8)
    threshold, part = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    on_border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]]).mean()
    spread = np.median(np.linalg.norm(border - np.median(border, axis=0), axis=1))
    if threshold < _SEPARATION * max(1.0, float(spread)) or on_border > _MOST_OF_BORDER:
        return None
    opened = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    filled = _without_holes(opened.astype(np.uint8))
    if not _FEWEST < filled.mean() < _MOST:
        return None
    # A little wider, so that the soft edge of the part belongs to it.
    wider = cv2.dilate(filled, np.ones((3, 3), np.uint8))
    return cv2.resize(wider, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.bool_)


def _without_holes(part: ByteArray) -> ByteArray:
    """The part with every outline filled."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(part), outlines, -1, 1, cv2.FILLED), np.uint8)
