"""Safe image decoding: every photograph enters Blemish here, as uint8 RGB.

Files may come from strangers and from failing disks. Bytes are counted before they are read, pixels are
counted from the header before they are decoded, only five formats are ever opened, and whatever goes wrong
is one `ImageError`. What is read depends on the file alone: 16-bit values are shifted, never stretched to
the image's content.
"""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL import WebPImagePlugin as WebpImagePlugin

from blemish.core.errors import ImageError, UsageError
from blemish.core.image_files import list_images, open_regular, read_content, too_many_bytes
from blemish.core.image_formats import (
    IMAGE_SUFFIXES,
    foreign_format,
    image_format,
    webp_canvas,
)
from blemish.core.image_samples import Samples, eight_bits, samples_of, sixteen_bit_colour, upright
from blemish.core.jpeg import jpeg_samples
from blemish.core.types import BoolArray, ByteArray
from blemish.core.whole import damage_in, is_cut_short

__all__ = [
    "IMAGE_PROBLEM_KINDS",
    "IMAGE_SUFFIXES",
    "READING",
    "DecodeLimits",
    "bits_per_sample",
    "decode_image",
    "list_images",
    "pixel_digest",
    "read_content",
    "read_image",
    "read_mask",
    "require_bit_depth",
    "stored_channels",
    "upright_size",
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
)

READING = 2
"""Raised whenever a file is read as other pixels than before, or refused: what caches keep of photographs ends then."""

_CONVERT = "convert it to PNG"
_TRUNCATED = "the file ends before its image does; copy or take the photograph again."
_MOST_PAGES = 100
_PILLOW = threading.RLock()
ORIENTATION = 0x0112  # the same tag number in EXIF and TIFF
_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE, _DNG_VERSION = 254, 258, 50706

# Plugins are called directly: `Image.open` would also apply Pillow's own pixel limit (a warning on stderr),
# and turn a phone's JPEG with a preview inside into a several-frame MPO.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebpImagePlugin.WebPImageFile,
}


@dataclass(frozen=True)
class DecodeLimits:
    """What a file may ask for before it is decoded.

    Attributes:
        max_bytes: largest file, in bytes.
        max_pixels: largest width x height.
        min_side: shortest width and height, in pixels.
    """

    max_bytes: int = 256 * 2**20
    max_pixels: int = 100_000_000
    min_side: int = 8


DEFAULT_LIMITS = DecodeLimits()


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
        content: the whole file: PNG, JPEG, BMP, TIFF or WebP; its bytes decide, not its name.
        name: what to call the file in errors.
        limits: bytes, pixels and sides allowed.
        bit_depth: bits that a 16-bit file really uses, 8 to 16; 12 for many industrial cameras.

    Raises:
        ImageError: the file cannot be used; its `kind` is one of `IMAGE_PROBLEM_KINDS`.
        UsageError: `bit_depth` is outside 8 to 16.
    """
    require_bit_depth(bit_depth)
    return eight_bits(*_decode(content, name, limits), bit_depth)


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

    Raises:
        ImageError: as `decode_image`.
    """
    samples, _ = _decode(read_content(path, limits.max_bytes), str(path), limits)
    return np.asarray(samples > 0 if samples.ndim == 2 else (samples > 0).any(axis=2), dtype=np.bool_)


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
        kind = _known_format(content, name)
        if kind != "TIFF":
            return content[24] if kind == "PNG" and len(content) > 24 else 8
        with _pillow():
            return _tiff_bits(TiffImagePlugin.TiffImageFile(io.BytesIO(content)))


def stored_channels(content: bytes, name: str) -> int:
    """Channels that the file stores for each pixel: 1 grey or palette, 2 or 4 with alpha, 3 RGB, 4 CMYK.

    Raises:
        ImageError: the header of `content` cannot be read.
    """
    with _one_error(name):
        kind = _known_format(content, name)
        with _pillow():
            return len(_PLUGINS[kind](io.BytesIO(content)).getbands())


def upright_size(path: Path | str) -> tuple[int, int]:
    """Width and height in pixels as `read_image` gives them, from the file's header alone.

    Raises:
        ImageError: it cannot be opened, or holds no image that is read.
    """
    name = str(path)
    with _one_error(name), open_regular(path) as stream:
        kind = _known_format(stream.read(4096), name)
        stream.seek(0)
        with _pillow():
            image = _PLUGINS[kind](stream)
            orientation = 1 if kind == "TIFF" else _orientation(image)  # Pillow has turned a TIFF's size
        width, height = image.size
        return (height, width) if orientation >= 5 else (width, height)


