"""Images as a Python user has them in hand: a file's path or bytes, a Pillow image, an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_samples import eight_bits, samples_of, upright
from blemish.core.images import decode_image, read_image
from blemish.core.opened_images import ORIENTATION
from blemish.core.types import ByteArray

ImageInput: TypeAlias = "str | Path | bytes | Image.Image | npt.NDArray[Any]"
"""A photograph: the path of its file, the file's bytes, a Pillow image, or uint8 H x W x 3 (RGB) or H x W (grey)."""


def is_image(value: object) -> TypeGuard[ImageInput]:
    """Whether a value stands for one photograph (a path may still be a folder's)."""
    return isinstance(value, str | Path | bytes | Image.Image) or (
        isinstance(value, np.ndarray) and value.ndim in (2, 3)
    )


def pixels_of(image: ImageInput, name: str = "the image", bit_depth: int = 16) -> ByteArray:
    """A photograph in any form as uint8 RGB, H x W x 3, contiguous; the same pixels whatever form it comes in.

    Args:
        image: see `ImageInput`.
        name: what to call it in errors, where it has no path.
        bit_depth: bits that 16-bit photographs really use.

    Raises:
        ImageError: the file, its bytes or the Pillow image cannot be used.
        UsageError: it is none of these, or an array of another type or shape.

    Example:
        >>> import numpy as np
        >>> grey = np.full((8, 8), 200, np.uint8)
        >>> pixels_of(grey)[0, 0].tolist(), pixels_of(Image.fromarray(grey))[0, 0].tolist()
        ([200, 200, 200], [200, 200, 200])
    """
    if isinstance(image, str | Path):
        return read_image(image, bit_depth=bit_depth)
    if isinstance(image, bytes):
        return decode_image(image, name, bit_depth=bit_depth)
    if isinstance(image, Image.Image):
        return _pixels_of_pillow(image, name, bit_depth)
    if not isinstance(image, np.ndarray):
        raise UsageError(
            f"{name} is a {type(image).__name__} and no photograph: give a path, the bytes of a file, a PIL image, "
            "or a uint8 array."
        )
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise UsageError(
            f"{name} is a {image.dtype} array of shape {image.shape} and no photograph: give uint8 values 0 to 255, "
            "H x W x 3 (RGB) or H x W (grey), and several in a list."
        )
    return np.ascontiguousarray(image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))


def _pixels_of_pillow(image: Image.Image, name: str, bit_depth: int) -> ByteArray:
    try:
        image.load()
    except Exception as error:  # Pillow reads lazily, and its decoders fail with anything
        raise ImageError(name, "unreadable", "it cannot be decoded; save or copy it again.") from error
    orientation = image.getexif().get(ORIENTATION, 1)
    return eight_bits(upright(samples_of(image, name), orientation), 16, bit_depth)
