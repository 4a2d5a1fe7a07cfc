"""Where defects sit on the photograph, and whether they gather somewhere where they did not before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blemish.core.binomial import fisher_exact

GRID = 24
"""Cells of a map along each side."""

_COARSE = 4  # cells along each side that weeks are compared by
_FEWEST = 8  # defects in a cell that are called a gathering
_SIGNIFICANT = 0.01

Point = tuple[float, float]
"""Across and down, as shares of the photograph from 0 to 1."""


@dataclass(frozen=True)
class Gathering:
    """A place at which defects gather now, and did not before.

    Attributes:
        across, down: the middle of the place, as shares of the photograph.
        count, n: defects there now, of how many; count_before, n_before: earlier.
    """

    across: float
    down: float
    count: int
    n: int
    count_before: int
    n_before: int

    @property
    def where(self) -> str:
        """The place in words."""
        column = ("left", "", "right")[min(2, int(3 * self.across))]
        row = ("top", "", "bottom")[min(2, int(3 * self.down))]
        return f"at the {row} {column}".replace("  ", " ").strip() if row or column else "in the middle"


def place_map(points: Sequence[Point], cells: int = GRID) -> npt.NDArray[np.int64]:
    """How many defects lie in each cell, `cells` x `cells` from the top left: down first, then across."""
    found = np.zeros((cells, cells), np.int64)
    if points:
        places = np.clip((np.asarray(points, np.float64) * cells).astype(np.int64), 0, cells - 1)
        np.add.at(found, (places[:, 1], places[:, 0]), 1)
    return found


def gatherings(before: Sequence[Point], now: Sequence[Point]) -> list[Gathering]:
    """Places with more of the defects than before, by more than chance explains; the largest first.

    The photograph is cut into sixteen; Fisher's exact test of each, corrected for that there are so many (Bonferroni).
    """
    earlier, later = place_map(before, _COARSE), place_map(now, _COARSE)
    found = []
    for down, across in zip(*np.nonzero(later >= _FEWEST), strict=True):
        count, count_before = int(later[down, across]), int(earlier[down, across])
        if not before or count / len(now) <= count_before / len(before):
            continue
        p_value = fisher_exact(count, len(now), count_before, len(before))
        if p_value * _COARSE**2 <= _SIGNIFICANT:
            x, y = (float(across) + 0.5) / _COARSE, (float(down) + 0.5) / _COARSE
            found.append(Gathering(x, y, count, len(now), count_before, len(before)))
    return sorted(found, key=lambda one: -one.count)
