"""Handcrafted features: one photograph as a row of named numbers that a person can read. They need no laboratory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import cv2
import numpy as np

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray
from blemish.line import pixel_statistics, shape_statistics

VERSION = 2
"""Of what the features mean: raised when a definition changes, or old values would pass for new ones."""


def handcrafted_features(image: ByteArray) -> dict[str, float]:
    """Features of a whole photograph by name, in the order of `feature_names`; all are finite.

    Each group is described where it is computed, in `blemish.line.pixel_statistics` and `shape_statistics`.

    Args:
        image: uint8 RGB, H x W x 3, of any size from 1 x 1.

    Raises:
        UsageError: it is no such array.

    Example:
        >>> handcrafted_features(np.zeros((2, 4, 3), np.uint8))["aspect_ratio"]
        2.0
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size or image.dtype != np.uint8:
        raise UsageError(
            f"An array of shape {image.shape} and type {image.dtype} has no handcrafted features: "
            "give uint8 RGB, H x W x 3."
        )
    found: dict[str, float] = {}
    for group in feature_groups(image).values():
        found |= {name: float(value) for name, value in group().items()}
    return found


def feature_groups(image: ByteArray) -> dict[str, Callable[[], Mapping[str, float]]]:
    """What computes each group of a photograph's features, by the group's name."""
    image = np.ascontiguousarray(image)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    small, scale = shape_statistics.reduced(grey)
    return {
        "size": lambda: pixel_statistics.size_features(image),
        "colour": lambda: pixel_statistics.colour_features(image),
        "edges": lambda: pixel_statistics.edge_features(grey),
        "symmetry": lambda: pixel_statistics.symmetry_features(grey),
        "gradients": lambda: pixel_statistics.gradient_features(grey),
        "objects": lambda: shape_statistics.object_features(grey),
        "intensity": lambda: pixel_statistics.intensity_features(grey),
        "spectrum": lambda: pixel_statistics.spectrum_features(grey),
        "lines": lambda: shape_statistics.line_features(small, scale),
        "blobs": lambda: shape_statistics.blob_features(small),
        "regions": lambda: shape_statistics.region_features(small),
        "noise": lambda: pixel_statistics.noise_features(grey),
    }


@cache
def feature_names() -> tuple[str, ...]:
    """Names of the handcrafted features, in order."""
    return tuple(handcrafted_features(np.zeros((1, 1, 3), np.uint8)))
