"""The calibration: scores of good images not learnt from, and every rate that follows from them.

A new good image is exchangeable with those scored, so its p-value is at or under a rate in at most that share of cases,
whatever the scores' distribution. Where several images show one part, only the parts are exchangeable: each then counts
as one, shared among its images.

References:
    Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005.
    Lee, Barber, Willett, "Distribution-free inference with hierarchical data", 2023: groups of several images.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blemish.core.calibration import beta_bound
from blemish.core.errors import UsageError

_ROUNDING = 1e-9


def told(rate: float) -> str:
    """A smallest rate in four digits behind the point, rounded up, so that what is read can be asked for."""
    return f"{math.ceil(rate * 10_000 - _ROUNDING) / 10_000:.4f}"


@dataclass(frozen=True)
class Promise:
    """What a threshold promises of good images that nobody has seen.

    Attributes:
        expected: mean share of them above it, in (0, 1].
        at_most: share that it stays under with `confidence`; of groups the share of which any image is above.
        n: images or groups of them that are independent, which the promise rests on.
        confidence: of the bound, in (0, 1).
    """

    expected: float
    at_most: float
    n: int
    confidence: float = 0.95


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of good images as if unseen.

    Attributes:
        scores: float N, finite, sorted upwards.
        groups: int N, which of them are of one part; None where each is its own.

    Raises:
        UsageError: there are none, or they are not sorted and finite.

    Example:
        >>> calibration = Calibration(np.arange(1.0, 100.0))
        >>> calibration.threshold(0.05), calibration.p_value(99.5)
        (95.0, 0.01)
    """

    scores: npt.NDArray[np.floating]
    groups: npt.NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        scores = self.scores
        if (
            scores.ndim != 1
            or not scores.size
            or not np.isfinite(scores).all()
            or (np.diff(scores) < 0).any()
        ):
            raise UsageError(
                f"Scores of shape {scores.shape} cannot be calibrated on: give at least one of a good image, all "
                "finite, sorted upwards."
            )
        if self.groups is not None and self.groups.shape != scores.shape:
            raise UsageError(f"{len(scores)} scores cannot have {len(self.groups)} groups: name one of each.")

    @property
    def n(self) -> int:
        """How many images, or groups of them, are independent."""
        return len(self.scores) if self.groups is None else len(np.unique(self.groups))

    @property
    def smallest_rate(self) -> float:
        """The smallest rate that so many can promise: 1 / (n + 1)."""
        return 1 / (self.n + 1)

    @staticmethod
    def needed(rate: float) -> int:
        """How many independent good images a rate needs."""
        return math.ceil(1 / rate - 1 - _ROUNDING)

    def p_value(self, score: float) -> float:
        """Share of unseen good images expected to score at least as high, in (0, 1].

        (1 + weight of the scores at least as high) / (1 + weight of all), where each group's weight is one.

        Raises:
            UsageError: the score is not a number.
        """
        if math.isnan(score):
            raise UsageError("A score of NaN has no p-value: check the photograph and the inspector.")
        place = int(np.searchsorted(self.scores, score, side="left"))
        return float((1 + self._weight_from[place]) / (1 + self.n))

    def expected_above(self, thresholds: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Mean share of unseen good images above each of K thresholds, in (0, 1]: what `promise` expects."""
        places = np.searchsorted(self.scores, np.asarray(thresholds, np.float64), side="right")
        return (1 + self._weight_from[places]) / (1 + self.n)

    def threshold(self, rate: float) -> float:
        """The score above which the p-value is at or under `rate`, and nowhere else; one of the scores itself.

        Raises:
            UsageError: the rate is outside (0, 1), or smaller than these can promise.
        """
        if not _ROUNDING < rate < 1:
            raise UsageError(f"A rate of {rate:g} is not possible: choose one between 0 and 1, as 0.01.")
        if rate < self.smallest_rate - _ROUNDING:
            raise UsageError(
                f"{self.n} {'groups of ' if self.groups is not None else ''}good photographs cannot promise a rate of "
                f"{rate:g}: the smallest that they can is {told(self.smallest_rate)}. Give that, or "
                f"{self.needed(rate) - self.n} more."
            )
        # Strictly above the i-th score the p-value is that of the weight behind it.
        behind = (1 + self._weight_from[1:]) / (1 + self.n)
        return float(self.scores[int(np.argmax(behind <= rate + _ROUNDING))])

    def promise(self, threshold: float, confidence: float = 0.95) -> Promise:
        """What rejecting above a threshold promises: Wilks' Beta distribution of the share that is above.

        References:
            Wilks, "Determination of sample sizes for setting tolerance limits", Ann. Math. Statist. 12, 1941.
        """
        place = int(np.searchsorted(self.scores, threshold, side="right"))
        expected = (1 + self._weight_from[place]) / (1 + self.n)
        groups = np.arange(len(self.scores)) if self.groups is None else self.groups
        above = len(np.unique(groups[place:]))
        return Promise(float(expected), beta_bound(above + 1, self.n, confidence), self.n, confidence)

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """What each score counts, N: one, shared among those of a group; together `n`."""
        if self.groups is None:
            return np.ones(len(self.scores))
        _, group, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
        return np.asarray(1 / sizes[group], np.float64)

    @functools.cached_property
    def _weight_from(self) -> npt.NDArray[np.float64]:
        """Weight of the scores from each place on, and of none behind the last, N + 1."""
        return np.append(np.cumsum(self.weights[::-1])[::-1], 0.0)
