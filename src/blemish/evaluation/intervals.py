"""How far a measured rate can be trusted: 95 % intervals of counts and of the AUROC."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import betaincinv, ndtri


def binomial_interval(count: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a rate seen `count` times in `n`: never too narrow. (nan, nan) when n is 0.

    `count` may be the mean over several decisions on the same n parts.

    Follows Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934.
    """
    if n == 0:
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(betaincinv(count, n - count + 1, tail))
    high = 1.0 if count == n else float(betaincinv(count + 1, n - count, 1 - tail))
    return low, high


def auroc_interval(
    auroc: float, n_anomalous: int, n_normal: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of an AUROC measured on so many parts of each class; (nan, nan) when it is undefined.

    A score interval: all values that the measured one does not contradict, so it keeps its width at an
    AUROC of 1, where DeLong and the bootstrap claim certainty. Follows Newcombe, "Confidence intervals for
    an effect size measure based on the Mann-Whitney statistic, part 2", Statistics in Medicine 2006, method
    5.
    """
    if math.isnan(auroc):
        return math.nan, math.nan
    z = float(ndtri((1 + confidence) / 2))
    spread = (n_anomalous + n_normal) / 2 - 1

    def contradicted(value: float) -> bool:
        shape = 1 + spread * ((1 - value) / (2 - value) + value / (1 + value))
        variance = value * (1 - value) * shape / (n_anomalous * n_normal)
        return abs(auroc - value) > z * math.sqrt(variance)

    def edge(outer: float) -> float:
        inner = auroc
        for _ in range(60):
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if contradicted(middle) else (middle, outer)
        return inner

    return (edge(0.0) if auroc > 0 else 0.0), (edge(1.0) if auroc < 1 else 1.0)


def mean_interval(values: Sequence[float], intervals: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """95 % interval of the mean of measures of different parts, from their own; (nan, nan) where one is missing.

    Each edge lies as far from the mean as the root of the summed squares of theirs, divided by their number. Follows
    Zou, Huang and Zhang, "A note on confidence interval estimation for a linear function of binomial proportions",
    Computational Statistics and Data Analysis 2009.
    """
    n = len(values)
    if n == 0 or any(math.isnan(edge) for interval in intervals for edge in interval):
        return math.nan, math.nan
    mean = math.fsum(values) / n
    below = math.hypot(*(value - low for value, (low, _) in zip(values, intervals, strict=True))) / n
    above = math.hypot(*(high - value for value, (_, high) in zip(values, intervals, strict=True))) / n
    return max(mean - below, 0.0), min(mean + above, 1.0)
