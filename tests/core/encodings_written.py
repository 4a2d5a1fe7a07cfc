"""One photograph in ordinary and rarer files, written by libraries and by hand, each with what is to be read of it."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from broken_files import encode, encode_with_opencv, png_chunk
from PIL import Image

Pixels = npt.NDArray[Any]
Picture = npt.NDArray[np.float64]
HEIGHT, WIDTH = 37, 45
ROUNDING = 2.001  # what is stored is rounded, and so is what is read; 16 bits are cut to 8


def drawn(seed: int, *shape: int) -> Picture:
    """A textured picture from 0 to 1 that reaches both."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH, *shape)), (0, 0), 1.5)
    return np.asarray((noise - noise.min()) / (noise.max() - noise.min()))


RGB, GREY, INFRARED = drawn(0, 3), drawn(1), drawn(2)
ALPHA = np.clip(drawn(3) * 2 - 0.5, 0, 1)
LAID_OVER_BLACK = RGB * ALPHA[:, :, None]


@dataclass(frozen=True)
class Written:
    """A file and what it holds: a picture from 0 to 1 as it is stored, before turning."""

    content: bytes
    seen: Picture
    bits: int = 8
    channels: int = 3
    orientation: int = 1
    tolerance: float = ROUNDING

    @property
    def wanted(self) -> Picture:
        """What is to be read: 0 to 255, RGB, turned by Pillow's own transposes."""
        return expected(self.seen, self.orientation)


def stored(values: Picture, bits: int) -> Pixels:
    """Values from 0 to 1 as whole numbers of some bits."""
    return np.rint(values * (2**bits - 1)).astype(np.uint8 if bits <= 8 else np.uint16)


def expected(values: Picture, orientation: int = 1) -> Picture:
    """A picture as 0 to 255, RGB, turned upright."""
    rgb = 255 * (np.dstack([values] * 3) if values.ndim == 2 else values)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    if orientation == 1:
        return rgb
    bands = (Image.fromarray(band.astype(np.float32)) for band in np.moveaxis(rgb, 2, 0))
    return np.dstack([np.asarray(band.transpose(turns[orientation]), np.float64) for band in bands])


def exif(orientation: int) -> bytes:
    """The bytes of EXIF that say no more than that."""
    says = Image.Exif()
    says[0x0112] = orientation
    return says.tobytes()


def ordinary() -> dict[str, Written]:
    """Files that were read rightly before any of the rarer ones were: 8 bits, 16 bits, grey, colour, alpha."""
    rgb, grey, alpha = stored(RGB, 8), stored(GREY, 8), stored(ALPHA, 8)
    rgba, la = np.dstack([rgb, alpha]), np.dstack([grey, alpha])
    few = Image.fromarray(rgb).quantize(64)
    palette = np.asarray(few.convert("RGB")) / 255
    bitmap = Image.fromarray(grey).convert("1")
    black_and_white = np.asarray(bitmap, np.float64)
    files = {}
    for kind, options in {"PNG": {}, "TIFF": {}, "BMP": {}, "WEBP": {"lossless": True}}.items():
        files[f"{kind} rgb"] = Written(encode(rgb, kind, **options), RGB)
        if kind != "WEBP":
            files[f"{kind} grey"] = Written(encode(grey, kind), GREY, channels=1)
            files[f"{kind} palette"] = Written(encode(few, kind), palette, channels=1)
            files[f"{kind} bitmap"] = Written(
                encode(bitmap, kind), black_and_white, 8 if kind == "BMP" else 1, 1
            )
        if kind != "BMP":
            seen = Written(encode(Image.fromarray(rgba), kind, **options), LAID_OVER_BLACK, channels=4)
            files[f"{kind} rgba"] = seen
    for kind in ("PNG", "TIFF"):
        files[f"{kind} grey and alpha"] = Written(encode(Image.fromarray(la), kind), GREY * ALPHA, channels=2)
        files[f"{kind} 16-bit grey"] = Written(encode(stored(GREY, 16), kind), GREY, 16, 1)
    for suffix, bits in itertools.product((".png", ".tif"), (8, 16)):
        for name, values, seen, channels in (
            ("rgb", RGB[:, :, ::-1], RGB, 3),
            ("grey", GREY, GREY, 1),
            ("rgba", np.dstack([RGB[:, :, ::-1], ALPHA]), LAID_OVER_BLACK, 4),
        ):
            content = encode_with_opencv(suffix, stored(values, bits))
            files[f"OpenCV {suffix} {name} {bits}"] = Written(content, seen, bits, channels)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "lzma", "zstd"):
        files[f"TIFF rgb {compression}"] = Written(encode(rgb, "TIFF", compression=compression), RGB)
        content = encode(stored(GREY, 16), "TIFF", compression=compression)
        files[f"TIFF 16-bit grey {compression}"] = Written(content, GREY, 16, 1)
    for compression in ("group3", "group4", "tiff_ccitt"):
        content = encode(bitmap, "TIFF", compression=compression)
        files[f"TIFF bitmap {compression}"] = Written(content, black_and_white, 1, 1)
    inks = Image.fromarray(rgb).convert("CMYK")
    files["TIFF cmyk"] = Written(encode(inks, "TIFF"), RGB, channels=4)
    files["TIFF cmyk lzw"] = Written(encode(inks, "TIFF", compression="tiff_lzw"), RGB, channels=4)
    lossy = {"quality": 100, "subsampling": 0}
    files["JPEG rgb"] = Written(encode(rgb, "JPEG", **lossy), RGB, tolerance=5)
    files["JPEG grey"] = Written(encode(grey, "JPEG", quality=100), GREY, channels=1, tolerance=5)
    files["JPEG cmyk"] = Written(encode(inks, "JPEG", **lossy), RGB, channels=4, tolerance=6)
    files["JPEG progressive"] = Written(encode(rgb, "JPEG", progressive=True, **lossy), RGB, tolerance=5)
    for kind, orientation in itertools.product(("PNG", "TIFF", "WEBP", "JPEG"), (3, 5, 6, 8)):
        options: dict[str, Any] = lossy if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
        content = encode(rgb, kind, exif=exif(orientation), **options)
        tolerance = 5 if kind == "JPEG" else ROUNDING
        files[f"{kind} turned {orientation}"] = Written(
            content, RGB, orientation=orientation, tolerance=tolerance
        )
    return files


