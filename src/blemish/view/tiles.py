"""Tiles: a picture too large for one piece, read in overlapping parts whose maps are put together without a seam.

A tile's map is wrong near the tile's own edges, where the network sees its padding instead of the picture. So tiles
overlap by twice a halo, the cells within it are thrown away, and every cell of the whole map comes from one tile that
saw its surroundings. Tiles begin at multiples of the largest stride, so that cells of all tiles lie on one grid, and
they are pushed inward at the picture's border: what is padding there is padding in one piece too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray, FloatArray
from blemish.view.preprocessing import Preprocessing, standardise

UNIT = 32
"""Pixels of which everything here is a multiple: the largest stride of the networks."""

MOST_MAP_PIXELS = 2**22
"""Of the anomaly map of a picture read in tiles."""


@dataclass(frozen=True)
class Span:
    """One tile along one side, in pixels of the picture: where it begins, and from where to where it is kept."""

    start: int
    kept_from: int
    kept_to: int


@dataclass(frozen=True)
class Tile:
    """A tile of `height` x `width` pixels, and what of it is kept."""

    rows: Span
    columns: Span
    height: int
    width: int

    def of(self, picture: ByteArray) -> ByteArray:
        """Its pixels, a view of the picture H x W x 3."""
        top, left = self.rows.start, self.columns.start
        return picture[top : top + self.height, left : left + self.width]

    def places(self, stride: int) -> tuple[slice, slice]:
        """Where its kept cells of this stride lie in the whole map: rows, columns."""
        rows, columns = self.rows, self.columns
        return (
            slice(rows.kept_from // stride, rows.kept_to // stride),
            slice(columns.kept_from // stride, columns.kept_to // stride),
        )

    def kept(self, stride: int) -> tuple[slice, slice]:
        """Where they lie in the tile's own map."""
        rows, columns = self.rows, self.columns
        return (
            slice((rows.kept_from - rows.start) // stride, (rows.kept_to - rows.start) // stride),
            slice((columns.kept_from - columns.start) // stride, (columns.kept_to - columns.start) // stride),
        )


@dataclass(frozen=True)
class Tiling:
    """All tiles of a picture of `height` x `width` pixels, row by row, each of `tile_height` x `tile_width`."""

    height: int
    width: int
    tile_height: int
    tile_width: int
    tiles: tuple[Tile, ...]

    def stride(self, tile_shape: Sequence[int]) -> int:
        """Stride of a map whose last two sides are these for a tile.

        Raises:
            UsageError: it is not one number, or does not divide a tile.
        """
        rows, columns = tile_shape[-2:]
        stride = self.tile_height // max(rows, 1)
        if (
            stride < 1
            or UNIT % stride
            or (rows * stride, columns * stride) != (self.tile_height, self.tile_width)
        ):
            raise UsageError(
                f"Maps of {rows} x {columns} cells cannot be put together from tiles of {self.tile_height} x "
                f"{self.tile_width} pixels: choose taps of stride {UNIT} or less."
            )
        return stride

    def whole_shape(self, tile_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the whole map of which a tile's has this one; the last two are rows and columns."""
        stride = self.stride(tile_shape)
        return (*tile_shape[:-2], self.height // stride, self.width // stride)


def spans(side: int, tile: int, halo: int) -> tuple[Span, ...]:
    """Tiles along a side of a picture: as few as overlap by at least twice the halo, evenly spread.

    Args:
        side, tile, halo: in pixels, multiples of 32; a tile that is not shorter than the side covers it alone.

    Raises:
        UsageError: one is no multiple of 32, or a tile is all halo.
    """
    if side % UNIT or tile % UNIT or halo % UNIT:
        raise UsageError(
            f"A side of {side} pixels in tiles of {tile} with {halo} around is not possible: choose multiples of "
            f"{UNIT}."
        )
    if tile >= side:
        return (Span(0, 0, side),)
    if tile < 2 * halo + UNIT:
        raise UsageError(
            f"Tiles of {tile} pixels are too small for a network that sees {halo} pixels around each place: choose "
            f"tiles of {2 * halo + UNIT} or more, 1024 at best, or taps of smaller strides."
        )
    places, step = (side - tile) // UNIT, (tile - 2 * halo) // UNIT
    count = -(-places // step) + 1
    starts = [UNIT * (number * places // (count - 1)) for number in range(count)]
    # Each seam lies in the middle of an overlap.
    seams = [later + (earlier + tile - later) // (2 * UNIT) * UNIT for earlier, later in pairwise(starts)]
    return tuple(
        Span(start, low, high) for start, low, high in zip(starts, [0, *seams], [*seams, side], strict=True)
    )


@lru_cache(maxsize=16)
def tiling_of(height: int, width: int, tile: int, halo: int) -> Tiling:
    """The tiles of a picture; `tile` 0, or one not smaller than the picture, is one piece.

    Raises:
        UsageError: as `spans`.
    """
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    tile_height, tile_width = (min(tile or side, side) for side in (height, width))
    if (tile_height, tile_width) == (height, width):
        rows, columns = (Span(0, 0, height),), (Span(0, 0, width),)
    else:
        rows, columns = spans(height, tile_height, halo), spans(width, tile_width, halo)
    tiles = tuple(Tile(row, column, tile_height, tile_width) for row in rows for column in columns)
    return Tiling(height, width, tile_height, tile_width, tiles)


def tiling(contract: Preprocessing) -> Tiling:
    """The tiles of the network's input; one where the view asks for none.

    Raises:
        UsageError: as `spans`.
    """
    view = contract.view
    return tiling_of(contract.height, contract.width, view.tile if view else 0, view.halo if view else 0)


def map_shape(contract: Preprocessing, stride: int) -> tuple[int, int]:
    """Height and width of the anomaly map: of the input in one piece; in tiles a cell of the finest map has a side of
    as many pixels as keep the map within `MOST_MAP_PIXELS`, a power of two.

    Args:
        contract: with the input's size.
        stride: of the finest map.
    """
    height, width = contract.height, contract.width
    if not contract.tiled:
        return height, width
    shrink = 1
    while shrink < stride and height * width > MOST_MAP_PIXELS * shrink**2:
        shrink *= 2
    return height // shrink, width // shrink


def stitched(
    run: Callable[[Iterator[FloatArray]], Iterator[FloatArray]], picture: ByteArray, contract: Preprocessing
) -> FloatArray:
    """Run a network on every tile of a picture, and put its maps together.

    Args:
        run: from preprocessed tiles, 1 x 3 x h x w each, to the map of each in order, 1 x C x h/stride x w/stride.
        picture: uint8 RGB of the contract's size.
        contract: the preprocessing, with tiles.

    Returns:
        The whole map, float32 1 x C x H/stride x W/stride.

    Raises:
        UsageError: as `Tiling.stride`.
    """
    parts = tiling(contract)
    inputs = (standardise(tile.of(picture), contract)[None] for tile in parts.tiles)
    return put_together(parts, run(inputs))


def put_together(parts: Tiling, maps: Iterable[FloatArray]) -> FloatArray:
    """The whole map, float32 1 x C x H/stride x W/stride, of the maps of all tiles in their order."""
    whole: FloatArray | None = None
    for tile, one in zip(parts.tiles, maps, strict=True):
        if whole is None:
            whole = np.empty(parts.whole_shape(one.shape), np.float32)
            stride = parts.stride(one.shape)
        whole[(..., *tile.places(stride))] = one[(..., *tile.kept(stride))]
    assert whole is not None  # there is always a tile
    return whole
