"""From a decoded image of any mode to samples: uint8 or uint16, grey or RGB, upright."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from blemish.core.errors import ImageError
from blemish.core.types import ByteArray

Samples = npt.NDArray[Any]
"""uint8 or uint16, H x W (grey) or H x W x 3 (RGB)."""

_PNG = b"\x89PNG\r\n\x1a\n"
_SAMPLE_TYPES = {"I": "32-bit integers", "F": "32-bit floats", "LAB": "CIELAB colours", "HSV": "HSV colours"}


def samples_of(image: Image.Image, name: str) -> Samples:
    """Samples of a loaded Pillow image: uint8 or uint16, H x W or H x W x 3 (RGB)."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in _SAMPLE_TYPES:
        raise unsupported_samples(name, _SAMPLE_TYPES[image.mode])
    if image.has_transparency_data:
        return over_black(np.asarray(image.convert("RGBA")), 255)
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))
    return np.asarray(image.convert("RGB"))


def unsupported_samples(name: str, what: str) -> ImageError:
    """The error for an image whose samples are of a kind that is not read."""
    detail = (
        f"its samples are of a type that is not read ({what}); "
        "save it with 8 or 16 bits per channel, as grey or RGB."
    )
    return ImageError(name, "unsupported", detail)


def deep_colour(content: bytes, bits: int) -> Samples:
    """RGB samples of more than 8 bits, of a PNG or JPEG 2000 file, not yet turned upright."""
    plain = _plain_png(content) if content.startswith(_PNG) else content
    pixels = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("16-bit colour in an unusual arrangement")
    if pixels.ndim == 2:
        return np.asarray(pixels)
    if pixels.shape[2] == 4:
        return over_black(pixels[:, :, [2, 1, 0, 3]], 2**bits - 1)
    return np.asarray(pixels[:, :, ::-1])


def _plain_png(content: bytes) -> bytes:
    """A PNG with nothing but its pixels: OpenCV reserves up to 4 GiB for any other chunk that claims them."""
    parts, at = [_PNG], len(_PNG)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND") and end <= len(content):
            parts.append(content[at:end])
        at = end
    return b"".join(parts)


def over_black(samples: Samples, full: int) -> Samples:
    """Samples with alpha last, H x W x 2 or H x W x 4, laid over black; an alpha that is zero everywhere is ignored.

    Args:
        samples: uint8 or uint16.
        full: the value that stands for opaque.

    Returns:
        H x W or H x W x 3.
    """
    colours, alpha = samples[:, :, :-1], samples[:, :, -1:]
    if alpha.any() and not (alpha == full).all():
        weighted = colours.astype(np.uint32) * alpha + full // 2
        colours = (weighted // full).astype(samples.dtype)
    return colours[:, :, 0] if colours.shape[2] == 1 else colours


def upright(samples: Samples, orientation: int) -> Samples:
    """Turn samples as EXIF orientation 1 to 8 asks (EXIF 2.32, tag 0x0112)."""
    if orientation >= 5:  # rows and columns are exchanged
        samples = np.swapaxes(samples, 0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def eight_bits(samples: Samples, bits: int, bit_depth: int) -> ByteArray:
    """Samples as uint8 RGB, H x W x 3, contiguous: grey is replicated, and 16 bits become `value >> (depth - 8)`.

    Args:
        samples: see `Samples`.
        bits: of each sample, as stored.
        bit_depth: of these, how many the camera really uses.
    """
    if samples.dtype == np.uint16:
        samples = np.minimum(samples >> (min(bit_depth, bits) - 8), 255).astype(np.uint8)
    if samples.ndim == 2:
        samples = cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB)
    return np.ascontiguousarray(samples, dtype=np.uint8)
