"""What a photograph is like as a picture, in a few cheap numbers: what drifts when light, lens or position do.

Each is chosen so that one cause moves one number: in a weaker light all grey levels fall alike, so contrast is told as
a share of the brightness, and focus as a share of the contrast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np

from blemish.core.types import ByteArray, FloatArray
from blemish.line.rows import NetworkInput, PartsInput
from blemish.view.look import Look

STATISTICS: Mapping[str, str] = {
    "brightness": "mean grey level, 0 to 255",
    "contrast": "spread of the grey levels as a share of the brightness",
    "focus": "spread of the second derivative as a share of the spread of the grey levels",
    "warmth": "red light as a multiple of blue light",
    "tint": "green light as a multiple of the mean of red and blue light",
    "horizontal": "where the part lies from left (0) to right (1)",
    "vertical": "where the part lies from top (0) to bottom (1)",
}
"""What is measured of each photograph, by name."""

_DARKEST = 1.0
"""Grey level that shares are taken of at least, so that a black photograph has some."""

_SIDE = 32
"""In pixels, of the small picture that tells where the part lies."""


def photograph_statistics(given: NetworkInput | PartsInput, photograph: ByteArray) -> dict[str, float]:
    """The `STATISTICS` of what the network is given of a photograph, all finite; means over the parts of several.

    Args:
        given: of `blemish.line.runtime.Inspector.input_of`.
        photograph: uint8 RGB H x W x 3, looked at where the network reads a row of features.
    """
    inputs = given.inputs if isinstance(given, PartsInput) else (given,)
    found = [_of(one.look or _small(photograph)) for one in inputs]
    return {name: float(np.mean([one[name] for one in found])) for name in STATISTICS}


def _small(photograph: ByteArray) -> Look:
    side = min(256, *photograph.shape[:2])
    return Look(np.asarray(cv2.resize(photograph, (side, side), interpolation=cv2.INTER_AREA), np.uint8))


def _of(look: Look) -> dict[str, float]:
    picture, counted, n = look.picture, None, look.picture[..., 0].size
    if look.counted is not None and look.counted.any():
        counted = look.counted.astype(np.uint8)
        n = cv2.countNonZero(counted)
        # Masked copies and sums over all: OpenCV's own means under a mask take several times as long.
        picture = np.asarray(cv2.bitwise_and(picture, picture, mask=counted), np.uint8)
    red, green, blue = (max(total / n, _DARKEST) for total in cv2.sumElems(picture)[:3])
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    mean = cv2.sumElems(grey)[0] / n
    spread = math.sqrt(max(cv2.norm(grey, cv2.NORM_L2SQR) / n - mean * mean, 0.0))
    horizontal, vertical = _place(look, grey, mean, counted)
    return {
        "brightness": mean,
        "contrast": spread / max(mean, _DARKEST),
        "focus": _second_derivative(grey, counted) / max(spread, _DARKEST),
        "warmth": red / blue,
        "tint": 2 * green / (red + blue),
        "horizontal": horizontal,
        "vertical": vertical,
    }


def _second_derivative(grey: ByteArray, counted: ByteArray | None) -> float:
    """Root of its mean square; the edge of what counts is no edge of the part."""
    derivative, n = cv2.Laplacian(grey, cv2.CV_16S), grey.size
    if counted is not None:
        inner = cv2.erode(counted, np.ones((3, 3), np.uint8))
        derivative, n = cv2.copyTo(derivative, inner), max(cv2.countNonZero(inner), 1)
    return math.sqrt(cv2.norm(derivative, cv2.NORM_L2SQR) / n)


def _place(look: Look, grey: ByteArray, mean: float, counted: ByteArray | None) -> tuple[float, float]:
    """Where the part lies, right and down, 0 to 1: as its alignment says, or the centre of what is not as the mean."""
    if look.to_photograph is not None:
        right, down = look.to_photograph @ (0.5, 0.5, 1.0)
        return float(right), float(down)
    # Under the mask the grey levels are zero, and so is what they differ from.
    expected = mean if counted is None else mean * _shrunk(counted)
    moments = cv2.moments(np.abs(_shrunk(grey) - expected))
    if moments["m00"] < 1:
        return 0.5, 0.5
    return (moments["m10"] / moments["m00"] + 0.5) / _SIDE, (moments["m01"] / moments["m00"] + 0.5) / _SIDE


def _shrunk(values: ByteArray) -> FloatArray:
    return cv2.resize(values, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