def rarer() -> dict[str, Written]:
    """Files of other formats, and of rarer samples."""
    rgb, grey, alpha = stored(RGB, 8), stored(GREY, 8), stored(ALPHA, 8)
    few = Image.fromarray(rgb).quantize(64)
    palette = np.asarray(few.convert("RGB")) / 255
    deep = stored(RGB[:, :, ::-1], 16)
    lossless = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    files = dict(_anymaps()) | dict(_pngs())
    files["DIB"] = Written(encode(rgb, "BMP")[14:], RGB)
    files["GIF"] = Written(encode(few, "GIF"), palette, channels=1)
    files["GIF interlaced"] = Written(encode(few, "GIF", interlace=True), palette, channels=1)
    moving = encode(few, "GIF", save_all=True, append_images=[few.rotate(90)], disposal=2)
    files["GIF moving"] = Written(moving, palette, channels=1)
    files["JPEG 2000 rgb"] = Written(encode(rgb, "JPEG2000"), RGB)
    files["JPEG 2000 grey"] = Written(encode(grey, "JPEG2000"), GREY, channels=1)
    files["JPEG 2000 codestream"] = Written(encode(rgb, "JPEG2000", no_jp2=True), RGB)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    files["JPEG 2000 rgba"] = Written(encode(rgba, "JPEG2000"), LAID_OVER_BLACK, channels=4)
    files["JPEG 2000 16-bit grey"] = Written(encode(stored(GREY, 16), "JPEG2000"), GREY, 16, 1)
    content = bytes(cv2.imencode(".jp2", deep, lossless)[1])
    files["JPEG 2000 16-bit rgb"] = Written(content, RGB, 16)
    deep = stored(np.dstack([RGB[:, :, ::-1], ALPHA]), 16)
    content = bytes(cv2.imencode(".jp2", deep, lossless)[1])
    files["JPEG 2000 16-bit rgba"] = Written(content, LAID_OVER_BLACK, 16, 4)
    layers = _twelve_bits(np.dstack([RGB[:, :, ::-1], ALPHA]))
    files["JPEG 2000 12-bit rgba"] = Written(layers, LAID_OVER_BLACK, 12, 4)
    files["JPEG 2000 12-bit rgb"] = Written(_twelve_bits(RGB[:, :, ::-1]), RGB, 12)
    files["JPEG 2000 12-bit grey"] = Written(_twelve_bits(GREY), GREY, 12, 1)
    box = b"uuid" + b"JpgTiffExif->JP2" + exif(6)[6:]
    turned = encode(rgb, "JPEG2000") + struct.pack(">I", 4 + len(box)) + box
    files["JPEG 2000 turned"] = Written(turned, RGB, orientation=6)
    return files


