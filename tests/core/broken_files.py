"""Files as they come from failing disks, wrong exports and strangers, each with what must happen to it.

Used by the tests of decoding and by the tests of `blemish inspect`: a folder full of these must never
stop the inspection of the images beside them.
"""

from __future__ import annotations

import importlib.util
import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

WIDTH, HEIGHT = 96, 64
_HEIC_UNREAD = "unreadable" if importlib.util.find_spec("pillow_heif") else "unsupported"


@dataclass(frozen=True)
class BrokenFile:
    """What must happen to a file: refused with `kind`, or read (`kind` is None)."""

    kind: str | None

    @property
    def refused(self) -> bool:
        return self.kind is not None


def photograph(seed: int = 0) -> npt.NDArray[np.uint8]:
    """A textured RGB image, 64 x 96."""
    noise = np.random.default_rng(seed).normal(128, 40, (HEIGHT, WIDTH, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.5) * 3 - 256, 0, 255).astype(np.uint8)


def encode(image: Image.Image | npt.NDArray[Any], kind: str, **options: Any) -> bytes:
    """`image` as a file of format `kind`."""
    stream = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(stream, kind, **options)
    return stream.getvalue()


def encode_with_opencv(suffix: str, pixels: npt.NDArray[Any]) -> bytes:
    """`pixels` (BGR order, any depth) as OpenCV writes them."""
    return bytes(cv2.imencode(suffix, pixels)[1])


