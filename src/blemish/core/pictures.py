"""Pictures inside a report: shrunk to a page's size and embedded as data URIs."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from blemish.core.types import ByteArray

PICTURE_SIDE = 448
"""Longer side of a picture in a report, in pixels."""

_JPEG_QUALITY = 82
_PNG_HEADER = 33
"""Bytes of a PNG file's signature and first chunk."""


@dataclass(frozen=True)
class Picture:
    """One picture: data URI, size in pixels, caption, and a description for those who do not see it."""

    caption: str
    uri: str
    width: int
    height: int
    description: str


def picture(caption: str, pixels: ByteArray, of: str) -> Picture:
    """A uint8 RGB H x W x 3 image as a JPEG picture of the thing named `of`."""
    height, width = pixels.shape[:2]
    return Picture(caption, data_uri(pixels, ".jpg"), width, height, f"{caption} of {of}")


def fitted(image: ByteArray, side: int = PICTURE_SIDE) -> ByteArray:
    """The uint8 image (H x W or H x W x 3) shrunk until its longer side is `side`; a smaller one is left."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def encoded(image: ByteArray, extension: str, quality: int = _JPEG_QUALITY) -> bytes:
    """A uint8 RGB image as the bytes of a `.jpg` or `.png` file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if extension == ".jpg" else []
    _, content = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return bytes(content)


def with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """A JPEG file with a comment behind its first segment (JFIF), as ITU-T T.81 B.2.4.5 describes it."""
    place = 4 + int.from_bytes(jpeg[4:6], "big")
    return jpeg[:place] + b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment + jpeg[place:]


def png_with_comment(png: bytes, comment: bytes) -> bytes:
    """A PNG file with a comment (ASCII) behind its header, as the W3C's specification describes text chunks."""
    body = b"tEXtComment\0" + comment
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:_PNG_HEADER] + chunk + png[_PNG_HEADER:]


def data_uri(image: ByteArray, extension: str) -> str:
    """A uint8 RGB image as a data URI of a `.jpg` or `.png` file."""
    return uri_of(encoded(image, extension), extension)


def uri_of(content: bytes, extension: str) -> str:
    """The bytes of a `.jpg` or `.png` file as a data URI."""
    kind = {".jpg": "jpeg", ".png": "png"}[extension]
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
