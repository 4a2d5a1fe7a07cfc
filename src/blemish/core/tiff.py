"""TIFF files: which page is the photograph, how its samples lie, and what they mean.

Pillow unpacks strips and tiles. It is given each plane as a grey image as wide as its rows have
bytes; what the bytes mean is decided here, by the tags. So planes of 16 bits, premultiplied alpha, white as zero, 10 to
14 packed bits, bands beside RGB and predictors over all of these are read alike. See TIFF 6.0 (Adobe, 1992).
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import TiffImagePlugin

from blemish.core.errors import ImageError
from blemish.core.image_samples import Samples, over_black, samples_of, unsupported_samples, upright
from blemish.core.quiet_pillow import quiet_pillow

_MOST_PAGES = 100
_MOST_SAMPLES = 8
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
_STRIPS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANES, _PREDICTOR = (
    273,
    274,
    277,
    278,
    279,
    284,
    317,
)
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339
_JPEG_TABLES, _SUBSAMPLING, _XMP, _DNG_VERSION = 347, 530, 700, 50706
_TAGS = frozenset(
    {_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIPS, _ORIENTATION}
)
_TAGS |= {
    _SAMPLES,
    _ROWS_PER_STRIP,
    _STRIP_BYTES,
    _PLANES,
    _PREDICTOR,
    _TILE_WIDTH,
    _TILE_HEIGHT,
    _TILES,
    _TILE_BYTES,
}
_TAGS |= {_EXTRA, _SAMPLE_FORMAT, _JPEG_TABLES, _SUBSAMPLING, _XMP, _DNG_VERSION}
_LONG = 4
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Formats of `struct` by type of a field."""
_SAID_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)(\d)')
_LONGEST_XMP = 2**20
_MOST_TAGS = 4096
_LARGE_TILE = 2**24
_MOST_BYTES = 2**26
_ROWS_AT_ONCE = 64

_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4, 6: 3}
"""Samples that make a colour, by photometric interpretation: grey (0: zero is white), RGB, CMYK, YCbCr."""
_MADE_OF_ROWS = frozenset({1, 5, 8, 32773, 32946, 34925, 50000})
"""Compressions that give the bytes of rows: none, LZW, Deflate, PackBits, LZMA, Zstandard."""
_PREDICTED = frozenset({5, 8, 32946, 34925, 50000})
_SAMPLE_TYPES = {2: "signed {}-bit integers", 3: "{}-bit floats", 5: "complex integers", 6: "complex floats"}
_ASSOCIATED, _UNASSOCIATED = 1, (2, 999)  # 999: as Corel Draw writes it
_PREMULTIPLIED_OR_NOT = (_ASSOCIATED, *_UNASSOCIATED)


