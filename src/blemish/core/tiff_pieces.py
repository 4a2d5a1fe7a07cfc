"""The strips and tiles of a TIFF file: where its directory puts them, and whether each still holds what was written.

Follows TIFF 6.0 and, for files past 4 GiB, BigTIFF. Only the first page is looked at.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from blemish.core.jpeg import loss_in_jpeg
from blemish.core.tiff import first_tags

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _FILL_ORDER = 256, 257, 258, 259, 266
_CHANNELS, _ROWS, _PLANAR = 277, 278, 284
_STRIPS, _STRIP_SIZES, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES, _TABLES = (
    273,
    279,
    322,
    323,
    324,
    325,
    347,
)
_NONE, _JPEG, _DEFLATE = 1, 7, (8, 32946)
_MOST = 1 << 22  # strips or tiles; a directory that claims more is not followed


@dataclass(frozen=True)
class _Piece:
    """A strip or tile: its first byte, its length as the directory states it, and its length once unpacked."""

    start: int
    size: int
    unpacked: int


@dataclass(frozen=True)
class _Pieces:
    """What a directory says of its strips or tiles; `tables` are those that JPEG pieces share."""

    compression: int
    pieces: tuple[_Piece, ...]
    tables: bytes


def tiff_cut_short(content: bytes) -> bool:
    """Whether a strip or tile lies beyond the end of the file."""
    found = _pieces(content)
    if found is None:
        return False
    # The sizes of plain pieces are often wrong, and not needed.
    sizes = [one.unpacked if found.compression == _NONE else one.size for one in found.pieces]
    return any(one.start + size > len(content) for one, size in zip(found.pieces, sizes, strict=True))


def loss_in_tiff(content: bytes) -> str | None:
    """What of the first page is lost though decoders may read it; None if nothing is known to be."""
    found = _pieces(content)
    if found is None:
        return None
    plain = found.compression == _NONE
    if any(one.start == 0 or (one.size == 0 and not plain) for one in found.pieces):
        return "a strip of it is missing"
    spans = sorted({(one.start, one.start + (one.unpacked if plain else one.size)) for one in found.pieces})
    if any(after[0] < before[1] for before, after in pairwise(spans)):
        return "its strips lie upon one another"
    view, most = memoryview(content), max(one.unpacked for one in found.pieces)
    for one in found.pieces:
        data = view[one.start : one.start + one.size]
        if found.compression in _DEFLATE and not _inflates(data, most):
            return "its data do not match their checksum"
        if found.compression == _JPEG and (lost := _loss_in_jpeg_piece(found.tables, bytes(data))):
            return lost
    return None


def _inflates(data: memoryview, most: int) -> bool:
    """Whether deflated data unpack and match their checksum, which libtiff does not look at.

    A last strip may hold more rows than the image has left, but no more than the others.
    """
    stream = zlib.decompressobj()
    try:
        stream.decompress(data, most)
        stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error:
        return False
    return stream.eof


def _loss_in_jpeg_piece(tables: bytes, data: bytes) -> str | None:
    """A piece is a JPEG file whose tables may stand in the directory (Adobe's TIFF Technical Note 2)."""
    if not data.startswith(b"\xff\xd8"):
        return None
    joined = tables[:-2] + data[2:] if tables.endswith(b"\xff\xd9") else data
    return loss_in_jpeg(joined)


def _pieces(content: bytes) -> _Pieces | None:
    """Strips or tiles of the first page; None where the directory does not fit together."""
    try:
        return _read_pieces(content, first_tags(content))
    except (struct.error, KeyError, IndexError, OverflowError, ValueError):
        return None


def _read_pieces(content: bytes, tags: Mapping[int, Sequence[int]]) -> _Pieces | None:
    width, height = tags[_WIDTH][0], tags[_HEIGHT][0]
    channels, separate = tags.get(_CHANNELS, (1,))[0], tags.get(_PLANAR, (1,))[0] == 2
    bits = tags.get(_BITS, (1,))[0] * (1 if separate else channels)
    planes = channels if separate else 1
    if _TILES in tags:
        across, down = tags[_TILE_WIDTH][0], tags[_TILE_HEIGHT][0]
        count = -(-width // across) * -(-height // down) if across and down else 0
        starts, sizes = tags[_TILES], tags.get(_TILE_SIZES, ())
    else:
        down = min(tags.get(_ROWS, (height,))[0] or height, height)
        count = -(-height // down) if down else 0
        starts, sizes = tags[_STRIPS], tags.get(_STRIP_SIZES, ())
    if not 0 < count * planes <= min(len(starts), _MOST):
        return None  # before anything is made for a height that a header only claims
    if _TILES in tags:
        unpacked = [(across * bits + 7) // 8 * down] * count
    else:
        row = (width * bits + 7) // 8
        unpacked = [row * min(down, height - top) for top in range(0, height, down)]
    unpacked *= planes
    if len(sizes) < len(unpacked):  # an old file without sizes: its only piece ends where the file does
        sizes = [len(content) - start for start in starts]
    compression = tags.get(_COMPRESSION, (_NONE,))[0]
    pieces = tuple(map(_Piece, starts, sizes, unpacked))
    if tags.get(_FILL_ORDER, (1,))[0] == 2 and compression != _NONE:
        return None  # the bits of each byte are stored in reverse, which libtiff undoes
    return _Pieces(compression, pieces, bytes(tags.get(_TABLES, b"")))
