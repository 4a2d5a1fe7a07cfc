"""The largest input that keeps a budget of time, measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from blemish.core.errors import UsageError
from blemish.view_planning.quantities import in_milliseconds
from blemish.view_planning.sides import Sides

_SMALL, _MEDIUM = 192, 384
"""Sides of the squares that have the areas at which the time is measured first."""

_LEAST = 96
"""Side of the square that has the area of the smallest input."""

_TRIES = 5
_GOOD_USE = 0.9
"""Share of the budget from which on no larger input is tried."""


@dataclass(frozen=True)
class Kept:
    """Sides that keep a budget, and the seconds measured with them."""

    sides: Sides
    seconds: float


def within_budget(
    most: Sides, budget: float, seconds: Callable[[Sides], float], of_area: Callable[[float], Sides]
) -> Kept:
    """The largest sides, but `most`, with which a photograph takes at most the budget.

    The time grows with the area: it is measured at a small and a medium one, and what follows is measured too, and
    corrected, so that what is returned has been seen to keep the budget.

    Args:
        most: sides that are wanted.
        budget: seconds.
        seconds: measures the time with these sides.
        of_area: sides with about so many pixels.

    Raises:
        UsageError: not even the smallest input keeps it.
    """
    measured: dict[Sides, float] = {}

    def taken(sides: Sides) -> float:
        if sides not in measured:
            measured[sides] = seconds(sides)
        return measured[sides]

    area_wanted = most.height * most.width
    if area_wanted <= _MEDIUM**2 and taken(most) <= budget:
        return Kept(most, taken(most))
    low, high = of_area(_SMALL**2), of_area(_MEDIUM**2)
    each, fixed = _line(low, taken(low), high, taken(high))
    aim = budget
    for _ in range(_TRIES):
        area = max(_LEAST**2, min(area_wanted, (aim - fixed) / each if each > 0 else area_wanted))
        sides = most if area == area_wanted else of_area(area)
        if sides in measured:
            break
        if taken(sides) > budget:
            aim *= 0.97 * budget / taken(sides)
        elif sides == most or taken(sides) >= _GOOD_USE * budget:
            break
        else:
            aim *= 0.97 * budget / taken(sides)
    keeping = [sides for sides in measured if measured[sides] <= budget and _area(sides) <= area_wanted]
    if not keeping:
        least = of_area(_LEAST**2)
        if taken(least) > budget:
            raise UsageError(
                f"budget={in_milliseconds(budget)} cannot be kept: even {least.width} x {least.height} pixels take "
                f"{in_milliseconds(taken(least))} on this machine; give more, or a lighter detector."
            )
        keeping = [least]
    best = max(keeping, key=_area)
    return Kept(best, measured[best])


def median_seconds(run: Callable[[], object], longest: float = 1.5, fewest: int = 3, most: int = 15) -> float:
    """Median seconds of a call after a first one that does not count, of as many as fit in `longest` seconds."""
    run()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < fewest or (len(taken) < most and time.perf_counter() - began < longest):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return median(taken)


def _area(sides: Sides) -> int:
    return sides.height * sides.width


def _line(low: Sides, taken_low: float, high: Sides, taken_high: float) -> tuple[float, float]:
    """Seconds for each pixel, and for none."""
    if _area(high) == _area(low):  # of a line scan the shortest sides are all there is
        return taken_high / _area(high), 0.0
    each = max(0.0, (taken_high - taken_low) / (_area(high) - _area(low)))
    return each, taken_low - each * _area(low)
