"""Limits of what photographs must be like to be judged, learnt from good ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blemish.core.types import FloatArray
from blemish.line.artifact import KNOWN_PHOTOGRAPHS, array_content
from blemish.line.photograph_measures import DESCRIPTIONS, FIGURES
from blemish.line.suitability import CHECKS, MOST_KNOWN, Limit, Suitability
from blemish.making.reading import Readable

FEWEST = 10
"""Good photographs that limits can be learnt from; with fewer nothing is checked."""

RATE = 0.005
"""Share of good photographs that is expected outside at most, all checks together."""

ONE_SIDED = frozenset({"detail", *DESCRIPTIONS})
"""Checks with one limit: more detail than was learnt from does no harm, and no photograph is too similar."""

LEAST_MARGIN = {
    "shape": 0.1,
    "detail": 0.7,
    "brightness": 0.1,
    "contrast": 0.1,
    "focus": 0.15,
    "colour": 4.0,
    "part": 0.2,
    "left": 0.05,
    "top": 0.05,
    "layout": 0.1,
    "texture": 0.1,
}
"""How far beyond what was learnt a measure may be at least, however alike the photographs are; see `FIGURES`."""

_TAIL, _FEWEST_IN_TAIL, _MOST_IN_TAIL = 0.2, 5, 100
_TOLD = 0.95
_ROWS = 500


@dataclass(frozen=True)
class Learnt:
    """What good photographs are like: the record of the manifest, and the measures of some, float32 N x `COLUMNS`."""

    record: Suitability
    known: FloatArray

    def members(self) -> dict[str, bytes]:
        """The artifact's members, by name."""
        return {KNOWN_PHOTOGRAPHS: array_content(self.known)}


def learn_suitability(
    measures: FloatArray, groups: Sequence[str] | None = None, rate: float = RATE
) -> Learnt | None:
    """Limits that good photographs, taken as these were, are outside of in at most a share `rate` of cases.

    The rate is shared among all limits. Distances are those of each photograph from the nearest other one, of another
    group.

    Args:
        measures: float32 N x `COLUMNS`, of good photographs.
        groups: which of them show one part, N; None where each is its own.
        rate: the share, in (0, 1).

    Returns:
        None with fewer than `FEWEST` photographs, or groups of them.
    """
    belonging = (
        np.arange(len(measures)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    )
    if len(np.unique(belonging)) < FEWEST:
        return None
    places = np.unique(np.linspace(0, len(measures) - 1, min(MOST_KNOWN, len(measures))).astype(int))
    values = {check: measures[:, FIGURES.index(check)] for check in FIGURES}
    for check, where in DESCRIPTIONS.items():
        values[check] = _distances(measures[:, where], belonging, places)
    told = {check: found for check in CHECKS if (found := _told(values[check])) is not None}
    each = rate / sum(1 if check in ONE_SIDED else 2 for check in told)
    limits = tuple(_limit(check, found, each) for check, found in told.items())
    record = Suitability(rate=rate, n_photographs=len(measures), limits=limits)
    return Learnt(record, np.ascontiguousarray(measures[places], np.float32))


def suitability_of(readable: Readable) -> Learnt | None:
    """`learn_suitability` of the good photographs that were learnt from or set aside, if they were measured."""
    paths = [*readable.catalog.train_normal(), *readable.calibration.paths]
    paths = [path for path in dict.fromkeys(paths) if path in readable.measures]
    if not paths:
        return None
    groups = [readable.groups.get(path, f"/{path}") for path in paths] if readable.groups else None
    return learn_suitability(np.stack([readable.measures[path] for path in paths]), groups)


def upper_limit(values: npt.ArrayLike, rate: float) -> float:
    """The value above which the next one is in a share `rate` of cases, were the upper tail exponential.

    The mean excess of a fifth of the values says how long the tail is. With k of them the next excess, over k times
    that mean, is distributed as Lomax (Pareto of the second kind) with shape k: so few photographs give wide limits.

    Args:
        values: at least two, finite.
        rate: under a fifth.

    References:
        Lawless, "Statistical Models and Methods for Lifetime Data", 2003, 4.1: prediction for the exponential.
        Pickands, "Statistical inference using extreme order statistics", Ann. Statist. 3, 1975.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    k = int(np.clip(round(_TAIL * n), min(_FEWEST_IN_TAIL, n - 1), _MOST_IN_TAIL))
    start = ordered[n - k - 1]
    mean_excess = float((ordered[n - k :] - start).mean())
    beyond = min(1.0, rate * (n + 1) / (k + 1))  # of those in the tail
    return float(start + k * mean_excess * (beyond ** (-1 / k) - 1))


def _limit(check: str, values: npt.NDArray[np.float64], rate: float) -> Limit:
    least, most, margin = float(values.min()), float(values.max()), LEAST_MARGIN[check]
    low = min(least - margin, -upper_limit(-values, rate))
    high = max(most + margin, upper_limit(values, rate))
    if check == "detail":
        return Limit(check=check, low=low, least=least, most=most)
    if check in ONE_SIDED:
        return Limit(check=check, high=high, least=least, most=most)
    return Limit(check=check, low=low, high=high, least=least, most=most)


def _told(values: FloatArray) -> npt.NDArray[np.float64] | None:
    """The values that could be told; None where too few could."""
    told = values[np.isfinite(values)].astype(np.float64)
    return told if len(told) >= max(FEWEST, _TOLD * len(values)) else None


def _distances(
    descriptions: FloatArray, belonging: npt.NDArray[np.intp], places: npt.NDArray[np.intp]
) -> FloatArray:
    """Of each photograph from the nearest of those at `places` that is of another group, N."""
    known, theirs = descriptions[places].astype(np.float64), belonging[places]
    squares = (known**2).sum(axis=1)
    found = np.empty(len(descriptions), np.float32)
    for start in range(0, len(descriptions), _ROWS):
        rows = descriptions[start : start + _ROWS].astype(np.float64)
        apart = (rows**2).sum(axis=1)[:, None] + squares - 2 * rows @ known.T
        apart[belonging[start : start + _ROWS, None] == theirs] = np.inf
        found[start : start + _ROWS] = np.sqrt(np.maximum(apart.min(axis=1), 0))
    return found
