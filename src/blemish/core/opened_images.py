"""Image files of every format that is read, opened so far that their headers are known."""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Protocol

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
)
from PIL import WebPImagePlugin as WebpImagePlugin

from blemish.core.anymap import read_anymap
from blemish.core.errors import ImageError
from blemish.core.image_samples import Samples, deep_colour, samples_of, unsupported_samples, upright
from blemish.core.jpeg import jpeg_samples
from blemish.core.jpeg2000 import read_codestream
from blemish.core.quiet_pillow import quiet_pillow
from blemish.core.tiff import read_first_page

ORIENTATION = 0x0112  # the same tag number in EXIF and TIFF

# Plugins are called directly: `Image.open` would also apply Pillow's own pixel limit (a warning on stderr),
# and turn a phone's JPEG with a preview inside into a several-frame MPO.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WEBP": WebpImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "JPEG 2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_NOT_EVERYWHERE = {
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile", "an AVIF image", "pip install 'pillow>=11.3'"),
    "HEIF": ("pillow_heif", "HeifImageFile", "a HEIC photograph", "pip install 'blemish[heif]'"),
}
"""Formats that some installations do not read: module, plugin, name, and how to get it."""


class OpenedImage(Protocol):
    """An image of which the header has been read, and nothing decoded."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as stored."""

    @property
    def orientation(self) -> int:
        """EXIF's, 1 to 8, of what is stored."""

    @property
    def bits(self) -> int:
        """Of each sample."""

    @property
    def channels(self) -> int:
        """Stored for each pixel: 1 grey or palette, 2 or 4 with alpha, 3 RGB, 4 CMYK, more with other bands."""

    def samples(self, content: bytes, name: str, least: tuple[int, int] | None = None) -> Samples:
        """uint8 or uint16, H x W or H x W x 3 (RGB), upright; `content` is the whole file.

        `least` is a width and height, upright, that are enough where the format can be decoded at reduced scale.
        """


@dataclass(frozen=True)
class _PillowImage:
    """An image that Pillow reads, and with more than 8 bits of colour OpenCV."""

    image: ImageFile.ImageFile
    orientation: int
    bits: int
    channels: int

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size

    def samples(self, content: bytes, name: str, least: tuple[int, int] | None = None) -> Samples:
        if least is not None and self.orientation >= 5:
            least = least[1], least[0]
        if (
            self.image.format == "JPEG"
            and (found := jpeg_samples(content, self.image.mode, name, least)) is not None
        ):
            return upright(found, self.orientation)
        self._load(name)
        if self.bits > 8 and self.image.mode in ("RGB", "RGBA", "LA"):
            # Pillow drops the low byte of 16-bit colour; having checked the file, it leaves it to OpenCV.
            return upright(deep_colour(content, self.bits), self.orientation)
        return upright(samples_of(self.image, name), self.orientation)

    def _load(self, name: str) -> None:
        try:
            self.image.load()
        except OSError as error:
            if self.image.format != "JPEG" or "broken data stream" not in str(error):
                raise
            detail = "it is damaged: its data stop making sense; copy or take the photograph again."
            raise ImageError(name, "damaged", detail) from error


class _Jpeg2000Image(_PillowImage):
    """As Pillow reads it, but for grey of more than 8 bits, which it shifts to 16."""

    def samples(self, content: bytes, name: str, least: tuple[int, int] | None = None) -> Samples:
        samples = super().samples(content, name, least)
        return samples >> (16 - self.bits) if self.image.mode == "I;16" else samples


def open_image(stream: IO[bytes], kind: str, name: str) -> OpenedImage:
    """Read the header of an image.

    Args:
        stream: of the file, at its start.
        kind: as `image_format` gives it.
        name: for errors.

    Raises:
        ImageError: it holds several images, or the format is not read here.
        Exception: whatever a decoder throws at a damaged header.
    """
    if kind == "TIFF":
        return read_first_page(stream, name)
    if kind == "PNM":
        return read_anymap(stream.read(4096))
    if kind == "JPEG 2000":
        content = stream.read()
        codestream = read_codestream(content)
        if codestream.bits > 16 or codestream.channels > 4:
            raise unsupported_samples(name, f"{codestream.channels} channels of {codestream.bits} bits")
        with quiet_pillow():
            image: ImageFile.ImageFile = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(content))
        if image.size != codestream.size:
            raise ValueError("two headers that contradict each other")
        orientation = _exif_orientation(codestream.exif)
        return _Jpeg2000Image(image, orientation, codestream.bits, codestream.channels)
    start = stream.read(32)
    stream.seek(0)
    with quiet_pillow():
        image = _plugin(kind, start, name)(stream)
        if kind not in ("GIF", "HEIF") and getattr(image, "is_animated", False):
            raise ImageError(name, "animated", "it has several frames; save the one that counts as PNG.")
        orientation = 1 if kind == "HEIF" else _orientation(image)  # libheif turns what it decodes
    if kind == "PNG" and len(start) > 25:  # of grey with alpha Pillow makes more
        return _PillowImage(image, orientation, start[24], _PNG_CHANNELS.get(start[25], 1))
    return _PillowImage(image, orientation, 8, len(image.getbands()))


def _plugin(kind: str, start: bytes, name: str) -> Callable[[IO[bytes]], ImageFile.ImageFile]:
    if kind == "BMP" and not start.startswith(b"BM"):
        return BmpImagePlugin.DibImageFile
    if kind in _PLUGINS:
        return _PLUGINS[kind]
    module, plugin, what, command = _NOT_EVERYWHERE[kind]
    try:
        found: Callable[[IO[bytes]], ImageFile.ImageFile] = getattr(importlib.import_module(module), plugin)
    except (ImportError, AttributeError) as error:
        detail = f"it holds {what}, which is not read here: {command}, or convert it to PNG."
        raise ImageError(name, "unsupported", detail) from error
    return found


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF orientation 1 to 8 as the header gives it, without decoding; 1 if absent or damaged."""
    try:
        # Not the PNG plugin's own `getexif`, which decodes every image that has no EXIF.
        value = Image.Image.getexif(image).get(ORIENTATION, 1)
    except Exception:  # damaged metadata says nothing about the pixels
        return 1
    return value if value in range(1, 9) else 1


def _exif_orientation(content: bytes) -> int:
    """The same of an EXIF structure by itself."""
    exif = Image.Exif()
    try:
        exif.load(content)
        value = exif.get(ORIENTATION, 1)
    except Exception:  # as above
        return 1
    return value if value in range(1, 9) else 1


def announced_size(content: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height to check before a file is opened, as decoders reserve them at once; None if unknown."""
    if kind == "WEBP":
        return _webp_canvas(content)
    return _gif_screen(content) if kind == "GIF" else None


def _webp_canvas(content: bytes) -> tuple[int, int] | None:
    """See https://developers.google.com/speed/webp/docs/riff_container; None if its first chunk is not a known one."""
    chunk = content[12:16]
    if len(content) < 30:
        return None
    if chunk == b"VP8X":
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _gif_screen(content: bytes) -> tuple[int, int]:
    """The screen, or what it has to grow to for the first frame.

    Raises:
        ValueError: there is no frame.
    """
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while content[at : at + 1] == b"!":  # an extension: sub-blocks, of which an empty one is the last
        at += 2
        while at < len(content) and content[at]:
            at += 1 + content[at]
        at += 1
    if content[at : at + 1] != b"," or len(content) < at + 10:
        raise ValueError("truncated: no frame")
    left, top, across, down = struct.unpack_from("<4H", content, at + 1)
    return max(width, left + across), max(height, top + down)