def png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png_with_header(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    """A tiny PNG file that claims to be `width` x `height`."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(4096)))
        + png_chunk(b"IEND", b"")
    )


def png_with_extra_chunk(chunk: bytes) -> bytes:
    content = encode(photograph(), "PNG")
    return content[:33] + chunk + content[33:]


def text_bomb() -> bytes:
    """A PNG of a few kilobytes whose compressed comment unpacks to 64 MiB."""
    return png_with_extra_chunk(png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * 2**20), 9)))


def jpeg_with_header(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims `width` x `height`."""
    content = bytearray(encode(photograph(), "JPEG"))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def interrupted_jpeg() -> bytes:
    """A copy that was interrupted after the space had been reserved: the second half is zero bytes."""
    content = encode(photograph(), "JPEG", quality=95)
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def damaged_png() -> bytes:
    content = bytearray(encode(photograph(), "PNG"))
    content[len(content) // 2] ^= 0x55
    return bytes(content)


def transparent_palette() -> bytes:
    image = Image.fromarray(photograph()).quantize(16)
    return encode(image, "PNG", transparency=3)


def tiff_pages(*pages: npt.NDArray[Any]) -> bytes:
    first, *rest = [Image.fromarray(page) for page in pages]
    return encode(first, "TIFF", save_all=True, append_images=rest)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def webp_with_canvas(width: int, height: int) -> bytes:
    """An extended WebP header that claims a canvas, with nothing in it."""
    body = (
        b"WEBPVP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little")
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _contents() -> dict[str, tuple[str | None, bytes]]:
    """For every ordinary file: the problem kind (None if it must be read), and its bytes."""
    rgb = photograph()
    grey = rgb[:, :, 0]
    deep = grey.astype(np.uint16) * 257
    picture = Image.fromarray(rgb)
    rotated = Image.Exif()
    rotated[0x0112] = 6
    png, jpeg, webp, bmp = (encode(rgb, kind) for kind in ("PNG", "JPEG", "WEBP", "BMP"))
    tiff = encode(rgb, "TIFF", compression="tiff_lzw")
    damaged_exif = b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(range(64))
    return {
        # Nothing there, or no image at all.
        "empty.png": ("empty", b""),
        "zeros.png": ("not-an-image", bytes(5000)),
        "text.png": ("not-an-image", b"this is a note, not an image\n" * 20),
        "letter_that_begins_with_BM.bmp": (
            "not-an-image",
            b"BM is short for benchmark, says this letter.\n" * 9,
        ),
        "page.jpg": ("not-an-image", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"),
        "letter_that_begins_with_P5.pgm": (
            "not-an-image",
            b"P5 is the name of the fifth press, says this letter.\n" * 9,
        ),
        "letter_that_begins_with_GIF89a.gif": (
            "not-an-image",
            b"GIF89a is a format, says this letter.\n" * 9,
        ),
        "one_byte.jpg": ("not-an-image", b"\xff"),
        "random.webp": ("not-an-image", np.random.default_rng(1).bytes(3000)),
        # Cut short or damaged.
        "truncated.png": ("truncated", half(png)),
        "truncated.jpg": ("truncated", half(jpeg)),
        "truncated.bmp": ("truncated", half(bmp)),
        "truncated.webp": ("truncated", half(webp)),
        "truncated.tif": ("unreadable", half(tiff)),
        "truncated.gif": ("truncated", half(encode(picture, "GIF"))),
        "truncated.jp2": ("truncated", half(encode(rgb, "JPEG2000"))),
        "truncated.ppm": ("truncated", half(encode(rgb, "PPM"))),
        "truncated_plain.pgm": ("truncated", b"P2\n96 64\n255\n" + b"7 " * 6000),
        "interrupted_copy.jpg": ("truncated", interrupted_jpeg()),
        "signature_only.png": ("truncated", png[:8]),
        "header_only.png": ("truncated", png[:33]),
        "damaged.png": ("damaged", damaged_png()),
        "words.ppm": ("unreadable", b"P3\n8 8\n255\n" + b"1 2 three " * 90),
        "damaged_header.png": ("unreadable", png[:16] + b"\xff" * 9 + png[25:]),
        # Asking for too much, or showing too little.
        "huge_header.png": ("too-large", png_with_header(60_000, 60_000)),
        "huge_header.jpg": ("too-large", jpeg_with_header(60_000, 60_000)),
        "huge_header.bmp": ("too-large", bmp[:18] + struct.pack("<ii", 60_000, 60_000) + bmp[26:]),
        "huge_screen.gif": (
            "too-large",
            b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + encode(grey, "GIF")[10:],
        ),
        "huge_header.ppm": ("too-large", b"P6\n60000 60000\n255\n" + bytes(99)),
        "huge_canvas.webp": ("too-large", webp_with_canvas(16_000, 16_000)),
        "text_bomb.png": ("too-large", text_bomb()),
        "one_pixel.png": ("too-small", encode(rgb[:1, :1], "PNG")),
        "one_row.png": ("too-small", encode(rgb[:1], "PNG")),
        "no_width.png": ("unreadable", png_with_header(0, 50)),
        # Images, but which one, or of what kind?
        "animated.png": (
            "animated",
            encode(picture, "PNG", save_all=True, append_images=[picture.rotate(9)]),
        ),
        "animated.webp": (
            "animated",
            encode(picture, "WEBP", save_all=True, append_images=[picture.rotate(9)]),
        ),
        "pages.tif": ("animated", tiff_pages(rgb, rgb[::-1])),
        "float.tif": ("unsupported", encode(grey.astype(np.float32), "TIFF")),
        "integers.tif": ("unsupported", encode(grey.astype(np.int32), "TIFF")),
        "drawing.png": ("unsupported", b'<?xml version="1.0"?>\n<svg width="9" height="9"></svg>'),
        "document.jpg": ("unsupported", b"%PDF-1.7\n" + bytes(200)),
        "postscript.tif": ("unsupported", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "phone.jpg": (_HEIC_UNREAD, b"\x00\x00\x00\x18ftypheic" + bytes(200)),
        "telescope.png": ("unsupported", b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(200)),
        "layers.tif": ("unsupported", b"8BPS\0\1" + bytes(200)),
        # Odd, but every one of them shows a part.
        "wrong_extension.jpg": (None, png),
        "UPPER.PNG": (None, png),
        "name with spaces, ümlaut and 図.png": (None, png),
        "grey.png": (None, encode(grey, "PNG")),
        "grey_alpha.png": (None, encode(picture.convert("LA"), "PNG")),
        "alpha.png": (None, encode(picture.convert("RGBA"), "PNG")),
        "palette.png": (None, encode(picture.quantize(32), "PNG")),
        "palette_transparency.png": (None, transparent_palette()),
        "one_bit.png": (None, encode(picture.convert("1"), "PNG")),
        "one_bit.tif": (None, encode(picture.convert("1"), "TIFF", compression="group4")),
        "sixteen_bit.png": (None, encode(deep, "PNG")),
        "sixteen_bit.tif": (None, encode(deep, "TIFF")),
        "sixteen_bit_colour.png": (None, encode_with_opencv(".png", rgb.astype(np.uint16) * 257)),
        "sixteen_bit_colour.tif": (None, encode_with_opencv(".tif", rgb.astype(np.uint16) * 257)),
        "cmyk.jpg": (None, encode(picture.convert("CMYK"), "JPEG")),
        "cmyk.tif": (None, encode(picture.convert("CMYK"), "TIFF")),
        "rotated.jpg": (None, encode(picture, "JPEG", exif=rotated)),
        "progressive.jpg": (None, encode(picture, "JPEG", progressive=True)),
        "damaged_exif.jpg": (None, encode(picture, "JPEG", exif=damaged_exif)),
        "trailing_bytes.jpg": (None, jpeg + b"printed by a camera" * 9),
        "interlaced.png": (None, encode_interlaced()),
        "lossless.webp": (None, encode(picture, "WEBP", lossless=True)),
        "gif.png": (None, encode(picture, "GIF")),
        "moving.gif": (None, encode(picture, "GIF", save_all=True, append_images=[picture.rotate(9)])),
        "jpeg2000.jpg": (None, encode(rgb, "JPEG2000")),
        "camera.pgm": (None, encode(grey, "PPM")),
    }


def encode_interlaced() -> bytes:
    """An Adam7 PNG, 8 x 8 grey: seven passes, each row with filter 0."""
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    passes = (
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    )
    rows = [
        b"\0" + row.tobytes() for top, down, left, right in passes for row in pixels[top::down, left::right]
    ]
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1))
        + png_chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + png_chunk(b"IEND", b"")
    )


def _no_permission(path: Path) -> None:
    path.write_bytes(encode(photograph(), "PNG"))
    path.chmod(0)


def _sparse(path: Path) -> None:
    """A file of 300 MiB that takes no room on the disk."""
    with path.open("wb") as stream:
        stream.write(encode(photograph(), "PNG"))
        stream.truncate(300 * 2**20)


def _special_files() -> dict[str, tuple[str, Callable[[Path], None]]]:
    """Names that are no ordinary files: the problem kind, and how to make each."""
    special: dict[str, tuple[str, Callable[[Path], None]]] = {
        "folder.png": ("not-an-image", Path.mkdir),
        "broken_link.png": ("missing", lambda path: path.symlink_to("nowhere.png")),
        "link_to_itself.png": ("missing", lambda path: path.symlink_to(path.name)),
        "sparse_300_MiB.png": ("too-large", _sparse),
    }
    if hasattr(os, "mkfifo"):
        special["pipe.png"] = ("not-an-image", os.mkfifo)
    if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may read everything
        special["no_permission.png"] = ("unreadable", _no_permission)
    return special


def make_broken_files(folder: Path) -> dict[str, BrokenFile]:
    """Write every file into `folder` and say, by name, what must happen to it."""
    folder.mkdir(parents=True, exist_ok=True)
    expected: dict[str, BrokenFile] = {}
    for name, (kind, content) in _contents().items():
        (folder / name).write_bytes(content)
        expected[name] = BrokenFile(kind)
    for name, (kind, make) in _special_files().items():
        make(folder / name)
        expected[name] = BrokenFile(kind)
    return expected
