"""Handcrafted features of pixels wherever they lie: size, colour, symmetry, gradients, grey values, spectrum, noise."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.noise import noise_level
from blemish.core.types import ByteArray

Counts = npt.NDArray[np.intp]

QUANTISATION = 12**-0.5
"""Standard deviation, in grey values, of the rounding to whole ones: no 8-bit photograph has less noise."""

_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue: ITU-R BT.709
_CANNY = (100, 200)
_LEVELS = np.arange(256)


def size_features(image: ByteArray) -> dict[str, float]:
    """`width` and `height` in pixels, and `aspect_ratio`, width over height."""
    height, width = image.shape[:2]
    return {"width": width, "height": height, "aspect_ratio": width / height}


def colour_features(image: ByteArray) -> dict[str, float]:
    """Sum (`num_pixels_*`), mean (`brightness_*`), deviation (`contrast_*`) of blue, green, red; `luminance`.

    Mean and standard deviation lie in 0 to 255; the luminance is 0.2126 R + 0.7152 G + 0.0722 B (ITU-R BT.709) of the
    means.
    """
    counts = {channel: _histogram(image[..., place]) for channel, place in {"b": 2, "g": 1, "r": 0}.items()}
    mean = {channel: _moments(found)[0] for channel, found in counts.items()}
    return {
        **{f"num_pixels_{channel}": float(found @ _LEVELS) for channel, found in counts.items()},
        **{f"brightness_{channel}": value for channel, value in mean.items()},
        **{f"contrast_{channel}": _moments(found)[1] ** 0.5 for channel, found in counts.items()},
        "luminance": float(np.dot(_LUMINANCE, [mean[channel] for channel in "rgb"])),
    }


def edge_features(grey: ByteArray) -> dict[str, float]:
    """`edge_density`: share of the pixels that are Canny edges (thresholds 100 and 200), 0 to 1."""
    return {"edge_density": cv2.countNonZero(cv2.Canny(grey, *_CANNY)) / grey.size}


def symmetry_features(grey: ByteArray) -> dict[str, float]:
    """`h_symmetry` and `v_symmetry`: likeness to the image mirrored left to right, and top to bottom.

    1 less the mean absolute difference over 255: 1 is symmetrical, 0 is black against white.
    """
    apart = [float(cv2.mean(cv2.absdiff(grey, cv2.flip(grey, axis)))[0]) for axis in (1, 0)]
    return {"h_symmetry": 1 - apart[0] / 255, "v_symmetry": 1 - apart[1] / 255}


def gradient_features(grey: ByteArray) -> dict[str, float]:
    """Mean and standard deviation of the signed Sobel gradients (3 x 3): `mean_grad_x`, `std_grad_x`, and of y."""
    found = {}
    for axis, (across, down) in {"x": (1, 0), "y": (0, 1)}.items():
        mean, deviation = cv2.meanStdDev(cv2.Sobel(grey, cv2.CV_16S, across, down, ksize=3))
        found[f"mean_grad_{axis}"] = float(mean[0, 0])
        found[f"std_grad_{axis}"] = float(deviation[0, 0])
    return dict(sorted(found.items()))


def intensity_features(grey: ByteArray) -> dict[str, float]:
    """Mean, variance, mode, median, quantiles and `entropy` of the grey values.

    The mode is the darkest of the most frequent values; quantiles are interpolated as `numpy.quantile` does; the
    entropy of the histogram is in bits, 0 to 8.
    """
    counts = _histogram(grey)
    mean, variance = _moments(counts)
    shares = counts[counts > 0] / grey.size
    quantiles = {share: _quantile(counts, share / 100) for share in (25, 50, 75)}
    return {
        "mean_intensity": mean,
        "variance_intensity": variance,
        "mode_intensity": float(np.argmax(counts)),
        "median_intensity": quantiles[50],
        "entropy": abs(float(shares @ np.log2(shares))),
        **{f"quantiles_intensity_{share}": value for share, value in quantiles.items()},
    }


def spectrum_features(grey: ByteArray) -> dict[str, float]:
    """`mean_magnitude` and `variance_magnitude` of the two-dimensional Fourier transform, not normalised."""
    pixels = grey.astype(np.float32)
    magnitude = np.abs(np.fft.rfft2(pixels))
    # Only half of the columns are computed; the others mirror them, but for the first and, of an even width, the last.
    weights = np.full(magnitude.shape[1], 2.0)
    weights[0] = 1.0
    if grey.shape[1] % 2 == 0:
        weights[-1] = 1.0
    mean = float(magnitude.sum(axis=0, dtype=np.float64) @ weights) / grey.size
    squares = float(np.square(pixels, dtype=np.float64).sum())  # their mean, by Parseval's theorem
    return {"mean_magnitude": mean, "variance_magnitude": max(0.0, squares - mean**2)}


def noise_features(grey: ByteArray) -> dict[str, float]:
    """`noise_level` in grey values, and `signal_to_noise_ratio`, the mean grey value over it.

    The noise is Immerkaer's estimate (see `blemish.core.noise.noise_level`); in the ratio it counts as
    `QUANTISATION` at least, so that an image without any has a ratio too.
    """
    noise = noise_level(grey)
    return {"noise_level": noise, "signal_to_noise_ratio": float(grey.mean()) / max(noise, QUANTISATION)}


def _histogram(values: ByteArray) -> Counts:
    """How many pixels have each of the 256 values."""
    return np.bincount(values.ravel(), minlength=256)


def _moments(counts: Counts) -> tuple[float, float]:
    """Mean and variance of values given by their histogram: of a constant image exactly its value and 0."""
    mean = float(counts @ _LEVELS) / int(counts.sum())
    return mean, float(counts @ (_LEVELS - mean) ** 2) / int(counts.sum())


def _quantile(counts: Counts, share: float) -> float:
    """A quantile of whole numbers given by their histogram, interpolated linearly."""
    cumulated = np.cumsum(counts)
    place = share * (cumulated[-1] - 1)
    lower = int(place)
    low, high = np.searchsorted(cumulated, [lower, min(lower + 1, cumulated[-1] - 1)], side="right")
    return float(low + (place - lower) * (high - low))
