"""From the smallest defect that matters, or a budget of time, to the size of the network's input and its tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from blemish.core.errors import UsageError
from blemish.view.quantities import in_milliseconds, in_pixels
from blemish.view_planning.budget import within_budget
from blemish.view_planning.sides import LONGEST_SIDE, Sides, WidthHeight, fitting_sides, input_shape, sides_at

PATCHES = 2
"""Patches of the finest feature map, in a row, that a defect has to cover to be seen surely."""

USUAL_STRIDE = 8
"""Of the finest feature map of most networks, in pixels of the input."""

MOST_ENLARGED = 2.0
"""Times that a photograph is enlarged at most: pixels in between are made up."""

MOST_WHOLE = 1024 * 1024
"""Pixels of an input that is read in one piece; of more, tiles are read."""

MOST_TILED = 160_000_000
"""Pixels of an input that is read in tiles."""

_TILES = range(512, 1024 + 1, 64)
_OVERLAP = 320
"""Pixels that neighbouring tiles share, about, as far as their number is concerned."""

Seconds = Callable[[Sides], float]
"""Seconds, measured, from a file to its score with an input of these sides."""


@dataclass(frozen=True)
class Reading:
    """How a detector reads its input.

    Attributes:
        name: of the detector.
        size: side in pixels of the square that has the area of its usual input.
        any_shape: whether it reads any shape; squares of `size` alone otherwise.
        tiles: whether it reads in tiles.
        stride: of its finest feature map, in pixels of the input.
        bit_depth: bits that 16-bit photographs really use.
    """

    name: str
    size: int
    any_shape: bool = True
    tiles: bool = False
    stride: int = USUAL_STRIDE
    bit_depth: int = 16


@dataclass(frozen=True)
class PlannedScale:
    """The planned input.

    Attributes:
        sides: of the input.
        pixels: of the photograph for each pixel of the input, on the coarser axis.
        smallest_defect: side in pixels of the photograph of the smallest defect that is surely seen.
        reasons: what was planned and why, a sentence each.
    """

    sides: Sides
    pixels: float
    smallest_defect: float
    reasons: tuple[str, ...]


def plan_scale(
    photograph: WidthHeight,
    reading: Reading,
    smallest_defect: float | None = None,
    budget: float | None = None,
    seconds: Seconds | None = None,
) -> PlannedScale:
    """Plan the input for photographs of this size.

    Without `budget` the plan depends on its arguments alone: nothing is measured, and the same fit plans the same.

    Args:
        photograph: width and height in pixels.
        reading: of the detector.
        smallest_defect: side in pixels of the photograph of the smallest defect that must be seen.
        budget: most seconds that a photograph may take.
        seconds: measures them; needed where there is a budget.

    Raises:
        UsageError: the defect is larger than the photograph, or nothing keeps the budget.
    """
    if smallest_defect is not None and smallest_defect > min(photograph):
        raise UsageError(
            f"smallest_defect={in_pixels(smallest_defect)}px is larger than the photographs, of {photograph[0]} x "
            f"{photograph[1]} pixels: give the side of the smallest defect that matters."
        )
    if not reading.any_shape:
        return _as_it_is(photograph, reading, smallest_defect, budget, seconds)
    usual = _tiled(input_shape(photograph, reading.size), reading)
    wanted, reasons = usual, list[str]()
    if smallest_defect is not None and seen_surely(photograph, usual, reading.stride) > smallest_defect:
        finer, reasons = _for_defect(photograph, reading, smallest_defect)
        wanted = min(usual, finer, key=lambda sides: seen_surely(photograph, sides, reading.stride))
    if budget is not None and seconds is not None:
        most = wanted if smallest_defect is not None else _all_there_is(photograph, usual)
        kept = within_budget(most, budget, seconds, lambda area: _of_area(photograph, area, reading))
        said = f"{in_milliseconds(kept.seconds)} of the {in_milliseconds(budget)} allowed are taken on this machine"
        reasons = reasons if kept.sides == most else []
        reasons.append(f"{said}." if kept.sides == most else f"{said}, which a larger input would pass.")
        wanted = kept.sides
    return _planned(photograph, wanted, reading, smallest_defect, reasons)


def scale_of(photograph: WidthHeight, sides: Sides, reading: Reading) -> PlannedScale:
    """What an input of these sides means for such photographs, without reasons."""
    seen = seen_surely(photograph, sides, reading.stride)
    return PlannedScale(sides, _coarseness(photograph, sides), seen, ())


def seen_surely(photograph: WidthHeight, sides: Sides, stride: int) -> float:
    """Side in pixels of the photograph of the smallest defect that covers `PATCHES` patches of this stride."""
    return PATCHES * stride * _coarseness(photograph, sides)


def tile_of(height: int, width: int) -> int:
    """Side of the square tiles with which an input is covered by the fewest pixels."""

    def covered(tile: int) -> int:
        rows, columns = (max(1, math.ceil((side - _OVERLAP) / (tile - _OVERLAP))) for side in (height, width))
        return rows * columns * min(tile, height) * min(tile, width)

    return min(_TILES, key=lambda tile: (covered(tile), tile))


def _for_defect(photograph: WidthHeight, reading: Reading, smallest_defect: float) -> tuple[Sides, list[str]]:
    """The sides at which a defect is surely seen, as far as limits allow, and which of them do not."""
    factor, reasons = PATCHES * reading.stride / smallest_defect, []
    if factor > MOST_ENLARGED:
        factor = MOST_ENLARGED
        reasons.append(
            f"Photographs are enlarged {MOST_ENLARGED:g} times at most, as nothing new is seen beyond."
        )
    wanted = sides_at(photograph, factor)
    most = MOST_TILED if reading.tiles else MOST_WHOLE
    if wanted.height * wanted.width > most or max(wanted.height, wanted.width) > LONGEST_SIDE:
        wanted = fitting_sides(photograph, most)
        how = "is read in tiles" if reading.tiles else f"{reading.name} reads in one piece"
        reasons = [f"{wanted.width} x {wanted.height} pixels are the most that {how}."]
    return _tiled(wanted, reading), reasons


def _all_there_is(photograph: WidthHeight, usual: Sides) -> Sides:
    """The sides beyond which a photograph in one piece has no more to show; the usual ones where it is smaller."""
    whole = sides_at(photograph, 1.0)
    if whole.height * whole.width > MOST_WHOLE:
        whole = fitting_sides(photograph, MOST_WHOLE)
    return max(whole, usual, key=lambda sides: sides.height * sides.width)


def _of_area(photograph: WidthHeight, area: float, reading: Reading) -> Sides:
    return _tiled(input_shape(photograph, math.sqrt(area)), reading)


def _tiled(sides: Sides, reading: Reading) -> Sides:
    """With tiles, where the input is large and the detector reads them."""
    if not reading.tiles or sides.height * sides.width <= MOST_WHOLE:
        return sides
    return replace(sides, tile=tile_of(sides.height, sides.width))


def _as_it_is(
    photograph: WidthHeight,
    reading: Reading,
    smallest_defect: float | None,
    budget: float | None,
    seconds: Seconds | None,
) -> PlannedScale:
    """A square of the detector's size, and what would be needed for more."""
    sides, reasons = Sides(reading.size, reading.size), []
    seen = seen_surely(photograph, sides, reading.stride)
    if smallest_defect is not None and seen > smallest_defect:
        needed = math.ceil(reading.size * seen / smallest_defect / 32) * 32
        reasons.append(f"{reading.name} reads squares of its size alone: size={needed} would see it.")
    if budget is not None and seconds is not None:
        taken = seconds(sides)
        said = f"{in_milliseconds(taken)} of the {in_milliseconds(budget)} allowed are taken on this machine"
        reasons.append(f"{said}." if taken <= budget else f"{said}: give a smaller size.")
    return _planned(photograph, sides, reading, smallest_defect, reasons)


