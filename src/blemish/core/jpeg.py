"""JPEG photographs decoded strictly: what libjpeg only warns of, and fills with grey, is damage."""

from __future__ import annotations

import re

import simplejpeg

from blemish.core.errors import ImageError
from blemish.core.image_samples import Samples
from blemish.core.jpeg_scans import loss_in_scans, without_oddities, without_padding

_COLOURS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_CUT_SHORT = "the file ends before its image does"
# libjpeg-turbo's own words (jerror.h), and what they mean to the owner of the photograph.
_LOST = {
    "Premature end of JPEG file": _CUT_SHORT,
    "premature end of data segment": "its data end before its picture does",
    "extraneous bytes": "its data do not end where its picture does",
    "found marker": "some of its data are missing or doubled",
    "bad Huffman code": "some of its data mean nothing",
    "bad arithmetic code": "some of its data mean nothing",
    "Inconsistent progression": "one of its scans is missing or doubled",
}
_BROKEN = (  # here it gives up: markers that make no sense, though the file's first ones did
    "Unsupported marker type",
    "Invalid JPEG file structure",
    "Invalid progressive parameters",
    "Invalid component ID",
    "Bogus",
    "table 0x",
)
_ODD = ("extraneous bytes", "unknown JFIF revision", "Unknown Adobe color", "Invalid SOS parameters")
_LEFT_OVER = re.compile("([0-9]+) extraneous bytes before marker 0xd9")
_READ_AHEAD = 8  # bytes that may be in libjpeg's bit buffer, and are not counted as left over


def jpeg_samples(
    content: bytes, mode: str, name: str, least: tuple[int, int] | None = None
) -> Samples | None:
    """Samples of a JPEG file, uint8, H x W (grey) or H x W x 3 (RGB), not yet turned upright.

    Decoded at reduced scale, the file is read to its end all the same, so that damage is found as ever.

    Args:
        content: the whole file.
        mode: Pillow's word for its colours.
        name: what to call the file in errors.
        least: width and height that are enough: libjpeg then decodes at the smallest scale, of a half or less, that
            gives so many; None for all that there are.

    Returns:
        The samples; None where Pillow has to decode the file, or to refuse it: CMYK, and what is coded in unusual ways.

    Raises:
        ImageError: kind damaged or truncated.
    """
    pixels, lost = _decode(content, _COLOURS.get(mode, "RGB"), least)
    if lost == _CUT_SHORT:
        raise ImageError(name, "truncated", f"{_CUT_SHORT}; copy or take the photograph again.")
    if lost:
        raise ImageError(name, "damaged", f"it is damaged: {lost}; copy or take the photograph again.")
    if pixels is None or mode == "CMYK":
        return None
    return pixels[:, :, 0] if mode == "L" else pixels


def loss_in_jpeg(content: bytes) -> str | None:
    """What of the picture in a JPEG file is lost, as a clause; None if nothing is known to be."""
    return _decode(content, "GRAY")[1]


def _decode(
    content: bytes, colours: str, least: tuple[int, int] | None = None
) -> tuple[Samples | None, str | None]:
    """Pixels, if this decoder can read the file, and what is lost of them, if anything."""
    pixels, said = _strictly(content, colours, least)
    while any(odd in said for odd in _ODD):
        mended = _mended(content, said)
        if mended == content:
            break
        content = mended
        pixels, said = _strictly(content, colours, least)
    lost = next((meaning for words, meaning in _LOST.items() if words in said), None)
    if any(words in said for words in _BROKEN):
        lost = "its parts do not fit together"
    return pixels, lost or loss_in_scans(content, decoded=pixels is not None)


def _strictly(content: bytes, colours: str, least: tuple[int, int] | None) -> tuple[Samples | None, str]:
    """The pixels and nothing, or nothing and the first thing that libjpeg said."""
    scaled = {} if least is None else {"min_width": least[0], "min_height": least[1], "min_factor": 2}
    try:
        return simplejpeg.decode_jpeg(content, colours, strict=True, **scaled), ""
    except ValueError as error:
        return None, str(error)


def _mended(content: bytes, said: str) -> bytes:
    """The file without what made libjpeg say this, if nobody misses that; else the file as it is."""
    if found := _LEFT_OVER.search(said):
        return without_padding(content, int(found[1]) + _READ_AHEAD)
    return without_oddities(content)
