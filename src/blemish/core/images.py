"""Safe image decoding: every photograph enters Blemish here, as uint8 RGB.

Files may come from strangers and from failing disks. Bytes are counted before they are read, pixels are
counted from the header before they are decoded, only known formats are ever opened, and whatever goes wrong
is one `ImageError`. What is read depends on the file alone: 16-bit values are shifted, never stretched to
the image's content.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_files import list_images, open_regular, read_content, too_many_bytes
from blemish.core.image_formats import (
    IMAGE_SUFFIXES,
    foreign_format,
    image_format,
)
from blemish.core.image_samples import Samples, eight_bits
from blemish.core.opened_images import OpenedImage, announced_size, open_image
from blemish.core.types import BoolArray, ByteArray
from blemish.core.whole import damage_in, is_cut_short

__all__ = [
    "IMAGE_PROBLEM_KINDS",
    "IMAGE_SUFFIXES",
    "READING",
    "DecodeLimits",
    "DecodedPhotograph",
    "bits_per_sample",
    "decode_image",
    "decode_photograph",
    "list_images",
    "pixel_digest",
    "read_content",
    "read_header",
    "read_image",
    "read_mask",
    "require_bit_depth",
    "stored_channels",
    "upright_size",
    "whole_pixels",
]

IMAGE_PROBLEM_KINDS: tuple[str, ...] = (
    "missing",  # no such file, or a link that leads nowhere
    "unreadable",  # permission denied, a failing disk, or damaged content
    "damaged",  # decodes, but part of it is lost
    "truncated",  # the file ends before its image does
    "empty",  # a file of zero bytes
    "not-an-image",  # text, a folder, a device: nothing that could be an image
    "wrong-extension",  # readable, but the name says another format (reported by checks, never raised here)
    "too-large",  # more bytes or pixels than the limits allow
    "too-small",  # a side shorter than the limits ask for
    "animated",  # several frames or pages: which one is the part?
    "unsupported",  # an image, of a format or sample type that is not read
    "no-part",  # of several like parts that an inspector knows, it shows none
)

_START = 2**16  # bytes, with what stands before the first frame of a GIF
READING = 2
"""Raised whenever a file is read as other pixels than before, or refused: what caches keep of photographs ends then."""

_CONVERT = "convert it to PNG"
_NO_MEMORY = "there is not enough memory to decode it; close other programs, or scale it down."
_TRUNCATED = "the file ends before its image does; copy or take the photograph again."
_SMEARED = 8
"""Largest value that compression leaves where a mask marks nothing."""


@dataclass(frozen=True)
class DecodeLimits:
    """What a file may ask for before it is decoded.

    Attributes:
        max_bytes: largest file, in bytes.
        max_pixels: largest width x height.
        min_side: shortest width and height, in pixels.
        bytes_option, pixels_option: of the program that set the limits, for errors to name; "" if it has none.
    """

    max_bytes: int = 256 * 2**20
    max_pixels: int = 100_000_000
    min_side: int = 8
    bytes_option: str = ""
    pixels_option: str = ""


DEFAULT_LIMITS = DecodeLimits()


@dataclass(frozen=True)
class DecodedPhotograph:
    """A decoded photograph.

    Attributes:
        pixels: uint8 RGB, H x W x 3, contiguous; fewer than the photograph has where fewer were enough.
        width, height: of the photograph itself, upright, in pixels.
    """

    pixels: ByteArray
    width: int
    height: int

    @property
    def whole(self) -> bool:
        """Whether all its pixels were decoded."""
        return self.pixels.shape[:2] == (self.height, self.width)


def read_image(path: Path | str, limits: DecodeLimits = DEFAULT_LIMITS, bit_depth: int = 16) -> ByteArray:
    """Read a photograph as uint8 RGB, H x W x 3; see `decode_image` for how and for what is refused."""
    return decode_image(read_content(path, limits.max_bytes), str(path), limits, bit_depth)


def decode_image(
    content: bytes, name: str, limits: DecodeLimits = DEFAULT_LIMITS, bit_depth: int = 16
) -> ByteArray:
    """Decode an image file held in memory to uint8 RGB, H x W x 3, contiguous.

    EXIF rotation is applied, palettes are expanded, CMYK is converted, grey is replicated. Transparent images
    are laid over black (an alpha that is zero everywhere is a byte the camera left unset, and is ignored).
    Samples of more than 8 bits become `value >> (bit_depth - 8)`, at most 255, whatever the image shows.

    Args:
        content: the whole file, of any format in `image_formats.FORMAT_SUFFIXES`; its bytes decide, not its name.
        name: what to call the file in errors.
        limits: bytes, pixels and sides allowed.
        bit_depth: bits that a 16-bit file really uses, 8 to 16; 12 for many industrial cameras.

    Raises:
        ImageError: the file cannot be used; its `kind` is one of `IMAGE_PROBLEM_KINDS`.
        UsageError: `bit_depth` is outside 8 to 16.
    """
    return decode_photograph(content, name, limits, bit_depth).pixels


def decode_photograph(
    content: bytes,
    name: str,
    limits: DecodeLimits = DEFAULT_LIMITS,
    bit_depth: int = 16,
    least: tuple[int, int] | None = None,
) -> DecodedPhotograph:
    """Decode a photograph, at reduced scale where fewer pixels are enough and its format can.

    JPEG can: at a half, a quarter or an eighth (and what lies between) of its scale, in a part of the time and of the
    memory. What is decoded depends on the file and on `least` alone; limits and damage are judged as of all pixels.

    Args:
        content, name, limits, bit_depth: as of `decode_image`, which says how pixels are made.
        least: width and height in pixels of the upright photograph that are enough; None for all.

    Raises:
        ImageError: as `decode_image`.
        UsageError: as `decode_image`.
    """
    require_bit_depth(bit_depth)
    with _one_error(name):
        samples, image = _decode(content, name, limits, least)
        pixels = eight_bits(samples, image.bits, bit_depth)
        height, width = pixels.shape[:2]
        if least is not None:
            width, height = _upright_size(image)
        return DecodedPhotograph(pixels, width, height)


def whole_pixels(
    photograph: DecodedPhotograph, content: bytes, name: str, limits: DecodeLimits, bit_depth: int
) -> ByteArray:
    """All pixels of a photograph that may have been decoded at reduced scale; arguments as of `decode_image`."""
    return photograph.pixels if photograph.whole else decode_image(content, name, limits, bit_depth)


def require_bit_depth(bit_depth: int) -> None:
    """Refuse a bit depth that no camera delivers.

    Raises:
        UsageError: it is outside 8 to 16.
    """
    if not 8 <= bit_depth <= 16:
        raise UsageError(
            f"A bit depth of {bit_depth} is not possible: choose 8 to 16, as the camera delivers."
        )


def read_mask(path: Path | str, limits: DecodeLimits = DEFAULT_LIMITS) -> BoolArray:
    """Read a mask as bool, H x W: True where any colour channel is above zero at the file's own bit depth.

    JPEG and lossy WebP smear a mask's edges: above half of the brightest value there, unless all is near zero.

    Raises:
        ImageError: as `decode_image`.
    """
    with _one_error(str(path)):
        content = read_content(path, limits.max_bytes)
        samples, _ = _decode(content, str(path), limits)
        # A good part's mask is black but for what compression adds; labels 1, 2, 3 are no values for a lossy file.
        above = max(int(samples.max()) // 2, _SMEARED) if is_lossy(content) else 0
        marked = samples > above
        if marked.ndim == 2:
            return np.asarray(marked, dtype=np.bool_)
        return np.asarray(marked[:, :, 0] | marked[:, :, 1] | marked[:, :, 2], dtype=np.bool_)


def is_lossy(content: bytes) -> bool:
    """Whether an image file's compression changes pixels, as far as its format tells: lossless WebP is told."""
    kind = image_format(content)
    return kind in ("JPEG", "JPEG 2000", "AVIF", "HEIF") or (kind == "WEBP" and b"VP8L" not in content[:64])


