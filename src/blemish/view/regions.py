"""Regions: which pixels of a photograph count, by shapes and a mask in the photograph's own coordinates."""

from __future__ import annotations

import base64
import zlib
from functools import lru_cache
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from blemish.core.types import BoolArray, ByteArray
from blemish.view.shapes import Shapes, is_box, numbers_of, shortened

MOST_MASK_PIXELS = 2**26
"""Of a mask that an artifact carries."""

_MOST_MASK_TEXT = 2**19
_FRACTION = 4  # bits of OpenCV's coordinates behind the point


class MaskBits(BaseModel):
    """A mask as an artifact carries it: rows of bits, eight to a byte, compressed by zlib, in base 64.

    Attributes:
        width, height: its size in pixels, 2**26 of them at most.
        bits: as above, 2**19 letters at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(ge=1, le=65_536)
    height: int = Field(ge=1, le=65_536)
    bits: str = Field(max_length=_MOST_MASK_TEXT, pattern=r"^[A-Za-z0-9+/]*={0,2}$")

    @classmethod
    def of(cls, mask: BoolArray) -> Self:
        """A mask, H x W.

        Raises:
            ValueError: it is too large, or of so many pieces that it takes too many letters.
        """
        packed = zlib.compress(np.packbits(mask, axis=1).tobytes(), 9)
        return cls(width=mask.shape[1], height=mask.shape[0], bits=base64.b64encode(packed).decode())

    def pixels(self) -> BoolArray:
        """The mask, bool H x W."""
        return _unpacked(self.bits, self.width, self.height)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width * self.height > MOST_MASK_PIXELS:
            raise ValueError(f"a mask has at most {MOST_MASK_PIXELS} pixels")
        self.pixels()
        return self


def _unpacked(bits: str, width: int, height: int) -> BoolArray:
    """The pixels of a mask, of which no more are unpacked than it says it has.

    Raises:
        ValueError: they are not what it says.
    """
    row = -(-width // 8)
    try:
        stream = zlib.decompressobj()
        found = stream.decompress(base64.b64decode(bits, validate=True), row * height + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError("the bits of the mask cannot be unpacked") from error
    if len(found) != row * height or not stream.eof:
        raise ValueError("the mask has more or fewer bits than pixels")
    packed = np.frombuffer(found, np.uint8).reshape(height, row)
    return np.unpackbits(packed, axis=1, count=width).view(np.bool_)


class Regions(BaseModel):
    """Which pixels of a photograph count: all that `include` or nothing less names, but what `ignore` and `mask` leave.

    Corners of polygons are pixels, which belong to them; where a polygon covers itself twice, it does not.

    Attributes:
        include: shapes of which any makes a pixel count; empty for the whole photograph.
        ignore: shapes of which any makes it not count.
        mask: pixels that may count; None for all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: Shapes = ()
    ignore: Shapes = ()
    mask: MaskBits | None = None

    def counted(self, usual: tuple[int, int], size: tuple[int, int]) -> BoolArray:
        """Which pixels of a photograph count, bool H x W, read-only; made once for a size.

        Args:
            usual: width and height of the photograph that the coordinates are of.
            size: those of this one; every pixel that a shape reaches into belongs to the shape.
        """
        return _counted(self, usual, size)

    def in_words(self) -> str:
        """What is looked at, as `inside box:0,0,90,60, but not in polygon:4,4,20,4,20,20`."""
        said = []
        if self.include:
            said.append("inside " + " or ".join(map(shortened, self.include)))
        if self.mask is not None:
            said.append("where the mask is white")
        if self.ignore:
            said.append("not in " + " or ".join(map(shortened, self.ignore)))
        return ", but ".join(said) if len(said) < 3 else f"{said[0]}, {said[1]}, but {said[2]}"


class IgnoredLater(BaseModel):
    """What counts no longer since an inspector was fitted.

    Attributes:
        regions: what still counts, of what `View.regions` lets count.
        margin: pixels of the network's input around what counts no longer whose map is not believed: there the
            network sees the edge of a filled area that it has not learnt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: Regions
    margin: int = Field(ge=0, le=16_384)


@lru_cache(maxsize=8)
def _counted(regions: Regions, usual: tuple[int, int], size: tuple[int, int]) -> BoolArray:
    width, height = size
    canvas = np.full((height, width), 0 if regions.include else 1, np.uint8)
    for shape in regions.include:
        _draw(canvas, shape, usual, 1)
    if regions.mask is not None:
        white: npt.NDArray[Any] = np.ascontiguousarray(regions.mask.pixels()).view(np.uint8)
        if white.shape != canvas.shape:
            white = cv2.resize(white, size, interpolation=cv2.INTER_NEAREST_EXACT)
        canvas &= white
    for shape in regions.ignore:
        _draw(canvas, shape, usual, 0)
    canvas.flags.writeable = False
    return canvas.view(np.bool_)


def _draw(canvas: npt.NDArray[np.uint8], shape: str, usual: tuple[int, int], value: int) -> None:
    """Draw a shape of a photograph of the size `usual` on a canvas of another size."""
    height, width = canvas.shape
    numbers = numbers_of(shape)
    if is_box(shape):
        x, y, across, down = numbers
        left, right = x * width // usual[0], -(-(x + across) * width // usual[0])
        top, bottom = y * height // usual[1], -(-(y + down) * height // usual[1])
        canvas[top:bottom, left:right] = value
        return
    scale = np.array([width / usual[0], height / usual[1]])
    corners = (np.array(numbers).reshape(-1, 2) + 0.5) * scale - 0.5
    inside = np.clip(corners, -(2**20), 2**20)  # beyond, OpenCV's whole numbers would overflow
    points = np.rint(inside * 2**_FRACTION).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, shift=_FRACTION)


def covered(mask: BoolArray, height: int, width: int) -> BoolArray:
    """A mask on another grid: True where any of its True pixels reaches into the coarser pixel.

    Args:
        mask: bool H x W.
        height, width: of the other grid.
    """
    rows = np.arange(height) * mask.shape[0] // height
    columns = np.arange(width) * mask.shape[1] // width
    return np.asarray(
        np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, axis=0), columns, axis=1), np.bool_
    )


def continued(image: ByteArray, counted: BoolArray) -> ByteArray:
    """A photograph, uint8 RGB H x W x 3, in which what does not count has the colour of the nearest pixel that does.

    Args:
        image: the photograph; not changed.
        counted: bool H x W, of which some is True.
    """
    x, y, width, height = cv2.boundingRect((~counted).view(np.uint8))
    rows, columns = slice(max(0, y - 1), y + height + 1), slice(max(0, x - 1), x + width + 1)
    part, inside = (
        image[rows, columns],
        np.ascontiguousarray(counted[rows, columns]),
    )  # the nearest touch the box
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    sources = np.zeros(int(labels.max()) + 1, np.intp)
    sources[labels[inside]] = np.flatnonzero(inside)
    whole = image.copy()
    whole[rows, columns][~inside] = part.reshape(-1, 3)[sources[labels[~inside]]]
    return whole


def filled(image: ByteArray, counted: BoolArray, colour: tuple[int, int, int]) -> ByteArray:
    """A photograph, uint8 RGB H x W x 3, in which all that does not count, bool H x W, has one colour; a copy."""
    ground = np.empty_like(image)
    cv2.rectangle(
        ground, (0, 0), (image.shape[1], image.shape[0]), colour, cv2.FILLED
    )  # the fastest there is
    return np.asarray(cv2.copyTo(image, counted.view(np.uint8), ground), np.uint8)
