"""Shapes that programs for annotation draw, as outlines and run lengths."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np

from blemish.core.errors import ImageError
from blemish.core.images import DecodeLimits, decode_image
from blemish.data.marks import Polygon
from blemish.data.run_lengths import Runs, runs_of

_ROUND = 64
"""Corners of a circle."""


def rectangle(left: float, top: float, right: float, bottom: float) -> Polygon:
    """The outline of a box."""
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def ellipse(x: float, y: float, across: float, down: float) -> Polygon:
    """The outline of an ellipse of this middle and these radii."""
    angles = [2 * math.pi * step / _ROUND for step in range(_ROUND)]
    return tuple((x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles)


def line(corners: Polygon) -> Polygon:
    """The outline of a line or of points: there and back again, so that it encloses nothing."""
    return (*corners, *reversed(corners))


def turned(corners: Polygon, degrees: float, x: float, y: float) -> Polygon:
    """An outline turned about a point, clockwise on a picture."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple(
        (x + (a - x) * cosine - (b - y) * sine, y + (a - x) * sine + (b - y) * cosine) for a, b in corners
    )


def base64_of(text: Any) -> bytes:
    """The bytes that a text in Base64 stands for.

    Raises:
        ValueError: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ValueError("its mask is not Base64") from error


def png_runs(content: bytes, left: int, top: int) -> Runs:
    """The run lengths of an image file, marked where it is not black, whose first pixel lies at `left`, `top`.

    Raises:
        ValueError: it cannot be decoded, or marks nothing.
    """
    try:
        pixels = decode_image(content, "its mask", DecodeLimits(min_side=1))
    except ImageError as error:
        raise ValueError(str(error).rstrip(".")) from error
    mask = np.asarray(pixels.any(axis=2), np.bool_)
    if not mask.any():
        raise ValueError("its mask marks nothing")
    return runs_of(mask, left, top)
