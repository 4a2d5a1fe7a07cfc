"""Control charts of a rate: the p-chart with limits by the size of each sample, and the CUSUM of its evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blemish.core.binomial import binomial_tail
from blemish.station.insight.levels import levels, typical_rate

SIDE_PROBABILITY = 0.00135
"""Of a normal variable beyond three standard deviations, on one side."""

FALSE_ALARM = 0.05
"""Probability at most that the CUSUM tells a change in the whole span while the rate is as usual."""

ODDS_RATIO = 2.0
"""The CUSUM is quickest to tell that the odds of a reject have doubled, or halved."""

_MEDIAN = 0.6745  # of the absolute value of a standard normal number
_FEWEST_SAMPLES = 8  # that tell how far samples scatter
_MOST_LEFT_OUT = 0.25
_MOST_ROUNDS = 4
_LEAST_USUAL = 0.25

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PChart:
    """A p-chart of N samples.

    Attributes:
        mean: usual rate: of all samples but those left out.
        lower, upper: N, control limits.
        out: N, whether the rate is beyond them.
        spread: how far the rates scatter from one sample to the next, in standard deviations that the binomial
            distribution has; 1 where there are too few samples to tell.
        left_out: samples that the usual rate is not of: beyond the trial limits, or of a change that the CUSUM told.
    """

    mean: float
    lower: _Floats
    upper: _Floats
    out: npt.NDArray[np.bool_]
    spread: float
    left_out: int

    @property
    def overdispersed(self) -> bool:
        """Whether rates scatter further than by chance alone, so that the limits are wider (Laney's p'-chart)."""
        return self.spread > 1


def control_charts(counts: Sequence[int], hits: Sequence[int]) -> tuple[PChart, Cusum]:
    """Both charts, with a usual rate that is not of what the CUSUM itself calls a change.

    A change that lasts for a quarter of the time would else move the rate that it is measured against, and what was as
    usual would be called lower. It begins with `typical_rate`; what the CUSUM then calls a change is left out, until
    nothing more is. Where less than a quarter of the parts is left nobody can say what is usual: then it is the mean of
    all.

    Args:
        counts, hits: N, as of `p_chart`.
    """
    n = np.asarray(counts, np.float64)
    usual = np.ones(len(n), bool)
    chart = p_chart(counts, hits)
    evidence = cusum(counts, hits, typical_rate(counts, hits, chart.spread), chart.spread)
    for _ in range(_MOST_ROUNDS):
        kept = np.ones(len(n), bool)
        for one in evidence.changes:
            kept[one.since : None if one.until is None else one.until + 1] = False
        if n[kept].sum() >= _LEAST_USUAL * n.sum():
            settled, usual = bool((kept == usual).all()), kept
            chart = p_chart(counts, hits, usual)
        else:
            settled = True
        evidence = cusum(counts, hits, chart.mean, chart.spread)
        if settled:
            break
    return chart, evidence


def p_chart(counts: Sequence[int], hits: Sequence[int], among: npt.NDArray[np.bool_] | None = None) -> PChart:
    """Limits three standard errors around the usual rate, by the size of each sample.

    Where rates scatter further than the binomial distribution lets them, the limits are as much wider: Laney's
    p'-chart. A sample is out where it is beyond its limits, and the binomial distribution itself calls so many as
    rare as that: for few parts and small rates the normal approximation would call a single reject unusual.

    Args:
        counts: N, inspected parts of each sample, each at least 1.
        hits: N, how many of them were rejected.
        among: N, samples that the usual rate is looked for among; all when None.

    References:
        NIST/SEMATECH, e-Handbook of Statistical Methods, 6.3.3.2 "Proportions Control Charts".
        Laney, "Improved control charts for attributes", Quality Engineering 14 (2002).
        Anscombe, "The transformation of Poisson, binomial and negative-binomial data", Biometrika 35 (1948).
    """
    n, x = np.asarray(counts, np.float64), np.asarray(hits, np.float64)
    if not n.size:
        nothing = np.empty(0)
        return PChart(math.nan, nothing, nothing, np.empty(0, bool), 1.0, 0)
    usual = np.ones(len(n), bool) if among is None else among
    chart = _limits(n, x, usual)
    trial = usual & ~chart.out
    if trial.sum() < usual.sum() and trial.sum() >= (1 - _MOST_LEFT_OUT) * usual.sum():
        chart = _limits(n, x, trial)
    return chart


def _limits(n: _Floats, x: _Floats, usual: npt.NDArray[np.bool_]) -> PChart:
    mean = float(x[usual].sum() / n[usual].sum())
    errors = np.sqrt(mean * (1 - mean) / n)
    spread = _spread(n[usual], x[usual])
    lower = np.maximum(0.0, mean - 3 * spread * errors)
    upper = np.minimum(1.0, mean + 3 * spread * errors)
    rates = x / n
    beyond = (rates < lower) | (rates > upper)
    rare = [
        binomial_tail(int(hit), int(size), mean) <= SIDE_PROBABILITY
        for hit, size in zip(x[beyond], n[beyond], strict=True)
    ]
    out = np.zeros(len(n), bool)
    out[beyond] = rare
    return PChart(mean, lower, upper, out, spread, int((~usual).sum()))


def _spread(n: _Floats, x: _Floats) -> float:
    """How far rates scatter from sample to sample, in standard deviations of the binomial distribution; at least 1.

    By the median difference of neighbours of one level (`levels`), as steps of the rate are no scatter; and of
    Anscombe's arcsines, whose deviation is the same at every rate. Scatter makes steps, too: where levels are so short
    that less than two thirds of the neighbours are of one, all neighbours count.
    """
    if len(n) < _FEWEST_SAMPLES:
        return 1.0
    angles = np.arcsin(np.sqrt((x + 3 / 8) / (n + 3 / 4)))
    variances = 1 / (4 * n + 2)
    differences = np.abs(np.diff(angles)) / np.sqrt(variances[1:] + variances[:-1])
    # By chance alone it is about 1, with a relative error of 1.2 / sqrt(N): within three times that nothing is told.
    told, spread = 1 + 3 * 1.2 / math.sqrt(len(n)), 1.0
    for _ in range(_MOST_ROUNDS):
        starts = [start for start, _ in levels(n.tolist(), x.tolist(), spread)][1:]
        within = np.delete(differences, np.array(starts, int) - 1)
        counting = within if 3 * len(within) >= 2 * len(differences) else differences
        found = float(np.median(counting)) / _MEDIAN
        spread = found if found > told else 1.0
    return spread


@dataclass(frozen=True)
class RateChange:
    """A change of the rate that the CUSUM has told.

    Attributes:
        since: number of the first sample of it: the evidence has grown from there on.
        told: number of the sample at which there was enough.
        until: number of the last sample of it; None while it holds.
        rising: whether the rate is higher than usual, else lower.
    """

    since: int
    told: int
    until: int | None
    rising: bool


@dataclass(frozen=True)
class Cusum:
    """Evidence, sample by sample, that the rate has risen or fallen.

    Attributes:
        risen, fallen: N, logarithm of how much likelier the latest samples are under twice (half) the usual odds than
            under these; 0 where nothing speaks for it.
        limit: at which a change is told.
        changes: that were told, in the order in which they began.
    """

    risen: _Floats
    fallen: _Floats
    limit: float
    changes: tuple[RateChange, ...]


def cusum(counts: Sequence[int], hits: Sequence[int], usual: float, spread: float = 1.0) -> Cusum:
    """The CUSUM of log-likelihood ratios.

    With a known usual rate, and parts that are independent of each other, one of the two tells a change within the N
    samples by mistake with probability `FALSE_ALARM` at most. Where samples scatter `spread` times as far as the
    binomial distribution lets them, the evidence counts `spread` squared times less (quasi-likelihood).

    Args:
        counts, hits: N, as of `p_chart`.
        usual: the usual rate.
        spread: as of `PChart`.

    References:
        Page, "Continuous inspection schemes", Biometrika 41 (1954).
        Reynolds, Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting continuously", Journal of Quality
        Technology 31 (1999).
        Lorden, "Procedures for reacting to a change in distribution", Ann. Math. Statist. 42 (1971): the bound.
    """
    n, x = np.asarray(counts, np.float64), np.asarray(hits, np.float64)
    # Of N looks at a product of fair bets that begin anew at each, one reaches the limit with probability N / limit.
    limit = math.log(2 * max(len(n), 1) / FALSE_ALARM)
    if not n.size or not 0 < usual < 1:
        return Cusum(np.zeros(len(n)), np.zeros(len(n)), limit, ())
    both, changes = [], list[RateChange]()
    for rising in (True, False):
        odds = usual / (1 - usual) * (ODDS_RATIO if rising else 1 / ODDS_RATIO)
        other = odds / (1 + odds)
        gains = x * math.log(other / usual) + (n - x) * math.log((1 - other) / (1 - usual))
        path, told = _evidence(gains / spread**2, limit, rising)
        both.append(path)
        changes += told
    changes.sort(key=lambda one: (one.since, one.told))
    return Cusum(both[0], both[1], limit, tuple(changes))


def _evidence(gains: _Floats, limit: float, rising: bool) -> tuple[_Floats, list[RateChange]]:
    """The path of one side, and what it told; a change has ended once as much speaks against it as spoke for it."""
    path, changes = np.zeros(len(gains)), list[RateChange]()
    total, since, told, peak = 0.0, 0, -1, 0
    for place, gain in enumerate(gains):
        if total == 0:
            since = place
        total = max(0.0, total + float(gain))
        path[place] = total
        if told < 0 and total >= limit:
            told = peak = place
        elif told >= 0 and total >= path[peak]:
            peak = place
        elif told >= 0 and path[peak] - total >= limit:
            changes.append(RateChange(since, told, peak, rising))
            total, told = 0.0, -1
    if told >= 0:
        changes.append(RateChange(since, told, None, rising))
    return path, changes
