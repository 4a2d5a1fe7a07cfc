"""What one photograph measures: exposure, contrast, focus, noise, colour cast."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from blemish.core.noise import noise_level
from blemish.core.types import ByteArray, FloatArray
from blemish.line.handcrafted import handcrafted_features

HISTOGRAM_BINS = 64

_SIDE_FOR_COLOUR = 64
_MEASURED_ANYWAY = frozenset({"width", "height", "aspect_ratio", "mean_intensity", "noise_level"})


class Measures(NamedTuple):
    """Measures of one photograph's pixels.

    Attributes:
        brightness: mean grey value, 0 to 255.
        contrast: standard deviation of the grey values.
        shadow, highlight: the 1 % and the 99 % point of the grey values.
        black_share, white_share: share of pixels at most 1 and at least 254: clipped, nothing can be seen there.
        focus: variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing", ICPR 2000).
        noise: see `noise_level`.
        cast_a, cast_b: mean colour in CIELAB: green to red, blue to yellow; 0 is neutral.
    """

    brightness: float
    contrast: float
    shadow: float
    highlight: float
    black_share: float
    white_share: float
    focus: float
    noise: float
    cast_a: float
    cast_b: float


def measure(image: ByteArray) -> Measures:
    """Measure a photograph, uint8 RGB H x W x 3."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64) / grey.size
    cumulated = np.cumsum(counts)
    levels = np.arange(256)
    mean = float(counts @ levels)
    _, laplacian = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    small = cv2.resize(image, (_SIDE_FOR_COLOUR, _SIDE_FOR_COLOUR), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3).mean(axis=0)
    return Measures(
        brightness=mean,
        contrast=float(np.sqrt(counts @ (levels - mean) ** 2)),
        shadow=float(np.searchsorted(cumulated, 0.01)),
        highlight=float(np.searchsorted(cumulated, 0.99)),
        black_share=float(counts[:2].sum()),
        white_share=float(counts[254:].sum()),
        focus=float(laplacian[0, 0]) ** 2,
        noise=noise_level(grey),
        # Rounded, for the conversion gives grey a trace of colour.
        cast_a=round(float(lab[1]), 1),
        cast_b=round(float(lab[2]), 1),
    )


def handcrafted_measures(image: ByteArray) -> dict[str, float]:
    """The handcrafted features of `blemish features` that are not measured here under another name."""
    found = handcrafted_features(image).items()
    return {name: value for name, value in found if name not in _MEASURED_ANYWAY}


def histograms(image: ByteArray) -> FloatArray:
    """Share of pixels in each of 64 equal steps of red, green and blue: float32, 3 x 64, each row sums to 1."""
    counts = [cv2.calcHist([image], [channel], None, [HISTOGRAM_BINS], [0, 256]) for channel in range(3)]
    shares = np.asarray(counts, np.float64).reshape(3, HISTOGRAM_BINS) / (image.shape[0] * image.shape[1])
    return np.asarray(shares, np.float32)
