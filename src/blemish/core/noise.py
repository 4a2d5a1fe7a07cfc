"""The noise of a photograph."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.types import ByteArray

_LAPLACIAN_PAIR = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def noise_level(grey: ByteArray) -> float:
    """Standard deviation of the noise in grey values, of a uint8 H x W image; fine texture counts as noise too.

    References:
        Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 1996.
    """
    residual = cv2.filter2D(grey, cv2.CV_32F, _LAPLACIAN_PAIR)
    return float(cv2.norm(residual, cv2.NORM_L1)) / grey.size * float(np.sqrt(np.pi / 2)) / 6
