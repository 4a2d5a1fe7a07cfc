"""Whether an image file still holds all that was written, where its decoder would not say so.

Each format has something to check against: sums (PNG, deflate in TIFF), places and lengths (TIFF, BMP, WebP), or
the decoder's need for every byte (WebP). What has none of these, such as rows of plain samples, cannot be checked.
JPEG files are judged while they are decoded, by `blemish.core.jpeg`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from blemish.core.tiff_pieces import loss_in_tiff, tiff_cut_short

_SPARE = 16  # bytes that a WebP encoder may leave at the end of its data without need


def is_cut_short(content: bytes, kind: str) -> bool:
    """Whether a file visibly ends before its image does, in ways that decoders let pass.

    A PNG without its end chunk, a WebP whose RIFF header promises more bytes than there are, a TIFF whose strips or
    tiles lie beyond the end, a BMP shorter than its header says, a JPEG 2000 without its end marker, and a JPEG that
    ends in a run of zero bytes with no end marker before it: a copy that was interrupted after the space had been
    reserved. libjpeg would fill the rest with grey and only warn.
    """
    if kind == "PNG":
        return b"IEND" not in content
    if kind == "WEBP":
        return len(content) < 8 + int.from_bytes(content[4:8], "little")
    if kind == "JPEG 2000":  # no data of a codestream contain its end marker
        return content.find(b"\xff\xd9", content.find(b"\xff\x4f\xff\x51")) < 0
    if kind == "JPEG" and content.endswith(bytes(64)):
        return not content.rstrip(b"\0").endswith(b"\xff\xd9")
    if kind == "BMP":
        return _bmp_cut_short(content)
    return kind == "TIFF" and tiff_cut_short(content)


def damage_in(content: bytes, kind: str) -> str | None:
    """What of a file's image is lost though a decoder may read it without a word; None if nothing is known to be.

    Args:
        content: the whole file, not cut short.
        kind: its format, as `image_format` names it.

    Returns:
        A clause about the file, such as "its data do not match their checksum".
    """
    check = _CHECKS.get(kind)
    try:
        return check(content) if check else None
    except (struct.error, IndexError, ValueError, OverflowError):
        return None  # a header that makes no sense: the decoder has to say what it makes of it


def _loss_in_png(content: bytes) -> str | None:
    """Check the sums of all critical chunks: libpng and Pillow pass over those of the pixels."""
    at, view = 8, memoryview(content)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        name, end = content[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(content):
            return "its chunks do not follow one another"
        critical = name[0] & 0x20 == 0
        if critical and zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", content, end)[0]:
            return "its data do not match their checksum"
        if name == b"IEND":
            return None
        at = end + 4
    return "its chunks do not follow one another"


def _bmp_cut_short(content: bytes) -> bool:
    """Whether the file is shorter than its header says, and than its rows need."""
    size, _, start, header = struct.unpack_from("<IIII", content.ljust(18, b"\0"), 2)
    if header < 40 or len(content) < 34:
        return False  # OS/2's bitmaps, and what decoders refuse
    width, height, _, bits, packing = struct.unpack_from("<iiHHI", content, 18)
    stride = (abs(width) * bits + 31) // 32 * 4
    # The padding of the last row alone is nothing lost, if the header does not count on it.
    return packing in (0, 3) and len(content) < min(size, start + stride * abs(height))


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the data of every chunk of a WebP file; a last one that is cut is left out."""
    at = 12
    while at + 8 <= len(content):
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
        if end > len(content):
            return
        yield content[at : at + 4], at + 8, end
        at = end + (end & 1)


def _loss_in_webp(content: bytes) -> str | None:
    """Decode once more without the last bytes: data that are not needed to their end are not what was written.

    WebP has no checksums, and a decoder reads on through whatever it finds until it has all pixels.
    """
    for name, start, end in _chunks(content):
        if name in (b"VP8 ", b"VP8L") and end - start > 4 * _SPARE:
            data = content[start : end - _SPARE]
            chunk = name + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)
            file = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
            if cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED) is not None:
                return "its data do not end where its picture does"
            return None
    return None


_CHECKS: dict[str, Callable[[bytes], str | None]] = {
    "PNG": _loss_in_png,
    "TIFF": loss_in_tiff,
    "WEBP": _loss_in_webp,
}