@dataclass(frozen=True)
class TiffPage:
    """The first page of a TIFF file, which is its photograph.

    Attributes:
        tags: whole numbers of its directory, by tag.
        order: of bytes, "<" or ">".
    """

    tags: dict[int, tuple[int, ...]]
    order: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as stored."""
        return self.value(_WIDTH, 0), self.value(_HEIGHT, 0)

    @property
    def bits(self) -> int:
        """Of each sample."""
        return max(self.values(_BITS, 1))

    @property
    def channels(self) -> int:
        """Samples of each pixel, whatever they mean."""
        return self.value(_SAMPLES, 1)

    @property
    def orientation(self) -> int:
        """As EXIF's, 1 to 8; where no tag says it, what the XMP says, as Pillow does."""
        said = _SAID_IN_XMP.search(bytes(self.values(_XMP, 0)))
        value = self.value(_ORIENTATION, int(said[1]) if said else 1)
        return value if value in range(1, 9) else 1

    def values(self, tag: int, default: int) -> tuple[int, ...]:
        """The numbers of a tag."""
        return self.tags.get(tag, (default,))

    def value(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return next(iter(self.values(tag, default)), default)

    def samples(self, content: bytes, name: str, least: tuple[int, int] | None = None) -> Samples:
        """uint8 or uint16, H x W or H x W x 3 (RGB), upright; fewer than 8 bits are scaled to 8.

        Args:
            content: the file.
            name: for errors.

        Raises:
            ImageError: the samples are of a kind that is not read.
        """
        photometric, compression = self.value(_PHOTOMETRIC, 0), self.value(_COMPRESSION, 1)
        self._require_whole_numbers(name)
        if compression not in _MADE_OF_ROWS or photometric not in _COLOURS or self._is_left_to_libtiff:
            return self._as_pillow_reads_it(content, name)
        colours = _COLOURS[photometric]
        extra = self._extra_samples(colours, name)
        alpha = [at for at, kind in enumerate(extra, colours) if kind in _UNASSOCIATED]
        if _ASSOCIATED in extra:  # premultiplied colours lie over black already
            alpha = []
        stored = self._stored(content, [*range(colours), *alpha[:1]])
        return upright(_colours(stored, photometric, self.bits, bool(alpha)), self.orientation)

    def _require_whole_numbers(self, name: str) -> None:
        for kind in self.values(_SAMPLE_FORMAT, 1):
            if kind in _SAMPLE_TYPES:
                raise unsupported_samples(name, _SAMPLE_TYPES[kind].format(self.bits))
        if self.bits > 16:
            raise unsupported_samples(name, f"{self.bits}-bit integers")
        if len(set(self.values(_BITS, 1))) > 1:
            raise unsupported_samples(name, "channels of different depths")

    @property
    def _is_left_to_libtiff(self) -> bool:
        """Whether it is YCbCr of 8 bits as libtiff converts it, or as nobody does without libtiff: subsampled."""
        if self.value(_PHOTOMETRIC, 0) != 6:
            return False
        chunky = self.value(_PLANES, 1) == 1 and self.value(_COMPRESSION, 1) != 1 and self.bits == 8
        return chunky or self.values(_SUBSAMPLING, 2) != (1, 1)

    def _extra_samples(self, colours: int, name: str) -> tuple[int, ...]:
        """What each sample beside the colour is; one of which nothing is said is taken for alpha, as others do."""
        count = self.channels - colours
        if count < 0:
            raise unsupported_samples(name, "fewer channels than a colour has")
        if self.channels > _MOST_SAMPLES:
            raise unsupported_samples(name, f"{self.channels} channels")
        kinds = self.values(_EXTRA, 2 if count == 1 else 0)
        kinds = (*kinds, *[0] * count)[:count]
        if colours == 1 and len(kinds) > 1 and not set(kinds) & set(_PREMULTIPLIED_OR_NOT):
            raise unsupported_samples(name, f"{self.channels} bands of which none is said to be a colour")
        return kinds

    def _stored(self, content: bytes, wanted: list[int]) -> Samples:
        """The wanted samples of each pixel, H x W x N."""
        width, height = self.size
        if self.channels > 1 and self.value(_PLANES, 1) == 2:
            return np.dstack(list(self._planes(content, wanted, 1)))
        pixels = next(self._planes(content, [0], self.channels)).reshape(height, width, self.channels)
        return pixels if len(wanted) == self.channels else pixels[:, :, wanted]

    def _planes(self, content: bytes, planes: list[int], samples: int) -> Iterator[Samples]:
        """Rows of some planes, each H x (W * samples), predictors undone."""
        row = -(-self.size[0] * samples * self.bits // 8)
        plain = _with_directories(content, [self._plain_directory(plane, row, samples) for plane in planes])
        for page in range(len(planes)):
            with quiet_pillow():
                image = TiffImagePlugin.TiffImageFile(io.BytesIO(plain))
                image.seek(page)
                image.load()  # asks for the pixel limit once more
            values = _unpacked(np.asarray(image), self.bits, self.order, self.size[0] * samples)
            yield self._without_predictor(values, samples)

    def _plain_directory(self, plane: int, row: int, samples: int) -> dict[int, tuple[int, ...]]:
        """The tags of one plane as a grey image of `row` x H bytes."""
        height = self.size[1]
        tags: dict[int, tuple[int, ...]] = {_WIDTH: (row,), _HEIGHT: (height,)}
        tags |= {_BITS: (8,), _PHOTOMETRIC: (1,), _SAMPLES: (1,)}
        tags |= {tag: (self.value(tag, 1),) for tag in (_COMPRESSION, _FILL_ORDER)}
        if _TILES in self.tags:
            across, down = self.value(_TILE_WIDTH, 0), self.value(_TILE_HEIGHT, 0)
            if across * down > max(4 * self.size[0] * height, _LARGE_TILE):
                raise ValueError("tiles that no image needs")
            count = -(-self.size[0] // across) * -(-height // down)
            tags |= {_TILE_WIDTH: (across * samples * self.bits // 8,), _TILE_HEIGHT: (down,)}
            places, lengths = _TILES, _TILE_BYTES
        else:
            rows = min(self.value(_ROWS_PER_STRIP, height), height)
            count = -(-height // rows)
            tags |= {_ROWS_PER_STRIP: (rows,)}
            places, lengths = _STRIPS, _STRIP_BYTES
        for tag in (places, lengths):
            values = self.values(tag, 0)[plane * count : (plane + 1) * count]
            if len(values) == count:
                tags[tag] = values
            elif tag == places:
                raise ValueError("truncated: it has fewer strips than rows")
        return tags

    def _without_predictor(self, values: Samples, samples: int) -> Samples:
        """Values of which each row was stored as differences from pixel to pixel, tile by tile."""
        predictor = self.value(_PREDICTOR, 1)
        if predictor == 1 or self.value(_COMPRESSION, 1) not in _PREDICTED:
            return values
        if predictor != 2 or self.bits not in (8, 16):
            raise ValueError(f"predictor {predictor} over {self.bits} bits")
        pixels = values.reshape(len(values), -1, samples)
        across = self.value(_TILE_WIDTH, 0) if _TILES in self.tags else 0
        summed = np.empty(pixels.shape, pixels.dtype.newbyteorder("="))
        for left in range(0, pixels.shape[1], across or pixels.shape[1]):
            part = slice(left, left + (across or pixels.shape[1]))
            np.cumsum(pixels[:, part], axis=1, dtype=summed.dtype, out=summed[:, part])
        return summed.reshape(values.shape)

    def _as_pillow_reads_it(self, content: bytes, name: str) -> Samples:
        compression, photometric = self.value(_COMPRESSION, 1), self.value(_PHOTOMETRIC, 0)
        if compression not in TiffImagePlugin.COMPRESSION_INFO:
            raise unsupported_samples(name, f"compression {compression}")
        if photometric not in (*_COLOURS, 3, 8):
            raise unsupported_samples(name, f"photometric interpretation {photometric}")
        if compression == 1 and photometric == 6:
            raise unsupported_samples(name, "YCbCr of which colours are subsampled, uncompressed")
        if self.bits not in (1, 2, 4, 8):
            raise unsupported_samples(name, f"{self.bits} bits in an unusual arrangement")
        with quiet_pillow():
            image = TiffImagePlugin.TiffImageFile(io.BytesIO(content))
            image.load()  # reads more of the directory, and may warn
        return samples_of(image, name)


def read_first_page(stream: IO[bytes], name: str) -> TiffPage:
    """The photograph of a TIFF file.

    Raises:
        ImageError: it has several pages, or is a camera raw file.
        ValueError: its first directory is damaged.
    """
    pages = islice(_pages(stream), _MOST_PAGES)
    page = next(pages, None)
    if page is None or 0 in page.size:
        raise ValueError("a directory without the image's size")
    if _DNG_VERSION in page.tags or page.value(_SUBFILE, 0) & 1:
        raise ImageError(
            name, "unsupported", "it holds a camera raw file, which is not read; convert it to PNG."
        )
    if any(not other.value(_SUBFILE, 0) & 1 for other in pages):  # 1: a smaller copy of another page
        raise ImageError(name, "animated", "it has several pages; save the one that counts as a file.")
    return page


def first_tags(content: bytes) -> dict[int, tuple[int, ...]]:
    """Whole numbers of the first directory of a file, by tag; none if there is no directory.

    Raises:
        ValueError, struct.error: it is damaged.
    """
    page = next(_pages(io.BytesIO(content)), None)
    return {} if page is None else page.tags


def _pages(stream: IO[bytes]) -> Iterator[TiffPage]:
    """The pages of a file, each once. Not with Pillow, which reads no large TIFF of big-endian order."""
    start = stream.read(16)
    order = "<" if start.startswith(b"II") else ">"
    big = b"+" in start[2:4]
    (place,) = struct.unpack_from(order + ("Q" if big else "I"), start, 8 if big else 4)
    seen = set[int]()
    while place and place not in seen:
        seen.add(place)
        tags, place = _directory(stream, place, order, big)
        yield TiffPage(tags, order)


def _directory(
    stream: IO[bytes], place: int, order: str, big: bool
) -> tuple[dict[int, tuple[int, ...]], int]:
    """The whole numbers in a directory, by tag, and where the next one is (0: nowhere)."""
    room, number = (8, "Q") if big else (4, "I")
    entry = struct.Struct(f"{order}HH{number}{room}s")
    stream.seek(place)
    (count,) = struct.unpack(order + ("Q" if big else "H"), stream.read(8 if big else 2))
    entries = stream.read(min(count, _MOST_TAGS) * entry.size)
    following = stream.read(room)
    tags: dict[int, tuple[int, ...]] = {}
    for tag, kind, length, content in entry.iter_unpack(entries):
        if tag in _TAGS and kind in _NUMBERS and length and (tag != _XMP or length < _LONGEST_XMP):
            size = length * struct.calcsize(order + _NUMBERS[kind])
            if size > room:
                if size > _MOST_BYTES:
                    raise ValueError("a tag of more values than any image has")
                stream.seek(int(struct.unpack(order + number, content)[0]))
                content = stream.read(size)
            tags[tag] = struct.unpack(f"{order}{length}{_NUMBERS[kind]}", content[:size])
    return tags, struct.unpack(order + number, following)[0] if len(following) == room else 0


def _with_directories(content: bytes, pages: list[dict[int, tuple[int, ...]]]) -> bytes:
    """A TIFF file with the strips of another, at the same places, under other directories."""
    parts = [
        b"II*\0",
        struct.pack("<I", len(content) + len(content) % 2),
        content[8:],
        bytes(len(content) % 2),
    ]
    at = len(content) + len(content) % 2
    for number, tags in enumerate(pages):
        arrays = at + 2 + 12 * len(tags) + 4
        entries, behind = [], b""
        for tag, values in sorted(tags.items()):
            packed = struct.pack(f"<{len(values)}I", *values)
            entries.append(struct.pack("<HHI", tag, _LONG, len(values)))
            entries.append(packed if len(values) == 1 else struct.pack("<I", arrays + len(behind)))
            behind += packed if len(values) > 1 else b""
        at = arrays + len(behind)
        following = struct.pack("<I", at if number + 1 < len(pages) else 0)
        parts += [struct.pack("<H", len(tags)), *entries, following, behind]
    return b"".join(parts)


def _unpacked(rows: npt.NDArray[np.uint8], bits: int, order: str, count: int) -> Samples:
    """The first `count` samples of each row of bytes: uint8, or uint16 in the file's order of bytes."""
    if bits in (8, 16):
        return np.ascontiguousarray(rows).view(np.uint8 if bits == 8 else f"{order}u2")[:, :count]
    values = np.empty((len(rows), count), np.uint8 if bits < 8 else np.uint16)
    weights = (1 << np.arange(bits)[::-1]).astype(values.dtype)
    for top in range(0, len(rows), _ROWS_AT_ONCE):
        single = np.unpackbits(rows[top : top + _ROWS_AT_ONCE], axis=1, count=count * bits)
        values[top : top + _ROWS_AT_ONCE] = single.reshape(-1, count, bits) @ weights
    return values


def _colours(stored: Samples, photometric: int, bits: int, has_alpha: bool) -> Samples:
    """Stored samples, H x W x N with alpha last if there is any, as grey H x W or RGB H x W x 3, uint8 or uint16."""
    full = 2**bits - 1
    samples = stored.astype(np.uint8 if bits <= 8 else np.uint16, copy=False)
    if photometric in _TO_RGB:
        rgb = _TO_RGB[photometric](samples, full).astype(samples.dtype)
        samples = np.concatenate([rgb, samples[:, :, _COLOURS[photometric] :]], axis=2)
    if has_alpha:
        samples = over_black(samples, full)
    elif samples.shape[2] == 1:
        samples = samples[:, :, 0]
    return samples if bits >= 8 else (samples.astype(np.uint16) * 255 // full).astype(np.uint8)


def _from_white(samples: Samples, full: int) -> Samples:
    """Grey of which zero is white."""
    return np.asarray(full - samples[:, :, :1])


def _from_cmyk(samples: Samples, full: int) -> Samples:
    """Without a profile, as Pillow does it."""
    light = full - samples[:, :, :4].astype(np.uint32)
    return np.asarray((light[:, :, :3] * light[:, :, 3:] + full // 2) // full)


def _from_ycbcr(samples: Samples, full: int) -> Samples:
    """By ITU-R BT.601 over the full range, as in JFIF."""
    luma, blue, red = np.moveaxis(samples[:, :, :3].astype(np.float32), 2, 0)
    blue, red = blue - (full + 1) // 2, red - (full + 1) // 2
    rgb = luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue
    return np.asarray(np.clip(np.rint(np.dstack(rgb)), 0, full))


_TO_RGB: dict[int, Callable[[Samples, int], Samples]] = {0: _from_white, 5: _from_cmyk, 6: _from_ycbcr}
