"""Learning from good photographs where their like parts lie, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blemish.core.errors import UsageError
from blemish.view.parts import MOST_PARTS, SIDE, Components, Found, Parts, components_of
from blemish.view_planning.grounds import Grounds, learn_grounds

ONE, AUTO, GRID = "one", "auto", "grid"
LEAST_CELL = 32
"""Fewest pixels of a cell's side."""

_GRID = re.compile(r"grid:(\d{1,4})[x×](\d{1,4})", re.IGNORECASE)
_MOST_OF_BORDER = 0.35
_DUST = 0.001
_LEAST_AREA = 0.25
_ALIKE = 2.0
_MOST_UNLIKE = 0.1
_LEAST_SEVERAL = 0.2
_MANY_CUT_OFF = 0.05
_MARGIN = 0.08


@dataclass(frozen=True)
class PartsFound:
    """What was learnt of the parts in a photograph: None for one part; and why, in a sentence."""

    parts: Parts | None
    reason: str


def grid_of(asked: str) -> tuple[int, int] | None:
    """Rows and columns of "grid:2x3"; None for what asks for no grid.

    Raises:
        UsageError: it is neither that nor "one" nor "auto".
    """
    if asked in (ONE, AUTO):
        return None
    found = _GRID.fullmatch(asked.strip())
    if found is None or "0" in (found[1].strip("0") or "0", found[2].strip("0") or "0"):
        raise UsageError(
            f"parts={asked} is not possible: choose {ONE}, {AUTO}, or a grid as grid:2x3, its rows and columns."
        )
    return int(found[1]), int(found[2])


def learn_parts(
    paths: Sequence[Path], asked: str, usual: tuple[int, int], bit_depth: int, square: bool
) -> PartsFound:
    """The parts in photographs like these good ones.

    Args:
        paths: photographs of good parts.
        asked: "auto", or a grid.
        usual: width and height of the usual photograph.
        bit_depth: bits that 16-bit photographs really use.
        square: whether what is cut out must be a square, as for a network that reads no other shape.

    Raises:
        UsageError: it cannot be meant, or the grid's cells would be too small.
    """
    grid = grid_of(asked)
    if grid is not None:
        return _in_grid(grid, usual)
    grounds = learn_grounds(paths, bit_depth, side=SIDE, most_of_border=_MOST_OF_BORDER)
    if grounds is None:
        return PartsFound(None, "Photographs are looked at whole: they show no plain ground between parts.")
    return _components(grounds, usual, square)


def _in_grid(grid: tuple[int, int], usual: tuple[int, int]) -> PartsFound:
    rows, columns = grid
    cell = usual[0] // columns, usual[1] // rows
    if min(cell) < LEAST_CELL:
        raise UsageError(
            f"parts=grid:{rows}x{columns} leaves {cell[0]} x {cell[1]} pixels for a part of photographs of "
            f"{usual[0]} x {usual[1]}: choose a grid whose cells have {LEAST_CELL} pixels or more."
        )
    count = rows * columns
    if count > MOST_PARTS:
        raise UsageError(
            f"parts=grid:{rows}x{columns} has {count} cells: choose a grid of at most {MOST_PARTS}."
        )
    parts = Parts(cut=cell, count=(count, count, count), grid=grid)
    return PartsFound(
        parts, f"Each photograph is cut into {count} parts, {rows} x {columns}; {_cost(count)}."
    )


def _components(grounds: Grounds, usual: tuple[int, int], square: bool) -> PartsFound:
    """Parts as components of the foreground, if there are several that are alike."""
    shape = grounds.grounds[0].difference.shape
    seen = [components_of(ground, grounds.threshold)[1] for ground in grounds.grounds]
    whole = [
        [one for one in found if not one.on_border and one.area >= _DUST * np.prod(shape)] for found in seen
    ]
    areas = np.array([one.area for found in whole for one in found], float)
    if not areas.size:
        return PartsFound(None, "Photographs are looked at whole: no part lies wholly inside them.")
    area = _usual_area(areas)
    kept = [[one for one in found if one.area >= _LEAST_AREA * area] for found in whole]
    counts = np.array([len(found) for found in kept])
    alike = [one for found in kept for one in found if area / _ALIKE <= one.area <= area * _ALIKE]
    if (counts > 1).mean() < _LEAST_SEVERAL:
        return PartsFound(None, "Photographs are looked at whole: they show one part each.")
    if len(alike) < (1 - _MOST_UNLIKE) * counts.sum():
        return PartsFound(
            None, "Photographs are looked at whole: what stands before their ground are no like parts."
        )
    cut_off = [any(one.on_border and one.area >= _LEAST_AREA * area for one in found) for found in seen]
    learnt = Components(
        threshold=grounds.threshold,
        area=area / float(np.prod(shape)),
        cut_off=bool(np.mean(cut_off) > _MANY_CUT_OFF),
    )
    some = counts[counts > 0]
    count = (int(some.min()), int(np.median(some)), int(some.max()))
    parts = Parts(cut=_cut_size(alike, shape, usual, square), count=count, components=learnt)
    return PartsFound(parts, _in_words(parts))


def _usual_area(areas: npt.NDArray[np.float64]) -> float:
    """Median area of the parts: of what is left when specks far smaller than the median are gone."""
    usual = float(np.median(areas))
    # Weighted by area, or a mat full of specks would be the usual part.
    order = np.sort(areas)
    half = float(order[np.searchsorted(np.cumsum(order), order.sum() / 2)])
    large = areas[areas >= _LEAST_AREA * half]
    return float(np.median(large)) if large.size else usual


def _cut_size(
    alike: Sequence[Found], shape: tuple[int, ...], usual: tuple[int, int], square: bool
) -> tuple[int, int]:
    """Width and height in pixels of the usual photograph that hold every part with a margin."""
    scale = usual[0] / shape[1], usual[1] / shape[0]
    width, height = (
        max(getattr(one.box, side) for one in alike) * factor
        for side, factor in zip(("width", "height"), scale, strict=True)
    )
    margin = 2 * _MARGIN * max(width, height)
    sides = [max(LEAST_CELL, round(side + margin)) for side in (width, height)]
    if square:
        sides = [max(sides)] * 2
    return min(sides[0], usual[0]), min(sides[1], usual[1])


def _in_words(parts: Parts) -> str:
    fewest, usual, most = parts.count
    number = str(usual) if fewest == most else f"{fewest} to {most} (usually {usual})"
    border = (
        "; parts that the border cuts off are left out"
        if parts.components and parts.components.cut_off
        else ""
    )
    return (
        f"Good photographs show {number} like parts: each is cut out at {parts.cut[0]} x {parts.cut[1]} pixels and "
        f"judged, and a photograph is as its worst part{border}; {_cost(usual)}."
    )


def _cost(count: int) -> str:
    return f"that costs {count} looks a photograph instead of one"
