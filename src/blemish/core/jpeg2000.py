"""Headers of JPEG 2000 files: what Pillow does not say of them, without decoding (ISO/IEC 15444-1, annexes A and I)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CODESTREAM = b"\xff\x4f\xff\x51"
_EXIF = b"JpgTiffExif->JP2"  # the identifier of a box with EXIF, as ExifTool and ImageMagick write it


@dataclass(frozen=True)
class Codestream:
    """The image that a file's codestream holds.

    Attributes:
        size: width and height, in pixels.
        bits: of the deepest component.
        channels: how many components there are.
        exif: the TIFF structure of its EXIF box; empty if it has none.
    """

    size: tuple[int, int]
    bits: int
    channels: int
    exif: bytes


def read_codestream(content: bytes) -> Codestream:
    """Read the header that decides what is decoded, which is not the one in the boxes around it.

    Raises:
        ValueError: there is no codestream, or it is cut short.
    """
    exif, start = b"", 0
    if not content.startswith(_CODESTREAM):
        start = -1
        for name, begin, end in _boxes(content):
            if name == b"jp2c" and start < 0:
                start = begin
            elif name == b"uuid" and content[begin : begin + 16] == _EXIF:
                exif = content[begin + 16 : end]
    if start < 0 or content[start : start + 4] != _CODESTREAM or len(content) < start + 45:
        raise ValueError("truncated: no codestream")
    right, bottom, left, top = struct.unpack_from(">4I", content, start + 8)
    (channels,) = struct.unpack_from(">H", content, start + 40)
    depths = content[start + 42 : start + 42 + 3 * channels : 3]
    if right <= left or bottom <= top or not 0 < channels == len(depths):
        raise ValueError("a header that no image has")
    return Codestream((right - left, bottom - top), 1 + max(depth & 0x7F for depth in depths), channels, exif)


def _boxes(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of what is in each box of a JP2 file."""
    at = 0
    while at + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        begin = at + 8
        if length == 1:
            length = int.from_bytes(content[begin : begin + 8], "big")
            begin += 8
        end = at + length if length else len(content)
        if end < begin:
            return
        yield name, begin, min(end, len(content))
        at = end