def _twelve_bits(values: Picture) -> bytes:
    """A JPEG 2000 of 12 bits: one of 16 bits whose header says 12, the middle of the range moved along."""
    moved = stored(values, 12) + np.uint16(2**15 - 2**11)
    content = bytearray(cv2.imencode(".jp2", moved, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1])
    start = content.index(b"\xff\x4f\xff\x51")
    for channel in range(content[start + 41]):
        content[start + 42 + 3 * channel] = 11
    content[content.index(b"ihdr") + 14] = 11
    return bytes(content)


def _anymaps() -> Iterator[tuple[str, Written]]:
    for bits, values, magic in itertools.product((8, 10, 12, 16), (GREY, RGB), ("raw", "plain", "pam")):
        channels = 1 if values is GREY else 3
        samples, largest = stored(values, bits), 2**bits - 1
        raw = samples.astype(">u2" if bits > 8 else "u1").tobytes()
        if magic == "raw":
            content = (
                b"P%d\n# a camera\n%d %d\n%d\n" % (5 if channels == 1 else 6, WIDTH, HEIGHT, largest) + raw
            )
        elif magic == "plain":
            text = "\n".join(map(str, samples.ravel())).encode()
            content = (
                b"P%d %d %d # wide, high\n%d\n" % (2 if channels == 1 else 3, WIDTH, HEIGHT, largest) + text
            )
        else:
            lines = b"WIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE RGB\n"
            content = b"P7\n" + lines % (WIDTH, HEIGHT, channels, largest) + b"ENDHDR\n" + raw
        yield f"PNM {magic} {channels} {bits}", Written(content, values, bits, channels)
    samples = np.rint(GREY * 100).astype(np.uint8)
    yield (
        "PNM to 100",
        Written(b"P5 %d %d 100\n" % (WIDTH, HEIGHT) + samples.tobytes(), GREY, 8, 1, tolerance=3),
    )
    samples = np.rint(GREY * 1000).astype(">u2")
    yield "PNM to 1000", Written(b"P5 %d %d 1000\n" % (WIDTH, HEIGHT) + samples.tobytes(), GREY, 16, 1)
    black = GREY < 0.5
    bitmap = (~black).astype(np.float64)
    packed = np.packbits(black, axis=1).tobytes()
    yield "PBM", Written(b"P4\n%d %d\n" % (WIDTH, HEIGHT) + packed, bitmap, 1, 1)
    digits = (black + ord("0")).astype(np.uint8).tobytes()
    yield "PBM plain", Written(b"P1\n%d %d\n" % (WIDTH, HEIGHT) + digits, bitmap, 1, 1)
    rgba = stored(np.dstack([RGB, ALPHA]), 16).astype(">u2").tobytes()
    lines = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 65535\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % (WIDTH, HEIGHT)
    yield "PAM with alpha", Written(lines + rgba, LAID_OVER_BLACK, 16, 4)


def _pngs() -> Iterator[tuple[str, Written]]:
    """Every depth and colour that the format has, turned and not."""
    kinds = {0: (GREY, GREY), 2: (RGB, RGB), 4: (np.dstack([GREY, ALPHA]), GREY * ALPHA)}
    kinds[6] = np.dstack([RGB, ALPHA]), LAID_OVER_BLACK
    for colour, (values, seen) in kinds.items():
        for bits, orientation in itertools.product((1, 2, 4, 8, 16) if colour == 0 else (8, 16), (1, 6)):
            rows = stored(values, bits).reshape(HEIGHT, -1)
            single = (rows[:, :, None] >> np.arange(bits)[::-1]) & 1
            packed = np.packbits(single.astype(np.uint8).reshape(HEIGHT, -1), axis=1)
            header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour, 0, 0, 0)
            content = (
                b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"eXIf", exif(orientation)[6:])
            )
            content += png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed)))
            content += png_chunk(b"IEND", b"")
            channels = values.shape[2] if values.ndim == 3 else 1
            tolerance = ROUNDING + (0.5 * 255 / (2**bits - 1) if bits < 8 else 0)
            yield (
                f"PNG of colour {colour}, {bits} bits, turned {orientation}",
                Written(content, seen, bits, channels, orientation, tolerance),
            )
