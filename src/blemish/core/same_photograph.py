"""Whether two files show one and the same photograph, however each was saved."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.types import ByteArray

SIGNATURE_SIDE = 48

MOST_DIFFERENCE = 2.5
"""Root mean square difference, in grey levels, up to which two pictures of a common size are one photograph.

JPEG of quality 30 and sizes down to a half differ by up to 2.4; the nearest different photographs of screws, solar
cells and metal plates by 3.3 and more."""

_LEAST_DIFFERENCE, _SHARE_OF_CONTRAST = (
    1.0,
    0.3,
)  # photographs of little contrast must be nearer to be the same
_PREVIEW_SIDE = 192


def signature(image: ByteArray) -> ByteArray:
    """The photograph as 48 x 48 grey pixels, uint8: what copies and near duplicates are looked for with."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    side = (SIGNATURE_SIDE, SIGNATURE_SIDE)
    return np.asarray(cv2.resize(grey, side, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def preview(image: ByteArray) -> ByteArray:
    """The photograph as grey pixels, uint8, 192 x 192 at most: what two candidates are compared by."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = (min(grey.shape[1], _PREVIEW_SIDE), min(grey.shape[0], _PREVIEW_SIDE))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def same_picture(one: ByteArray, other: ByteArray, most: float = MOST_DIFFERENCE) -> bool:
    """Whether two previews agree at the smaller size, but for what encoding and noise do to single pixels.

    Args:
        one, other: of `preview`.
        most: root mean square difference, in grey levels, up to which they do.
    """
    size = min(one.shape[1], other.shape[1]), min(one.shape[0], other.shape[0])
    smooth = [
        cv2.GaussianBlur(cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
        for grey in (one, other)
    ]
    difference = float(np.sqrt(np.mean(np.square(smooth[0] - smooth[1]))))
    contrast = float(min(picture.std() for picture in smooth))
    return difference <= min(max(_SHARE_OF_CONTRAST * contrast, min(_LEAST_DIFFERENCE, most)), most)