def _planned(
    photograph: WidthHeight,
    sides: Sides,
    reading: Reading,
    smallest_defect: float | None,
    reasons: list[str],
) -> PlannedScale:
    """The plan with the sentences that everybody wants to read first."""
    plan = scale_of(photograph, sides, reading)
    seen = plan.smallest_defect
    tiles = f", in tiles of {sides.tile}" if sides.tile else ""
    looks = f"{photograph[0]} x {photograph[1]} pixels are looked at as {sides.width} x {sides.height}{tiles}"
    patches = f"cover two patches of {reading.stride} pixels"
    if smallest_defect is None:
        first = f"{looks}: defects from {in_pixels(seen)} pixels on {patches} and are surely seen."
    elif seen <= smallest_defect * 1.001:
        first = f"{looks}: defects from {in_pixels(smallest_defect)} pixels on, as asked, {patches}."
    else:
        first = (
            f"{looks}: defects from {in_pixels(seen)} pixels on {patches}, and those of "
            f"{in_pixels(smallest_defect)} that were asked for are not surely seen."
        )
    return replace(plan, reasons=(first, *reasons))


def _coarseness(photograph: WidthHeight, sides: Sides) -> float:
    """Pixels of the photograph for each pixel of the input, on the coarser axis."""
    return max(photograph[0] / sides.width, photograph[1] / sides.height)
