"""Counts of one kind among so many: how rare one is, how far its rate can be trusted, and whether two rates differ.

Without SciPy, which the line does not have; the tests compare with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

_NORMAL = NormalDist()


def binomial_tail(count: int, n: int, share: float) -> float:
    """P(X >= count) for X ~ Binomial(n, share) where count is above the mean, else P(X <= count)."""
    if share in (0.0, 1.0):
        return 0.0 if count != n * share else 1.0
    step = 1 if count > n * share else -1
    odds = share / (1 - share)
    term = math.exp(
        math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
        + count * math.log(share) + (n - count) * math.log1p(-share)
    )  # fmt: skip
    total, place = 0.0, count
    while term > 1e-15 * total and 0 <= place <= n:
        total += term
        term *= (n - place) / (place + 1) * odds if step > 0 else place / (n - place + 1) / odds
        place += step
    return total


def wilson_interval(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a rate seen `count` times in `n`; (nan, nan) when n is 0.

    References:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if n == 0:
        return math.nan, math.nan
    z2 = _NORMAL.inv_cdf((1 + confidence) / 2) ** 2
    rate = count / n
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    spread = math.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if count == 0 else middle - spread
    high = 1.0 if count == n else middle + spread
    return max(0.0, low), min(1.0, high)


def fisher_exact(count: int, n: int, other_count: int, other_n: int) -> float:
    """Two-sided p-value of Fisher's exact test that two rates are one: all tables that are no likelier than this."""
    both, total = count + other_count, n + other_n
    low, high = max(0, both - other_n), min(n, both)
    places = np.arange(low, high + 1)
    logs = _log_choose(n, places) + _log_choose(other_n, both - places)
    shares = np.exp(logs - logs.max())
    # Tables that are equally likely count, whatever rounding says of them.
    as_rare = shares <= shares[count - low] * (1 + 1e-7)
    return float(min(1.0, shares[as_rare].sum() / shares.sum())) if total else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for that there are so many: with `p <= 0.05` any one is by mistake once in 20 times at most.

    References:
        Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.
    """
    found, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        found[place] = highest
    return found


def weakened(p_value: float, spread: float) -> float:
    """A two-sided p-value where numbers scatter `spread` times as far as its test takes for granted, 1 or more."""
    if spread <= 1 or p_value >= 1:
        return p_value
    z = -_NORMAL.inv_cdf(max(p_value, 1e-300) / 2)
    return math.erfc(z / spread / math.sqrt(2))  # far out, `NormalDist.cdf` has four digits left


_Counts = npt.NDArray[np.int64]


def _log_choose(n: int, places: _Counts) -> npt.NDArray[np.float64]:
    logs = _log_factorials(n)
    return np.asarray(logs[n] - logs[places] - logs[n - places], np.float64)


def _log_factorials(n: int) -> npt.NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1, dtype=np.float64)))])
