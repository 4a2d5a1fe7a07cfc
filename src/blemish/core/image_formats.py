"""What a file's first bytes say: which image format it holds, or what it is instead.

The content decides, never the file's name: a stranger's `photo.png` may be anything.
"""

from __future__ import annotations

import struct

IMAGE_SUFFIXES: frozenset[str] = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

FORMAT_SUFFIXES: dict[str, frozenset[str]] = {
    "PNG": frozenset({".png"}),
    "JPEG": frozenset({".jpg", ".jpeg"}),
    "BMP": frozenset({".bmp"}),
    "TIFF": frozenset({".tif", ".tiff"}),
    "WEBP": frozenset({".webp"}),
}

# Sizes that the header after "BM" may have; without this check a text that begins with BM would be a bitmap.
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

# Bytes at an offset that give away a format which is never opened.
_FOREIGN_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "a GIF"),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript drawing"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (4, b"ftyphei", "a HEIC photograph"),
    (4, b"ftyphev", "a HEIC photograph"),
    (4, b"ftypmif1", "a HEIF photograph"),
    (4, b"ftypavi", "an AVIF image"),
    (4, b"ftypcrx", "a camera raw file"),
    (4, b"ftyp", "a video"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"DDS ", "a DDS texture"),
    (128, b"DICM", "a DICOM image"),
    (0, b"FUJIFILMCCD-RAW", "a camera raw file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
)

_PNM_MAGIC = tuple(b"P%d" % kind for kind in range(1, 8))


def image_format(content: bytes) -> str | None:
    """The format that the first 32 bytes of a file announce.

    Returns:
        "PNG", "JPEG", "BMP", "TIFF" or "WEBP"; None for anything else.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")) and content[8:11] != b"CR\x02":
        return "TIFF"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WEBP"
    if content.startswith(b"BM") and content[14:18].ljust(4, b"\0")[1:] == b"\0\0\0":
        return "BMP" if len(content) > 14 and content[14] in _BMP_HEADER_SIZES else None
    return None


def foreign_format(content: bytes) -> str | None:
    """Name, with its article, of a known format that Blemish does not open; None if the bytes are unknown."""
    for offset, signature, name in _FOREIGN_SIGNATURES:
        if content.startswith(signature, offset):
            return name
    if content[8:11] == b"CR\x02":
        return "a camera raw file"
    if content.startswith(_PNM_MAGIC) and content[2:3].isspace():
        return "a portable anymap"
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<svg") or (start.startswith((b"<?xml", b"<!--")) and b"<svg" in start):
        return "an SVG drawing"
    return None


def webp_canvas(content: bytes) -> tuple[int, int] | None:
    """Width and height that a WebP header announces; None if its first chunk is not a known one.

    libwebp allocates the canvas when it opens a file, so the size must be known before. Follows
    https://developers.google.com/speed/webp/docs/riff_container.
    """
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
