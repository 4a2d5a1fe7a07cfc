"""Known defects beside a calibration: what a threshold lets escape, and thresholds by recall, by cost and by F1.

A part is rejected when its score is strictly above the threshold. Between two good parts' scores no threshold rejects
fewer good parts than another, and the lowest lets the fewest defects escape; so every threshold here is one of the good
parts' own scores, and promises what that score promises.

References:
    Clopper, Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934: the interval of what escapes.
    Elkan, "The foundations of cost-sensitive learning", IJCAI 2001: cost weighted by the share of each class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from blemish.core.calibration import beta_bound
from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError

DEFECTIVE_SHARE = 0.01
"""Share of parts that is taken to be defective where costs are weighed and nobody says otherwise."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Escapes:
    """Known defects that a threshold lets pass.

    Attributes:
        n: known defects.
        missed: how many of them score at or under the threshold.
        low, high: Clopper-Pearson interval of the share of such defects that is missed, in [0, 1].
    """

    n: int
    missed: int
    low: float
    high: float

    @property
    def recall(self) -> float:
        """Share of the known defects that is above."""
        return 1 - self.missed / self.n

    @property
    def expected(self) -> float:
        """Share of other such defects that is missed in the mean, at most: (missed + 1) / (n + 1), in (0, 1].

        Exact, as a conformal p-value is, where the threshold was chosen to miss so many; costs and F1 lean on them.
        """
        return (self.missed + 1) / (self.n + 1)


@dataclass(frozen=True)
class Costs:
    """What errors cost, in any one unit, and how often parts are defective.

    Attributes:
        missed: of a defective part that passes.
        false_reject: of a good part that is rejected.
        defective_share: share of all parts that is defective, in (0, 1).
    """

    missed: float
    false_reject: float
    defective_share: float = DEFECTIVE_SHARE


@dataclass(frozen=True)
class Choice:
    """A threshold, and what it was chosen for.

    Attributes:
        threshold: a part is rejected when its score is above.
        escapes: of the known defects at it.
        gave_way: which of two promises that cannot both be kept gave way, as a sentence; None where none had to.
        value: mean cost of a part, or the F1, by what was asked for; None of a recall.
    """

    threshold: float
    escapes: Escapes
    gave_way: str | None = None
    value: float | None = None


