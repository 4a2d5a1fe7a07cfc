"""What is measured of a photograph to tell whether an inspector has learnt the like: nine figures and a description.

All of it is of a picture some 150 pixels wide, so that it costs a fraction of a millisecond, and none of it needs a
network. Training and the line both measure here.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, ByteArray, FloatArray
from blemish.view.foreground import MOST_OF_BORDER

VERSION = 1
"""Of what the measures mean."""

FIGURES = ("shape", "detail", "brightness", "contrast", "focus", "colour", "part", "left", "top")
"""Names of the figures, in order.

shape: log of width by height of the photograph; detail: log of its shorter side in pixels.
brightness, contrast: logs of (1 + mean) and (1 + standard deviation) of the grey levels.
focus: log of (1 + root mean square of the Laplacian) by (1 + standard deviation of the grey levels), at the network's
input scale.
colour: mean chroma in the CIE Lab space of 8-bit images.
part, left, top: log of the share that the part covers, and its middle as shares of width and height; not a number where
no plain ground lets a part be told.
"""

LAYOUT, TEXTURE = "layout", "texture"
DESCRIPTIONS = {LAYOUT: slice(9, 73), TEXTURE: slice(73, 129)}
"""Where they stand: grey levels of an 8 x 8 thumbnail, 0 to 1; and square roots of the shares of 16 grey levels, of
edge strengths at three scales, 8 each, and 16 colours."""

COLUMNS = 129
"""Measures of a photograph, all together."""

_SIDE = 128
_SEPARATION = 3.0
_SUM = np.full((1, 3), 1.0, np.float32)
_SQUARE = np.ones((3, 3), np.uint8)
_FEWEST_COUNTED = 64
_STRENGTHS = np.array([0, 2, 4, 8, 16, 32, 64, 128])
_CHROMA = [64, 192]  # of 8-bit Lab; more is rare


def measures_of(
    picture: ByteArray, counted: BoolArray | None, width: int, height: int, *, place_part: bool = True
) -> FloatArray:
    """The measures of a photograph, float32 `COLUMNS`: `FIGURES`, then `DESCRIPTIONS`.

    Args:
        picture: uint8 RGB H x W x 3, what is looked at of it at the network's input size, or the photograph itself.
        counted: which of these pixels count, bool H x W; None for all.
        width, height: size of the photograph itself in pixels.
        place_part: whether the part is looked for, for a sixth of the time; else it is not told.
    """
    small = _decimated(picture, _SIDE)
    coarse = _decimated(small, _SIDE // 2)
    tiny = _decimated(coarse, _SIDE // 4)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    mask = _mask(counted, grey.shape)
    mean, spread = (float(value[0, 0]) for value in cv2.meanStdDev(grey, mask=mask))
    colours = np.asarray(cv2.cvtColor(tiny, cv2.COLOR_RGB2LAB), np.uint8)
    chroma = np.hypot(colours[..., 1] - 128.0, colours[..., 2] - 128.0).mean()
    figures = [
        np.log(width / height),
        np.log(min(width, height)),
        np.log1p(mean),
        np.log1p(spread),
        np.log1p(_sharpness(picture, None if mask is None else counted)) - np.log1p(spread),
        chroma,
        *(_part(coarse) if place_part else (np.nan,) * 3),
    ]
    pieces = [_thumbnail(tiny), _levels(grey, mask), *_edges(grey, mask), _hues(colours)]
    return np.concatenate([figures, *pieces]).astype(np.float32)


def _decimated(picture: ByteArray, side: int) -> ByteArray:
    """The picture with its longer side between `side` and twice that, or as small as it is."""
    height, width = picture.shape[:2]
    step = min(max(height, width) // side, height, width)
    if step < 2:
        return picture
    # A whole step, for which averaging is many times faster.
    height, width = height // step, width // step
    whole = picture[: height * step, : width * step]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _mask(counted: BoolArray | None, shape: tuple[int, ...]) -> ByteArray | None:
    """Which pixels count, 0 or 1; None for all, and where hardly any do."""
    if counted is None:
        return None
    size = shape[1], shape[0]
    mask = np.asarray(cv2.resize(counted.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return mask if _FEWEST_COUNTED <= np.count_nonzero(mask) < mask.size else None


def _sharpness(picture: ByteArray, counted: BoolArray | None) -> float:
    """Root mean square of the Laplacian of the grey levels, away from the edge of what counts."""
    laplacian = cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_16S)
    inside = None
    if counted is not None:
        inside = cv2.erode(counted.astype(np.uint8), np.ones((3, 3), np.uint8))
        inside = inside if inside.any() else None
    count = laplacian.size if inside is None else np.count_nonzero(inside)
    return float(cv2.norm(laplacian, cv2.NORM_L2, mask=inside)) / count**0.5


def _part(coarse: ByteArray) -> tuple[float, float, float]:
    """Log of the part's share, and its middle; not numbers where no part is told.

    As `blemish.view.foreground` tells it, in whole numbers: a part's outline is not wanted here, and time is.
    """
    border = np.sort(np.concatenate([coarse[0], coarse[-1], coarse[:, 0], coarse[:, -1]]), axis=0)
    ground = np.array([*border[len(border) // 2], 0.0])  # OpenCV's scalar
    apart = cv2.transform(cv2.absdiff(coarse, ground), _SUM)
    threshold, part = cv2.threshold(apart, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    edges = cv2.hconcat([part[:1], part[-1:], part[:, :1].T, part[:, -1:].T])
    noise = cv2.hconcat([apart[:1], apart[-1:], apart[:, :1].T, apart[:, -1:].T])
    usual = float(np.sort(noise, axis=None)[noise.size // 2])
    if threshold < _SEPARATION * max(1.0, usual) or cv2.countNonZero(edges) > MOST_OF_BORDER * edges.size:
        return np.nan, np.nan, np.nan
    moments = cv2.moments(cv2.morphologyEx(part, cv2.MORPH_OPEN, _SQUARE), binaryImage=True)
    if not moments["m00"]:
        return np.nan, np.nan, np.nan
    height, width = part.shape
    left, top = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    return np.log(moments["m00"] / part.size), (left + 0.5) / width, (top + 0.5) / height


def _thumbnail(tiny: ByteArray) -> FloatArray:
    grey = cv2.cvtColor(cv2.resize(tiny, (8, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return grey.ravel().astype(np.float32) / np.float32(255)


def _levels(grey: ByteArray, mask: ByteArray | None) -> FloatArray:
    return _roots(cv2.calcHist([grey], [0], mask, [16], [0, 256]))


def _edges(grey: ByteArray, mask: ByteArray | None) -> list[FloatArray]:
    """Shares of edge strengths, in octaves, at three scales."""
    found = []
    for scale in range(3):
        if scale:
            smaller = (max(1, grey.shape[1] // 2), max(1, grey.shape[0] // 2))
            grey = np.asarray(cv2.resize(grey, smaller, interpolation=cv2.INTER_AREA), np.uint8)
            mask = (
                None
                if mask is None
                else np.asarray(cv2.resize(mask, smaller, interpolation=cv2.INTER_NEAREST))
            )
        across = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 1, 0), alpha=0.25)
        down = cv2.convertScaleAbs(cv2.Sobel(grey, cv2.CV_16S, 0, 1), alpha=0.25)
        counts = cv2.calcHist([cv2.add(across, down)], [0], mask, [256], [0, 256]).ravel()
        found.append(_roots(np.add.reduceat(counts, _STRENGTHS)))
    return found


def _hues(colours: ByteArray) -> FloatArray:
    inside = np.clip(colours, _CHROMA[0], _CHROMA[1] - 1)
    return _roots(cv2.calcHist([inside], [1, 2], None, [4, 4], [*_CHROMA, *_CHROMA]))


def _roots(counts: npt.NDArray[Any]) -> FloatArray:
    """Square roots of shares: their Euclidean distance is Hellinger's."""
    return np.asarray(np.sqrt(counts.ravel() / max(float(counts.sum()), 1.0)), np.float32)
