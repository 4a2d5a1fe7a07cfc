"""Drift: a sequential test that says when a number of every part has changed, with a stated rate of false alarms.

As long as nothing changes, the parts of a line are exchangeable: the rank of each new one among all before it is
uniform, and independent of the earlier ranks (ties are broken by chance). So a rank needs no calibration set, no
distribution and no threshold; and whatever selects the parts, as that they passed, does so before and after. Bets on
the ranks being too high or too low are fair as long as nothing changes, and win when something does.

A bet multiplies its stake by 1 + slope * (p - 1/2). The Shiryaev-Roberts statistic R <- (1 + R) * bet puts a new unit
on each part; R minus the number of parts is a martingale. So the mean number of parts to a false alarm at R >= limit is
at least the limit, and among the first N parts there is one with probability N / limit at most (Doob). The mean over
several bets, and over several numbers of the same parts however they depend on each other, is such a statistic too.

References:
    Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2nd edition, 2022: conformal martingales.
    Vovk, "Testing randomness online", Statistical Science 36, 2021: their CUSUM and Shiryaev-Roberts procedures.
    Pollak, "Average run lengths of an optimal method of detecting a change in distribution", Ann. Statist. 15, 1987.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

SLOPES: Final = np.array([-1.9, -1.0, 1.0, 1.9])
"""Of the bets; the first two win when numbers fall. A bet of slope 1 gains only where ranks move by more than 1/24 on
average, 0.15 standard deviations of a normal number: smaller changes matter to nobody and are never told."""

LEARNT = 100
"""Parts that are only learnt from, before the first bet."""

MOST_LEARNT = 5000
"""Parts that ranks are taken among; from then on the reference stands still."""

RECENT = 50
"""Latest parts that tell how large a change is."""

_UNCERTAIN = 1e-3
"""Probability that a calibration lies further from the truth than `calibration_margin` says."""


@dataclass(frozen=True)
class Change:
    """A change that was told.

    Attributes:
        since: when the part was judged from which on the evidence has grown.
        told: when there was enough of it.
        rising: whether the numbers are higher than before; else they are lower.
    """

    since: datetime
    told: datetime
    rising: bool


class Reference:
    """Numbers of parts before any change, in order of arrival; at most `MOST_LEARNT`."""

    def __init__(self, values: npt.ArrayLike = ()) -> None:
        self.values: list[float] = np.asarray(values, np.float64).tolist()
        self._sorted = np.sort(self.values)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def median(self) -> float:
        """Their median; NaN where there are none."""
        return float(np.median(self._sorted)) if len(self) else math.nan

    def rank(self, value: float, chance: float) -> float:
        """Share of these and of `value` itself that is at or under `value`, ties broken by `chance` in [0, 1)."""
        below, up_to = (
            np.searchsorted(self._sorted, value, "left"),
            np.searchsorted(self._sorted, value, "right"),
        )
        return float(below + chance * (up_to - below + 1)) / (len(self) + 1)

    def add(self, value: float) -> None:
        """Learn from one more, while there is room."""
        if len(self) < MOST_LEARNT:
            self.values.append(value)
            self._sorted = np.insert(self._sorted, np.searchsorted(self._sorted, value), value)

    def cut(self, n: int) -> None:
        """Forget all but the first `n`."""
        self.values = self.values[:n]
        self._sorted = np.sort(self.values)


@dataclass
class Evidence:
    """Evidence that uniform p-values are no longer uniform.

    Attributes:
        slopes: of the bets, B.
        shiryaev_roberts: B, non-negative.
        cusum: B, logarithm of the largest product of bets up to now, 0 where none is above 1.
        lengths: B, how many parts that product is taken over.
        since: B, the first of them: its number, and when it was judged.
    """

    slopes: npt.NDArray[np.float64] = field(default_factory=SLOPES.copy)
    shiryaev_roberts: npt.NDArray[np.float64] = field(init=False)
    cusum: npt.NDArray[np.float64] = field(init=False)
    lengths: npt.NDArray[np.int64] = field(init=False)
    since: list[tuple[int, datetime] | None] = field(init=False)

    def __post_init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """As if no part had been seen."""
        self.shiryaev_roberts = np.zeros(len(self.slopes))
        self.cusum = np.zeros(len(self.slopes))
        self.lengths = np.zeros(len(self.slopes), np.int64)
        self.since = [None] * len(self.slopes)

    @property
    def total(self) -> float:
        """The mean over the bets: expected to grow by one a part at most as long as nothing changes."""
        return float(self.shiryaev_roberts.mean())

    @property
    def strongest(self) -> int:
        """Which bet has won most."""
        return int(np.argmax(self.shiryaev_roberts))

    def bet(self, p_value: float, number: int, moment: datetime) -> None:
        """Bet on one more p-value, of the part of this number, judged at this moment."""
        odds = 1 + self.slopes * (p_value - 0.5)
        # Evidence without end says no more than very much.
        self.shiryaev_roberts = np.minimum((1 + self.shiryaev_roberts) * odds, 1e100)
        for begins in np.flatnonzero(self.cusum == 0):
            self.since[begins] = number, moment
            self.lengths[begins] = 0
        self.lengths += 1
        self.cusum = np.maximum(self.cusum + np.log(odds), 0)


@dataclass
class ChangeTest:
    """Watches one number of every part.

    Attributes:
        limit: of `Evidence.total`, at which a change is told.
        learnt: numbers that are only learnt from, before the first bet.
        reference: numbers of before.
        evidence: of a change.
        change: the one that holds; None while there is none.
        recent: the latest numbers, of since the change where there is one.
        ranks: of the latest numbers since a change was told.
    """

    limit: float
    learnt: int = LEARNT
    reference: Reference = field(default_factory=Reference)
    evidence: Evidence = field(default_factory=Evidence)
    change: Change | None = None
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    ranks: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self.ranks = deque(maxlen=self.learnt)

    @property
    def now(self) -> float:
        """Median of the latest numbers; NaN where there are none."""
        return float(np.median(self.recent)) if self.recent else math.nan

    @property
    def share(self) -> float:
        """How near the evidence is to a change being told, 0 to 1, by its logarithm."""
        return shown_share(self.evidence.total, self.limit, self.change)

    def observe(self, value: float, moment: datetime, chance: float) -> bool:
        """Take in the number of one more part, judged at `moment`; True where a change is told by it, or ends with it.

        Args:
            value: finite; equal ones are ties, which `chance` breaks.
            moment: of the part.
            chance: uniform in [0, 1), and independent of all numbers.
        """
        rank = self.reference.rank(value, chance)
        self.recent.append(value)
        if self.change is not None:
            self.ranks.append(rank)
            return self._ended()
        if len(self.reference) >= self.learnt:
            self.evidence.bet(rank, len(self.reference), moment)
        if self.evidence.total >= self.limit:
            self._tell(moment)
            return True
        self.reference.add(value)
        return False

    def _tell(self, moment: datetime) -> None:
        strongest = self.evidence.strongest
        number, since = self.evidence.since[strongest] or (len(self.reference), moment)
        self.change = Change(since, moment, bool(self.evidence.slopes[strongest] > 0))
        self.reference.cut(number)  # what came since then is not as before
        while len(self.recent) > self.evidence.lengths[strongest]:
            self.recent.popleft()

    def _ended(self) -> bool:
        """Whether the latest ranks are uniform again, within two standard deviations of their mean."""
        k = len(self.ranks)
        spread = math.sqrt((1 / k + 1 / len(self.reference)) / 12)
        if k < self.learnt or abs(float(np.mean(self.ranks)) - 0.5) > 2 * spread:
            return False
        self.change = None
        self.evidence.clear()
        self.ranks.clear()
        return True


@dataclass
class CalibrationTest:
    """Watches whether good parts score higher than a calibration promises; lower is no harm.

    Attributes:
        limit: as of `ChangeTest`.
        n: independent scores of the calibration.
        evidence, change: as of `ChangeTest`.
        recent: the latest p-values.
    """

    limit: float
    n: int
    evidence: Evidence = field(init=False)
    change: Change | None = None
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=2 * RECENT))
    seen: int = 0

    def __post_init__(self) -> None:
        self._margin = calibration_margin(self.n)
        self.evidence = Evidence(
            SLOPES[SLOPES < 0] / (1 + 2 * self._margin)
        )  # no bet may lose more than its stake

    @property
    def now(self) -> float:
        """Mean of the latest p-values: 1/2 or more as long as the calibration holds; NaN where there are none."""
        return float(np.mean(self.recent)) if self.recent else math.nan

    @property
    def share(self) -> float:
        """As of `ChangeTest`."""
        return shown_share(self.evidence.total, self.limit, self.change)

    def observe(self, p_value: float, moment: datetime) -> bool:
        """Take in the p-value of one more part; True where a change is told by it, or ends with it.

        That parts are only seen where they passed makes their p-values larger, and the bets worse than fair: no false
        alarm comes of it.
        """
        self.recent.append(p_value)
        self.seen += 1
        if self.change is not None:
            k = len(self.recent)
            if k < 2 * RECENT or self.now < 0.5 - self._margin - 2 / math.sqrt(12 * k):
                return False
            self.change = None
            self.evidence.clear()
            return True
        self.evidence.bet(p_value + self._margin, self.seen, moment)
        if self.evidence.total < self.limit:
            return False
        number_and_time = self.evidence.since[self.evidence.strongest]
        self.change = Change(number_and_time[1] if number_and_time else moment, moment, rising=True)
        self.recent.clear()
        return True


def calibration_margin(n: int) -> float:
    """How far the mean p-value of good parts may lie under 1/2 by chance of `n` calibration scores: 999 in 1000 times.

    Given the scores it is the mean of `n` uniform numbers, whose deviation is sub-Gaussian with variance 1 / (12 n).

    References:
        Marchal, Arbel, "On the sub-Gaussianity of the Beta and Dirichlet distributions", 2017.
    """
    return math.sqrt(math.log(1 / _UNCERTAIN) / (6 * n))


def limit_of(parts_per_false_alarm: float, n_tests: int, batch: int = 1) -> float:
    """The limit of each of several tests of the same parts, of which any is a false alarm once in so many parts.

    Where one of them is at this limit, the mean of all has gone through as many units as a false alarm is rare.

    Args:
        parts_per_false_alarm: the mean number of parts to a false alarm is this at least.
        n_tests: how many tests there are.
        batch: parts whose mean is one number to a test.
    """
    return max(parts_per_false_alarm * n_tests / batch, 2.0)


def shown_share(total: float, limit: float, change: Change | None) -> float:
    """Evidence as a share of what tells a change, 0 to 1, by its logarithm; 1 while a change holds."""
    if change is not None:
        return 1.0
    return min(max(math.log(max(total, 1.0)) / math.log(limit), 0.0), 1.0)


def chances(number: int, count: int) -> list[float]:
    """So many uniform numbers in [0, 1) that break the ties of a part: the same whenever it is read again."""
    return [float(chance) for chance in np.random.default_rng((number, count)).random(count)]
