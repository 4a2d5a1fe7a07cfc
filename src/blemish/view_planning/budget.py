"""The largest input that keeps a budget of time, measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from blemish.core.errors import UsageError
from blemish.view.quantities import in_milliseconds
from blemish.view_planning.sides import Sides

_SMALL, _MEDIUM = 192, 384
"""Sides of the squares that have the areas at which the time is measured first."""

_LEAST = 96
"""Side of the square that has the area of the smallest input."""

_TRIES = 6
_AIM = 0.96
"""Share of the budget that the next try aims at, as clocks are noisy."""

_FARTHER = 8
"""Times the largest measured area that is tried next, at most."""

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

    def keeps(sides: Sides) -> bool:
        if sides not in measured:
            measured[sides] = seconds(sides)
        return measured[sides] <= budget

    small, medium, least = (of_area(side**2) for side in (_SMALL, _MEDIUM, _LEAST))
    if _area(most) <= _area(medium) and keeps(most):
        return Kept(most, measured[most])
    if keeps(small):
        keeps(medium)
    elif not keeps(least):
        raise UsageError(
            f"budget={in_milliseconds(budget)} cannot be kept: even {least.width} x {least.height} pixels take "
            f"{in_milliseconds(measured[least])} on this machine; give more, or a lighter detector."
        )
    for _ in range(_TRIES):
        best = max((sides for sides in measured if keeps(sides)), key=_area)
        if best == most or measured[best] >= _GOOD_USE * budget:
            break
        area = _promising_area({_area(sides): taken for sides, taken in measured.items()}, _AIM * budget)
        sides = most if area >= _area(most) else of_area(area)
        while sides in measured and not keeps(sides):  # sides come in steps
            area *= 0.95
            sides = of_area(area)
        if sides in measured:
            break
        keeps(sides)
    best = max((sides for sides in measured if keeps(sides) and _area(sides) <= _area(most)), key=_area)
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


def _promising_area(measured: Mapping[int, float], seconds: float) -> float:
    """The area that takes so many seconds by a straight line through the two measured areas next to it."""
    areas = sorted(measured)
    above = next((place for place, area in enumerate(areas) if measured[area] > seconds), len(areas) - 1)
    low, high = areas[max(above, 1) - 1], areas[max(above, 1)]
    each = (measured[high] - measured[low]) / (high - low)
    if each <= 0:  # the clock's noise, or fixed costs alone
        return float(_FARTHER * high)
    return min(_FARTHER * high, low + (seconds - measured[low]) / each)
