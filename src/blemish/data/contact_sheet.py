"""The contact sheet of painted defects: every painter in three strengths, before, after, and with its mask."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blemish.core.errors import BlemishError
from blemish.core.overlay import contour_overlay
from blemish.core.types import BoolArray, ByteArray
from blemish.data.painted_images import USUAL_PAINTING, Painting, paint
from blemish.data.patch_defects import PAINTERS
from blemish.view.foreground import estimate_foreground

STRENGTHS = ("weak", "usual", "strong")
TILE, NAMES, GAP, HEAD = 156, 138, 14, 58
"""Pixels: side of a picture, width of the names, space between strengths, height of the headings."""

_CAPTIONS = ("before", "after", "mask")
_OUTLINE = (255, 60, 40)
_GROUND, _INK, _QUIET = (255, 255, 255), (26, 31, 39), (110, 118, 130)
_CLOSEST, _AROUND = 0.3, 2.2


def contact_sheet(
    images: Sequence[ByteArray], painting: Painting = USUAL_PAINTING, seed: int = 0
) -> ByteArray:
    """Draw the sheet, uint8 RGB.

    A row for each painter, on one photograph each; in each of three strengths, from the lower to the upper end of the
    painter's usual range, the same window of the photograph three times: as it was, damaged, and with the mask's
    outline. A window is at least 30 % of the photograph's shorter side, or 2.2 times as wide as the defect. Where a
    defect cannot be seen the place says so.

    Args:
        images: photographs of good parts, uint8 RGB; painters take turns with them.
        painting: which painters, and whether only on the part.
        seed: of places and shapes.
    """
    names = painting.names()
    width = NAMES + len(STRENGTHS) * (3 * TILE + 2 * 2) + len(STRENGTHS) * GAP
    sheet = Image.new("RGB", (width, HEAD + len(names) * (TILE + 6) + GAP), _GROUND)
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(STRENGTHS):
        left = _left(column)
        draw.text((left, 8), title, _INK, ImageFont.load_default(19))
        for place, caption in enumerate(_CAPTIONS):
            draw.text((left + place * (TILE + 2), 36), caption, _QUIET, ImageFont.load_default(14))
    for row, name in enumerate(names):
        top = HEAD + row * (TILE + 6)
        low, high = PAINTERS[name].strength
        draw.text((GAP, top + 4), name.replace("_", " "), _INK, ImageFont.load_default(17))
        draw.text((GAP, top + 28), f"size {_range(PAINTERS[name].size)}", _QUIET, ImageFont.load_default(12))
        draw.text((GAP, top + 44), f"strength {_range((low, high))}", _QUIET, ImageFont.load_default(12))
        for column, strength in enumerate((low, (low + high) / 2, high)):
            image = images[row % len(images)]
            # The same seed in each column, so that the same defect is seen in three strengths.
            tiles = _tiles(name, image, painting, np.random.default_rng([seed, row]), strength)
            for place, tile in enumerate(tiles):
                sheet.paste(Image.fromarray(tile), (_left(column) + place * (TILE + 2), top))
            if not tiles:
                draw.text(
                    (_left(column) + 8, top + 8), "cannot be seen here", _QUIET, ImageFont.load_default(14)
                )
    return np.asarray(sheet, np.uint8)


def _left(column: int) -> int:
    """Where the pictures of one strength begin."""
    return NAMES + column * (3 * TILE + 2 * 2 + GAP)


def _range(values: tuple[float, float]) -> str:
    return f"{values[0]:.2f} to {values[1]:.2f}"


def _tiles(
    name: str, image: ByteArray, painting: Painting, rng: np.random.Generator, strength: float
) -> list[ByteArray]:
    """The place before, after, and with its outline, each `TILE` pixels wide and high; none if nothing can be seen."""
    foreground = estimate_foreground(image) if painting.inside_foreground else None
    try:
        damaged, mask = paint(name, image, foreground, rng, (strength, strength))
    except BlemishError:
        return []
    rows, columns = _window(mask)
    outlined = contour_overlay(
        _enlarged(damaged[rows, columns], 2 * TILE), _enlarged_mask(mask[rows, columns], 2 * TILE), _OUTLINE
    )
    return [
        _enlarged(image[rows, columns], TILE),
        _enlarged(damaged[rows, columns], TILE),
        _enlarged(outlined, TILE),
    ]


def _window(mask: BoolArray) -> tuple[slice, slice]:
    """A square around the defect, inside the photograph."""
    rows, columns = np.nonzero(mask)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    side = int(min(min(mask.shape), max(_CLOSEST * min(mask.shape), _AROUND * extent)))
    starts = [
        int(np.clip((found.min() + found.max()) // 2 - side // 2, 0, length - side))
        for found, length in zip((rows, columns), mask.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _enlarged(pixels: ByteArray, side: int) -> ByteArray:
    interpolation = cv2.INTER_AREA if pixels.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=interpolation), np.uint8)


def _enlarged_mask(mask: BoolArray, side: int) -> BoolArray:
    """The mask a little wider than it is, so that its outline does not hide the defect."""
    large = cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.dilate(large, np.ones((7, 7), np.uint8)).astype(np.bool_)
