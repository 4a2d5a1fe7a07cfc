"""What a file's first bytes say: which image format it holds, or what it is instead.

The content decides, never the file's name: a stranger's `photo.png` may be anything.
"""

from __future__ import annotations

import struct
from pathlib import PurePath

from blemish.core.anymap import begins_like_anymap

FORMAT_SUFFIXES: dict[str, tuple[str, ...]] = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo"),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "PNM": (".pnm", ".pgm", ".ppm", ".pbm", ".pam"),
    "GIF": (".gif",),
    "JPEG 2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif", ".heics", ".heifs"),
}
"""The suffixes of each format that is read, in lower case; the one that photographs are kept under first."""

IMAGE_SUFFIXES: frozenset[str] = frozenset(suffix for some in FORMAT_SUFFIXES.values() for suffix in some)

_OTHER_IMAGE_SUFFIXES = frozenset(
    {".jxl", ".psd", ".dcm", ".exr", ".hdr", ".dds", ".ico", ".svg", ".dng", ".nef", ".cr2", ".cr3", ".arw"}
)
"""Suffixes of images that are not read."""

# Sizes that the header after "BM" may have; without this check a text that begins with BM would be a bitmap.
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

# Brands of ISO/IEC 23008-12 and of AVIF 1.1; "mif1" says only that there is an image, other brands of which kind.
_BRANDS = {
    "AVIF": frozenset({b"avif", b"avis"}),
    "HEIF": frozenset(
        {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
    ),
}

# Bytes at an offset that give away a format which is never opened.
_FOREIGN_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript drawing"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"PF\n", "a portable float map"),
    (0, b"Pf\n", "a portable float map"),
    (0, b"DDS ", "a DDS texture"),
    (128, b"DICM", "a DICOM image"),
    (0, b"FUJIFILMCCD-RAW", "a camera raw file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
)


def image_format(content: bytes) -> str | None:
    """The format that the first 64 bytes of a file announce, or more of them.

    Returns:
        One of `FORMAT_SUFFIXES`; None for anything else.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")) and content[8:11] != b"CR\x02":
        return "TIFF"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WEBP"
    if _is_bitmap(content):
        return "BMP"
    if content.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0")):
        return "JPEG 2000"
    if content[4:8] == b"ftyp" and content[:2] == b"\0\0":
        return _format_of_brands(content)
    if _is_gif(content):
        return "GIF"
    return "PNM" if begins_like_anymap(content) else None


def _is_bitmap(content: bytes) -> bool:
    """Whether a BMP begins here, or the part of one that Windows' clipboard calls a DIB."""
    if content.startswith(b"BM"):
        return content[15:18] == b"\0\0\0" and content[14] in _BMP_HEADER_SIZES
    if (
        len(content) < 20
        or content[0] not in _BMP_HEADER_SIZES
        or content[0] < 40
        or content[1:4] != b"\0\0\0"
    ):
        return False
    width, height, planes, bits, compression = struct.unpack_from("<iiHHI", content, 4)
    return (
        0 < width < 2**20
        and 0 < abs(height) < 2**20
        and planes == 1
        and bits in (1, 4, 8, 16, 24, 32)
        and compression < 4
    )


def _is_gif(content: bytes) -> bool:
    """Whether a GIF begins here: after its screen follows a colour table, an extension or an image, and no text."""
    if not content.startswith((b"GIF87a", b"GIF89a")) or len(content) < 14:
        return False
    if content[10] & 0x80:
        return True
    return content[13] == 0x2C or (
        content[13] == 0x21 and content[14:15] in (b"\xf9", b"\xfe", b"\xff", b"\x01")
    )


def _format_of_brands(content: bytes) -> str | None:
    """The format of an ISO media file: its own brand decides, and for a general one those that it goes with."""
    end = min(int.from_bytes(content[:4], "big"), len(content))
    brand, others = content[8:12], {content[at : at + 4] for at in range(16, end - 3, 4)}
    if brand in _BRANDS["AVIF"] or (brand in (b"mif1", b"msf1") and others & _BRANDS["AVIF"]):
        return "AVIF"
    return "HEIF" if brand in _BRANDS["HEIF"] else None


def has_wrong_suffix(path: str, kind: str) -> bool:
    """Whether a file's name says another image format than `kind`; `part`, `part.jpg.1` and `part.old` say none."""
    for suffix in reversed(PurePath(path).suffixes):
        if suffix.lower() in IMAGE_SUFFIXES | _OTHER_IMAGE_SUFFIXES:
            return suffix.lower() not in FORMAT_SUFFIXES[kind]
    return False


def foreign_format(content: bytes) -> str | None:
    """Name, with its article, of a known format that Blemish does not open; None if the bytes are unknown."""
    for offset, signature, name in _FOREIGN_SIGNATURES:
        if content.startswith(signature, offset):
            return name
    if content[8:11] == b"CR\x02" or content[4:11] == b"ftypcrx":
        return "a camera raw file"
    if content[4:8] == b"ftyp" and content[:2] == b"\0\0":
        return "a video"
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<svg") or (start.startswith((b"<?xml", b"<!--")) and b"<svg" in start):
        return "an SVG drawing"
    return None
