"""Which images look like masks: nearly all of their pixels at a few flat levels, as no photograph has them.

Most photographs are told by their headers alone: a mask of two levels takes less than a bit a pixel, or its bytes are
the same few. What is left is decoded, JPEG at half its size or less.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import simplejpeg

from blemish.core.errors import ImageError
from blemish.core.image_files import open_regular
from blemish.core.image_formats import image_format
from blemish.core.images import DEFAULT_LIMITS, read_image, upright_size
from blemish.core.types import ByteArray

MOST_DECODED = 2000
"""Images without a mask among them after which the others count as photographs."""

_HEADERS = 2048
"""Bytes of tables and metadata that a small file may have."""
_MOST_BITS = {"PNG": 1.5, "GIF": 1.5} | dict.fromkeys(("JPEG", "WEBP", "JPEG 2000", "AVIF", "HEIF"), 1.0)
_MOST_BITS_SMALL, _SMALL = 3.0, 2**18
"""Bits a pixel above which a compressed image is hardly one of few levels, and those of small ones, which take no time
to decode; of other formats the bytes are looked at."""
_SAMPLE_BYTES, _FEW_BYTES = 4096, 24
_FEW_LEVELS = 16
_REDUCED_SIDE = 512
_FIRST_PIXELS, _PIXELS = 2**10, 2**18
_DARK, _BRIGHT, _FLAT = 32, 223, 8
"""JPEG smears a mask's levels that far, and less where nothing is drawn."""
_TWO_LEVELED, _NEARLY = 0.97, 0.8


@dataclass(frozen=True)
class Look:
    """What an image looks like.

    Attributes:
        mask_like: whether nearly all of its pixels are at a few levels.
        flat: whether it has one level alone, as the mask of a good part, and as a black photograph.
        two_levelled: share of its pixels that are dark or bright; 0 where it was not decoded.
    """

    mask_like: bool = False
    flat: bool = False
    two_levelled: float = 0.0


PHOTOGRAPH = Look()


def looks_of(paths: Sequence[Path], likely: Sequence[Path] = ()) -> dict[Path, Look]:
    """What each image looks like; `likely` masks are looked at first, and may have greyer edges.

    Where nearly all that is no mask is dark and bright alone, that is how these parts look, and nothing is mask-like.
    """
    first = set(likely)
    order = sorted(paths, key=lambda path: path not in first)
    looks: dict[Path, Look] = {}
    decoded, found = 0, False
    for path in order:
        spared = not found and decoded >= MOST_DECODED
        looks[path] = look = PHOTOGRAPH if spared else _look(path, path in first)
        decoded += look is not PHOTOGRAPH
        found |= look.mask_like
    for path in first & looks.keys():
        if looks[path].two_levelled > _NEARLY:
            looks[path] = replace(looks[path], mask_like=True)
    photographs = [look for look in looks.values() if not look.mask_like]
    nearly = sum(look.two_levelled > _NEARLY for look in photographs)
    if 2 * nearly > len(photographs):
        looks |= {path: PHOTOGRAPH for path, look in looks.items() if path not in first}
    return looks


def _look(path: Path, likely: bool) -> Look:
    try:
        status = path.stat()
        return _looked(path, status.st_mtime_ns, status.st_size, likely)
    except (OSError, ImageError):
        return PHOTOGRAPH  # whoever reads it says what is wrong with it


@lru_cache(maxsize=100_000)
def _looked(path: Path, moment: int, size: int, likely: bool) -> Look:
    """As of a moment: a folder is recognised, and then read. What is `likely` a mask is decoded in any case."""
    with open_regular(path) as stream:
        kind = image_format(stream.read(64)) or ""
        width, height = upright_size(path)
        stream.seek(size // 2)
        few_bytes = len(set(stream.read(_SAMPLE_BYTES))) <= _FEW_BYTES
    most = _MOST_BITS.get(kind, 0.1)
    if kind in _MOST_BITS and width * height <= _SMALL:
        most = _MOST_BITS_SMALL
    few_bits = 8 * max(size - _HEADERS, 0) <= most * width * height
    if not (few_bits or few_bytes or likely) or width * height > DEFAULT_LIMITS.max_pixels:
        return PHOTOGRAPH
    return look_at(_reduced(path) if kind == "JPEG" else read_image(path))


def _reduced(path: Path) -> ByteArray:
    """A JPEG at a fraction of its size, not turned upright.

    Raises:
        ImageError: it cannot be decoded.
    """
    with open_regular(path) as stream:
        content = stream.read(os.fstat(stream.fileno()).st_size)
    try:
        side = _REDUCED_SIDE
        return np.asarray(
            simplejpeg.decode_jpeg(content, "RGB", strict=False, min_height=side, min_width=side)
        )
    except ValueError as error:
        raise ImageError(path, "unreadable", "it cannot be decoded.") from error


def look_at(image: ByteArray) -> Look:
    """What an image (uint8 RGB H x W x 3) looks like."""
    few = _measured(image, _FIRST_PIXELS)
    if not few.mask_like and few.two_levelled < _NEARLY:
        return few
    found = _measured(image, _PIXELS)
    flat = found.flat and bool((np.ptp(image.reshape(-1, 3), axis=0) <= _FLAT).all())
    return Look(found.mask_like, flat, found.two_levelled)


def _measured(image: ByteArray, pixels: int) -> Look:
    """What so many pixels of an image, evenly spread, look like."""
    step = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / pixels)))
    some = image[::step, ::step].reshape(-1, 3).astype(np.int32)
    dark, bright = float((some.max(axis=1) <= _DARK).mean()), float((some.min(axis=1) >= _BRIGHT).mean())
    flat = bool((np.ptp(some, axis=0) <= _FLAT).all())
    levels = len(np.unique(some[:: max(1, len(some) >> 14)] @ (1 << 16, 1 << 8, 1)))
    two_levels = min(dark, bright) > 0 and dark + bright >= _TWO_LEVELED
    return Look(flat or levels <= _FEW_LEVELS or two_levels, flat, dark + bright)