def pixel_digest(image: ByteArray) -> str:
    """SHA-256 of an image's shape and pixels, 64 hexadecimal digits: equal for equal pixels, in any file."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def bits_per_sample(content: bytes, name: str) -> int:
    """Bits that the file stores for each sample: 8 for most, 16 for many PNG and TIFF.

    Raises:
        ImageError: the header of `content` cannot be read.
    """
    with _one_error(name):
        return _opened(io.BytesIO(content), name, DEFAULT_LIMITS).bits


def stored_channels(content: bytes, name: str) -> int:
    """Channels that the file stores for each pixel: 1 grey or palette, 2 or 4 with alpha, 3 RGB, 4 CMYK.

    Raises:
        ImageError: the header of `content` cannot be read.
    """
    with _one_error(name):
        return _opened(io.BytesIO(content), name, DEFAULT_LIMITS).channels


class Header(NamedTuple):
    """What the header of an image file says: width and height as `read_image` gives them, bits of each sample."""

    width: int
    height: int
    bits: int


def read_header(path: Path | str) -> Header:
    """The header of an image file; nothing is decoded.

    Raises:
        ImageError: it cannot be opened, or holds no image that is read.
    """
    name = str(path)
    with _one_error(name), open_regular(path) as stream:
        image = _opened(stream, name, DEFAULT_LIMITS)
        return Header(*_upright_size(image), image.bits)


def upright_size(path: Path | str) -> tuple[int, int]:
    """Width and height in pixels as `read_image` gives them, from the file's header alone.

    Raises:
        ImageError: as `read_header`.
    """
    return read_header(path)[:2]


def _upright_size(image: OpenedImage) -> tuple[int, int]:
    """Width and height as the photograph is looked at."""
    width, height = image.size
    return (height, width) if image.orientation >= 5 else (width, height)


def _opened(stream: IO[bytes], name: str, limits: DecodeLimits) -> OpenedImage:
    """An image whose size, where decoders reserve it at once, is within the limits."""
    start = stream.read(_START)
    stream.seek(0)
    kind = _known_format(start, name)
    if announced := announced_size(start, kind):
        _check_size(announced, name, limits)
    return open_image(stream, kind, name)


def _decode(
    content: bytes, name: str, limits: DecodeLimits, least: tuple[int, int] | None = None
) -> tuple[Samples, OpenedImage]:
    """Samples of the upright image, uint8 or uint16, H x W or H x W x 3 (RGB), and the image that they are of."""
    if not content:
        raise ImageError(name, "empty", "the file is empty (0 bytes); copy or take the photograph again.")
    if len(content) > limits.max_bytes:
        raise ImageError(
            name, "too-large", too_many_bytes(len(content), limits.max_bytes, limits.bytes_option)
        )
    kind = _known_format(content, name)
    if is_cut_short(content, kind):
        raise ImageError(name, "truncated", _TRUNCATED)
    image = _opened(io.BytesIO(content), name, limits)
    _check_size(image.size, name, limits)
    if lost := damage_in(content, kind):
        raise ImageError(name, "damaged", f"it is damaged: {lost}; copy or take the photograph again.")
    return image.samples(content, name, least), image


def _check_size(size: tuple[int, int], name: str, limits: DecodeLimits) -> None:
    """Refuse an image by the width and height in its header."""
    width, height = size
    if width * height > limits.max_pixels:
        raised = f", or raise the limit with {limits.pixels_option}" if limits.pixels_option else ""
        raise ImageError(
            name,
            "too-large",
            f"it has {width} x {height} pixels, more than the limit of {limits.max_pixels:,}; "
            f"crop or scale it{raised}.",
        )
    if min(width, height) < limits.min_side:
        raise ImageError(
            name,
            "too-small",
            f"it has {width} x {height} pixels, and a side under {limits.min_side} shows no part; "
            "take it with a higher resolution.",
        )


def _known_format(content: bytes, name: str) -> str:
    """The format to open `content` with, or the reason why there is none."""
    kind = image_format(content)
    if kind:
        return kind
    if foreign := foreign_format(content):
        raise ImageError(
            name,
            "unsupported",
            f"it holds {foreign}, which is not read; {_CONVERT}, JPEG, BMP, TIFF or WebP.",
        )
    if not content[:4096].strip(b"\0"):
        raise ImageError(name, "not-an-image", "it begins with zero bytes only; copy the file again.")
    raise ImageError(
        name,
        "not-an-image",
        "it does not hold an image; remove it, or replace it by a PNG, JPEG, BMP, TIFF or WebP.",
    )


@contextmanager
def _one_error(name: str) -> Iterator[None]:
    """Turn whatever a decoder throws at damaged content into one `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(name, "too-large", _NO_MEMORY) from error
    except Exception as error:  # decoders fail with anything: SyntaxError, struct.error, KeyError ...
        reason = str(error)
        if "memory" in reason.lower() or "decoder error -9" in reason:  # as OpenCV and Pillow say it
            raise ImageError(name, "too-large", _NO_MEMORY) from error
        if "truncated" in reason.lower():
            raise ImageError(name, "truncated", _TRUNCATED) from error
        if "MAX_TEXT" in reason or "decompressed data too large" in reason.lower():
            raise ImageError(
                name, "too-large", "its text or colour profile unpacks to too much; save it without metadata."
            ) from error
        raise ImageError(
            name,
            "unreadable",
            "it is damaged or of an unusual kind and cannot be decoded; save or copy it again.",
        ) from error