def escapes(defects: npt.ArrayLike, threshold: float, confidence: float = 0.95) -> Escapes:
    """How many known defects a threshold misses, with the exact interval of their share.

    Args:
        defects: scores of known defects, one dimension, finite, at least one, any order.
        threshold: what scores at or under it passes.
        confidence: of the interval, in (0, 1).

    Raises:
        UsageError: there are no scores, or one is not finite.

    Example:
        >>> seen = escapes([3.0, 5.0, 8.0, 9.0], 4.0)
        >>> seen.missed, f"{seen.low:.3f} to {seen.high:.3f}"
        (1, '0.006 to 0.806')
    """
    scores = _checked(defects)
    return _interval(int(np.count_nonzero(scores <= threshold)), len(scores), confidence)


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Every threshold worth choosing, from the lowest, with what it does to good parts and to known defects.

    Attributes:
        values: the different scores of good parts, float64 K, rising.
        rejected: share of unseen good parts that is expected above each, float64 K, falling.
        missed: known defects at or under each, int K, rising.
        n_defects: how many are known.
        calibration: the good parts' scores.
    """

    values: npt.NDArray[np.float64]
    rejected: npt.NDArray[np.float64]
    missed: npt.NDArray[np.int64]
    n_defects: int
    calibration: Calibration

    @classmethod
    def of(cls, calibration: Calibration, defects: npt.ArrayLike) -> Self:
        """Those of good parts' scores, seen with scores of known defects.

        Raises:
            UsageError: there are no defects, or a score is not finite.
        """
        known = np.sort(_checked(defects))
        values = np.unique(np.asarray(calibration.scores, np.float64))
        missed = np.searchsorted(known, values, side="right")
        return cls(values, calibration.expected_above(values), missed, len(known), calibration)

    def by_recall(self, recall: float, rate: float | None = None) -> Choice:
        """The threshold that rejects fewest good parts and still finds a wanted share of the known defects.

        Where a false-reject rate is given too, all of it is used, as it finds more. Where both cannot be kept, the
        recall is, as an escape does more harm than a part looked at twice.

        Args:
            recall: share of the known defects to be found, in (0, 1].
            rate: share of unseen good parts that may be rejected, in (0, 1); None for as few as possible.

        Raises:
            UsageError: no threshold reaches the recall, or the calibration cannot promise the rate.
        """
        allowed, gave_way = self._allowed(recall, rate)
        # All that are allowed reach the recall; the lowest uses the whole rate, the highest as little as possible.
        place = int(allowed[0] if rate is not None and gave_way is None else allowed[-1])
        return self._choice(place, gave_way)

    def by_cost(self, costs: Costs, recall: float | None = None, rate: float | None = None) -> Choice:
        """The threshold at which a part costs least in the mean, of those that keep recall and rate.

        share x cost of a miss x share of known defects missed + (1 - share) x cost of a false reject x share of unseen
        good parts expected above; of equal ones the lowest.

        Raises:
            UsageError: as of `by_recall`, or a cost or the share is not possible.
        """
        missed, false_reject, share = costs.missed, costs.false_reject, costs.defective_share
        if not (missed >= 0 and false_reject >= 0 and 0 < missed + false_reject < math.inf):
            raise UsageError(
                f"Costs of {missed:g} for a miss and {false_reject:g} for a false reject decide nothing: give both as "
                "numbers that are not negative, one of them above 0."
            )
        _require_share(share)
        each = share * missed * self.missed / self.n_defects + (1 - share) * false_reject * self.rejected
        return self._best(-each, "cheapest", recall, rate, -1)

    def by_f1(
        self, defective_share: float | None = None, recall: float | None = None, rate: float | None = None
    ) -> Choice:
        """The threshold with the best F1, of those that keep recall and rate; of equal ones the lowest.

        Args:
            defective_share: share of parts that is defective; as among the scores that are there where None.
            recall, rate: as of `by_recall`.

        Raises:
            UsageError: as of `by_recall`, or the share is not possible.
        """
        share = defective_share
        if share is None:
            share = self.n_defects / (self.n_defects + self.calibration.n)
        _require_share(share)
        found = share * (1 - self.missed / self.n_defects)
        f1 = 2 * found / (share + found + (1 - share) * self.rejected)
        return self._best(f1, "threshold of the best F1", recall, rate, 1)

    def _best(
        self,
        worth: npt.NDArray[np.float64],
        what: str,
        recall: float | None,
        rate: float | None,
        sign: int,
    ) -> Choice:
        """The allowed threshold that is worth most; says where one that is not allowed is worth more."""
        allowed, gave_way = self._allowed(recall, rate)
        place, free = int(allowed[np.argmax(worth[allowed])]), int(np.argmax(worth))
        if gave_way is None and worth[free] > worth[place] + _ROUNDING:
            kept = f"a recall of {recall:g}" if free > place else f"a false-reject rate of {rate:g}"
            gave_way = (
                f"The {what} gave way to {kept}: it would miss {self.missed[free]} of {self.n_defects} known defects "
                f"and reject {self.rejected[free]:.2%} of good parts."
            )
        return self._choice(place, gave_way, sign * float(worth[place]))

    def _allowed(self, recall: float | None, rate: float | None) -> tuple[npt.NDArray[np.intp], str | None]:
        """Places of the thresholds that keep what was asked for, and which promise gave way to which."""
        if rate is not None:
            self.calibration.threshold(rate)  # refuses what cannot be promised
        keeps = np.full(len(self.values), True) if rate is None else self.rejected <= rate + _ROUNDING
        if recall is None:
            return np.flatnonzero(keeps), None
        reaches = self.missed <= _may_miss(recall, self.n_defects)
        if not reaches.any():
            raise UsageError(
                f"A recall of {recall:g} cannot be had: {self.missed[0]} of {self.n_defects} known defects score no "
                "higher than any good photograph, so every part would be rejected; give a recall of at most "
                f"{_down(1 - self.missed[0] / self.n_defects)}, or correct what they are known as."
            )
        both = np.flatnonzero(keeps & reaches)
        if len(both):
            return both, None
        place = np.flatnonzero(reaches)[-1:]
        return place, (
            f"The false-reject rate of {rate:g} gave way to a recall of {recall:g}: "
            f"it becomes {self.rejected[place[0]]:.4f}."
        )

    def _choice(self, place: int, gave_way: str | None, value: float | None = None) -> Choice:
        seen = _interval(int(self.missed[place]), self.n_defects)
        return Choice(float(self.values[place]), seen, gave_way, value)


def _interval(missed: int, n: int, confidence: float = 0.95) -> Escapes:
    """Clopper-Pearson, by the Beta quantiles that it is made of."""
    tail = (1 - confidence) / 2
    low = beta_bound(missed, n, tail) if missed else 0.0
    high = beta_bound(missed + 1, n, 1 - tail) if missed < n else 1.0
    return Escapes(n, missed, low, high)


def _may_miss(recall: float, n: int) -> int:
    """How many of n may be missed at a recall."""
    if not 0 < recall <= 1:
        raise UsageError(
            f"A recall of {recall:g} is not possible: choose one above 0 and at most 1, as 0.95."
        )
    return math.floor((1 - recall) * n + _ROUNDING)


def _require_share(share: float) -> None:
    if not 0 < share < 1:
        raise UsageError(
            f"A share of {share:g} of defective parts is not possible: choose one between 0 and 1."
        )


def _down(share: float) -> str:
    """A share rounded down, so that what is printed can be asked for."""
    return f"{math.floor(share * 10_000) / 10_000:g}"


def _checked(defects: npt.ArrayLike) -> npt.NDArray[np.float64]:
    scores = np.asarray(defects, np.float64)
    if scores.ndim != 1 or not scores.size or not np.isfinite(scores).all():
        raise UsageError(
            f"Scores of shape {scores.shape} are none of known defects: give at least one of a defective part, all "
            "finite, in one dimension."
        )
    return scores
