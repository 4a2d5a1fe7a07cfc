"""Shifts, batches, cameras and hours compared, honestly: with intervals, and corrected for that there are many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from blemish.core.binomial import fisher_exact, holm, weakened, wilson_interval

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class GroupRate:
    """The reject rate of one group.

    Attributes:
        name: of the group.
        n, rejected: judged parts and rejects.
        rate: rejected / n.
        low, high: interval of the rate; all groups' intervals hold together in 95 of 100 cases.
        others: rate of all other groups together; NaN where there are none.
        p_value: of that it differs from the others by chance alone, corrected for that there are so many groups.
    """

    name: str
    n: int
    rejected: int
    rate: float
    low: float
    high: float
    others: float
    p_value: float

    @property
    def differs(self) -> bool:
        """Whether it differs from the others by more than chance explains."""
        return self.p_value <= SIGNIFICANT


def compared(groups: Mapping[str, tuple[int, int]], spread: float = 1.0) -> list[GroupRate]:
    """Each group beside all others, in the order given.

    Two rates are compared by Fisher's exact test, weakened where rates scatter further than by chance
    (`PChart.spread`), and corrected by Holm; intervals are Wilson's at Bonferroni's level, wider by the same.

    Args:
        groups: judged parts and rejects by name; those without parts are left out.
        spread: how far rates scatter, in standard deviations of the binomial distribution, 1 or more.
    """
    there = {name: (n, rejected) for name, (n, rejected) in groups.items() if n}
    total, hits = sum(n for n, _ in there.values()), sum(rejected for _, rejected in there.values())
    raw = [
        weakened(fisher_exact(rejected, n, hits - rejected, total - n), spread) if total > n else 1.0
        for n, rejected in there.values()
    ]
    level = 1 - (1 - 0.95) / max(len(there), 1)
    found = []
    for (name, (n, rejected)), p_value in zip(there.items(), holm(raw), strict=True):
        rate = rejected / n
        low, high = wilson_interval(rejected, n, level)
        others = (hits - rejected) / (total - n) if total > n else math.nan
        low, high = max(0.0, rate - spread * (rate - low)), min(1.0, rate + spread * (high - rate))
        found.append(GroupRate(name, n, rejected, rate, low, high, others, p_value))
    return found
