"""Sides of a network's input in the shape of a photograph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

UNIT = 32
"""Pixels of which the input's sides are multiples: networks halve them five times."""

SHORTEST_SIDE, LONGEST_SIDE = 64, 16384
"""Of an input, in pixels."""

WidthHeight: TypeAlias = tuple[int, int]
"""Width and height of a photograph in pixels."""


@dataclass(frozen=True)
class Sides:
    """Height and width in pixels of a network's input, and the side of its square tiles; 0 for in one piece."""

    height: int
    width: int
    tile: int = 0


def input_shape(photograph: WidthHeight, size: float) -> Sides:
    """An input of about `size` x `size` pixels in the shape of the photograph.

    The short side is chosen first and the long one from it, as a long side is the easier brought to a multiple of 32:
    a line scan keeps its shape within two per cent.
    """
    long, short = max(photograph), min(photograph)
    aspect = long / short
    few = max(SHORTEST_SIDE, round(size / math.sqrt(aspect) / UNIT) * UNIT)
    many = min(LONGEST_SIDE, max(few, round(few * aspect / UNIT) * UNIT))
    return _upright(photograph, many, few)


def sides_at(photograph: WidthHeight, factor: float) -> Sides:
    """The smallest input with at least `factor` pixels for each pixel of the photograph, on both axes."""
    width, height = (max(SHORTEST_SIDE, math.ceil(side * factor / UNIT - 1e-9) * UNIT) for side in photograph)
    return Sides(height, width)


def fitting_sides(photograph: WidthHeight, area: float) -> Sides:
    """The largest input in the shape of the photograph that has at most so many pixels, and no side too long."""
    factor = min(math.sqrt(area / (photograph[0] * photograph[1])), LONGEST_SIDE / max(photograph))
    width, height = (max(SHORTEST_SIDE, int(side * factor / UNIT) * UNIT) for side in photograph)
    return Sides(height, width)


def _upright(photograph: WidthHeight, long: int, short: int) -> Sides:
    return Sides(short, long) if photograph[0] >= photograph[1] else Sides(long, short)