def _decode(content: bytes, name: str, limits: DecodeLimits) -> tuple[Samples, int]:
    """Samples of the upright image, uint8 or uint16, H x W or H x W x 3 (RGB), and the bits of each."""
    if not content:
        raise ImageError(name, "empty", "the file is empty (0 bytes); copy or take the photograph again.")
    if len(content) > limits.max_bytes:
        raise ImageError(name, "too-large", too_many_bytes(len(content), limits.max_bytes))
    with _one_error(name):
        kind = _known_format(content, name)
        if is_cut_short(content, kind):
            raise ImageError(name, "truncated", _TRUNCATED)
        if kind == "WEBP" and (canvas := webp_canvas(content)):
            _check_size(canvas, name, limits)
        with _pillow():
            image = _PLUGINS[kind](io.BytesIO(content))
            _check_size(image.size, name, limits)
            _check_frames(image, name)
            orientation = _orientation(image)
            bits = _tiff_bits(image) if isinstance(image, TiffImagePlugin.TiffImageFile) else 8
            if kind == "TIFF":
                image.load()  # reads more of the directory, and may warn
        if kind == "PNG":
            bits = content[24]
        if kind == "JPEG" and (samples := jpeg_samples(content, image.mode, name)) is not None:
            return upright(samples, orientation), bits
        if lost := damage_in(content, kind):
            raise ImageError(name, "damaged", f"it is damaged: {lost}; copy or take the photograph again.")
        image.load()
        if bits == 16 and image.mode in ("RGB", "RGBA", "LA"):
            # Pillow drops the low byte of 16-bit colour; having checked the file, it leaves it to OpenCV.
            return upright(sixteen_bit_colour(content), orientation), bits
        return upright(samples_of(image, name), 1 if kind == "TIFF" else orientation), bits


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF orientation 1 to 8 as the header gives it, without decoding; 1 if absent or damaged."""
    try:
        # Not the PNG plugin's own `getexif`, which decodes every image that has no EXIF.
        value = Image.Image.getexif(image).get(ORIENTATION, 1)
    except Exception:  # damaged metadata says nothing about the pixels
        return 1
    return value if value in range(1, 9) else 1


def _tiff_bits(image: TiffImagePlugin.TiffImageFile) -> int:
    """Bits stored for each sample of a TIFF."""
    return int(max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))))


def _check_size(size: tuple[int, int], name: str, limits: DecodeLimits) -> None:
    """Refuse an image by the width and height in its header."""
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageError(
            name,
            "too-large",
            f"it has {width} x {height} pixels, more than the limit of {limits.max_pixels:,}; "
            "crop or scale it, or raise the limit.",
        )
    if min(width, height) < limits.min_side:
        raise ImageError(
            name,
            "too-small",
            f"it has {width} x {height} pixels, and a side under {limits.min_side} shows no part; "
            "take it with a higher resolution.",
        )


def _check_frames(image: ImageFile.ImageFile, name: str) -> None:
    """Refuse animations, documents of several pages, and camera raw files that pass for TIFF."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        if getattr(image, "is_animated", False):
            raise ImageError(name, "animated", "it has several frames; save the one that counts as PNG.")
        return
    if _DNG_VERSION in image.tag_v2 or image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & 1:
        raise ImageError(name, "unsupported", f"it holds a camera raw file, which is not read; {_CONVERT}.")
    for page in range(1, _MOST_PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        if not image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & 1:  # 1: a smaller copy of another page
            raise ImageError(name, "animated", "it has several pages; save the one that counts as a file.")
    image.seek(0)


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
def _pillow() -> Iterator[None]:
    """Let Pillow read a header without a word on stderr, and without its own pixel limit: ours has decided.

    Both are settings of the whole process, hence the lock; only headers (and TIFF) are read under it.
    """
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


@contextmanager
def _one_error(name: str) -> Iterator[None]:
    """Turn whatever a decoder throws at damaged content into one `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            name, "too-large", "there is not enough memory to decode it; scale it down."
        ) from error
    except Exception as error:  # decoders fail with anything: SyntaxError, struct.error, KeyError ...
        reason = str(error)
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
