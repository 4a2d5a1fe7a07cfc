"""TIFF files of arrangements that no library at hand writes: packed bits, reversed bits, mixed with all the rest."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Arrangement:
    """How samples are written; see TIFF 6.0."""

    bits: int
    photometric: int
    extra: tuple[int, ...] = ()
    planar: bool = False
    compressed: bool = False
    predictor: bool = False
    tiled: bool = False
    order: str = "<"
    reversed_bits: bool = False
    big: bool = False
    orientation: int = 1


def write_tiff(samples: npt.NDArray[np.unsignedinteger], how: Arrangement) -> bytes:
    """`samples`, H x W x N below 2**bits, as the bytes of a file; an odd number of rows a strip, tiles of 16 x 32."""
    height, width, channels = samples.shape
    planes = np.split(samples, channels, axis=2) if how.planar else [samples]
    pieces = [piece for plane in planes for piece in _pieces(plane, how)]
    packed = [_packed(piece, how) for piece in pieces]
    start = 16 if how.big else 8
    offsets = list(np.cumsum([start, *map(len, packed)])[:-1])
    tags = {256: (width,), 257: (height,), 258: (how.bits,) * channels, 259: (8 if how.compressed else 1,)}
    tags |= {262: (how.photometric,), 266: (2 if how.reversed_bits else 1,), 274: (how.orientation,)}
    tags |= {277: (channels,), 284: (2 if how.planar else 1,), 317: (2 if how.predictor else 1,)}
    tags |= {338: how.extra} if how.extra else {}
    lengths = tuple(map(len, packed))
    if how.tiled:
        tags |= {322: (32,), 323: (16,), 324: tuple(offsets), 325: lengths}
    else:
        tags |= {273: tuple(offsets), 278: (7,), 279: lengths}
    return _file(b"".join(packed), tags, how)


def _pieces(
    plane: npt.NDArray[np.unsignedinteger], how: Arrangement
) -> list[npt.NDArray[np.unsignedinteger]]:
    height, width, channels = plane.shape
    if not how.tiled:
        return [plane[top : top + 7] for top in range(0, height, 7)]
    padded = np.zeros((-(-height // 16) * 16, -(-width // 32) * 32, channels), plane.dtype)
    padded[:height, :width] = plane
    corners = ((top, left) for top in range(0, height, 16) for left in range(0, width, 32))
    return [padded[top : top + 16, left : left + 32] for top, left in corners]


def _packed(piece: npt.NDArray[np.unsignedinteger], how: Arrangement) -> bytes:
    if how.predictor:
        piece = np.diff(piece, axis=1, prepend=piece.dtype.type(0))
    rows = piece.reshape(len(piece), -1)
    if how.bits == 16:
        content = rows.astype(how.order + "u2").tobytes()
    else:
        single = (rows[:, :, None] >> np.arange(how.bits)[::-1]) & 1
        content = np.packbits(single.astype(np.uint8).reshape(len(rows), -1), axis=1).tobytes()
    content = zlib.compress(content) if how.compressed else content
    if how.reversed_bits:
        content = np.packbits(
            np.unpackbits(np.frombuffer(content, np.uint8)).reshape(-1, 8)[:, ::-1]
        ).tobytes()
    return content


def _file(strips: bytes, tags: dict[int, tuple[int, ...]], how: Arrangement) -> bytes:
    """The header, the strips, and a directory of 16- and 32-bit numbers behind them."""
    order, big = how.order, how.big
    start, word, count, room = (16, "Q", "Q", 8) if big else (8, "I", "H", 4)
    begin = b"II" if order == "<" else b"MM"
    place = start + len(strips)
    header = begin + struct.pack(
        order + ("HHHQ" if big else "HI"), *((43, 8, 0, place) if big else (42, place))
    )
    behind = place + struct.calcsize(order + count) + len(tags) * (20 if big else 12) + room
    entries, arrays = b"", b""
    for tag, values in sorted(tags.items()):
        long = tag in (273, 279, 324, 325)
        content = struct.pack(f"{order}{len(values)}{'I' if long else 'H'}", *values)
        entries += struct.pack(order + "HH" + word, tag, 4 if long else 3, len(values))
        if len(content) <= room:
            entries += content.ljust(room, b"\0")
        else:
            entries += struct.pack(order + word, behind + len(arrays))
            arrays += content
    return header + strips + struct.pack(order + count, len(tags)) + entries + bytes(room) + arrays
