"""Levels of a rate over time: where it was one and the same, and which of them is the usual one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_MOST_BLOCKS = 400
_ALIKE = 1.4
"""Levels whose rates differ by no more than this factor are one: the CUSUM looks for twice the odds."""

_LEAST_SHARE = 1 / 3

_Floats = npt.NDArray[np.float64]


def levels(counts: Sequence[float], hits: Sequence[float], spread: float = 1.0) -> list[tuple[int, int]]:
    """First and end of the stretches in which a rate is one and the same, the whole of N samples.

    Of all ways to cut the samples it is the one with the largest binomial likelihood, less 2 log N for each cut (as the
    Bayesian information criterion takes for a rate and a place), found exactly. Beyond 400 samples, blocks of them are
    cut.

    Args:
        counts, hits: N, inspected parts and rejects of each sample.
        spread: how far rates scatter, in standard deviations of the binomial distribution.

    References:
        Jackson et al., "An algorithm for optimal partitioning of data on an interval", IEEE Signal Processing Letters
        12 (2005).
    """
    size = max(1, math.ceil(len(counts) / _MOST_BLOCKS))
    edges = [*range(0, len(counts), size), len(counts)]
    n, x = (np.concatenate([[0.0], np.cumsum(one)])[edges] for one in (counts, hits))
    penalty = 2 * math.log(max(len(edges) - 1, 2)) * spread**2
    best, cut = np.zeros(len(edges)), [0] * len(edges)
    for end in range(1, len(edges)):
        costs = best[:end] - _likelihood(n[end] - n[:end], x[end] - x[:end]) + (np.arange(end) > 0) * penalty
        cut[end] = int(np.argmin(costs))
        best[end] = costs[cut[end]]
    found, end = list[tuple[int, int]](), len(edges) - 1
    while end > 0:
        found.append((edges[cut[end]], edges[end]))
        end = cut[end]
    return found[::-1]


def typical_rate(counts: Sequence[float], hits: Sequence[float], spread: float = 1.0) -> float:
    """The lowest rate that holds for a third of the parts, by `levels`; else that which holds for most of them.

    The lowest, as special causes make parts worse, hardly ever better; 0 where there are no parts.
    """
    n, x = np.asarray(counts, np.float64), np.asarray(hits, np.float64)
    if not n.size:
        return 0.0
    there = [(float(n[one:end].sum()), float(x[one:end].sum())) for one, end in levels(counts, hits, spread)]
    pooled = []
    for size, rejected in there:
        near = [other for other in there if _alike(rejected / size, other[1] / other[0])]
        parts = sum(one for one, _ in near)
        pooled.append((parts, sum(one for _, one in near) / parts))
    often = [rate for parts, rate in pooled if parts >= _LEAST_SHARE * n.sum()]
    return min(often) if often else max(pooled)[1]


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= _ALIKE * min(one, other)


def _likelihood(n: _Floats, x: _Floats) -> _Floats:
    """Logarithm of the largest binomial likelihood, but for what no cut changes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rejected = np.where(x > 0, x * np.log(x / n), 0.0)
        others = np.where(n > x, (n - x) * np.log((n - x) / n), 0.0)
    return np.asarray(rejected + others, np.float64)
