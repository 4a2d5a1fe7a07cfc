"""Rates that so few good scores cannot promise: their upper tail, extrapolated by a generalised Pareto distribution.

A model and no promise: what exceeds a high level follows this distribution in the limit, whatever the scores' own is
(Pickands, Balkema and de Haan); at a finite level it may not, so that every tail carries its goodness of fit.

References:
    Pickands, "Statistical inference using extreme order statistics", Annals of Statistics 3, 1975.
    Zhang, Stephens, "A new and efficient estimation method for the generalized Pareto distribution",
    Technometrics 51, 2009.
    Choulakian, Stephens, "Goodness-of-fit tests for the generalized Pareto distribution", Technometrics 43, 2001.
"""

from __future__ import annotations

import functools
import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from blemish.core.conformal import Calibration, Promise
from blemish.core.errors import UsageError
from blemish.core.records import Finite, Record

LEAST_EXCEEDANCES = 20
"""Of which a shape is learnt: its standard error is about 1 / sqrt(exceedances), 0.22."""

SHARE = 0.2
"""Of the scores that are the tail, or more where they are too few for LEAST_EXCEEDANCES; never more than 0.4."""

SHAPES = (-0.5, 0.5)
"""That a tail can have: below, it would end at the highest score; above, its variance would be infinite."""

DOUBTFUL = 0.05
"""A tail whose goodness of fit is at or under this is marked as doubtful."""

_MOST_SHARE = 0.4
_MOST_EXCEEDANCES = 500
_FARTHEST = 10
_BOOTSTRAPS = 999
_SEED = 0
_LEAST = 1e-9
_ROUNDING = 1e-9

FloatArray = npt.NDArray[np.float64]


class Tail(Record):
    """What the highest good scores say of rates that were not seen.

    Attributes:
        location: the tail begins above this score.
        scale: of the generalised Pareto distribution, in scores; positive.
        shape: of it; 0 is exponential, below 0 the tail ends, above 0 it is heavier.
        share: of unseen good parts expected above `location`.
        exceedances: scores that the tail was fitted to.
        n: scores in all; of groups, their number, each with its highest score.
        goodness: p-value of its fit by Anderson and Darling, in (0, 1]; small where it does not fit.
    """

    location: Finite
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    shape: Annotated[float, Field(ge=SHAPES[0], le=SHAPES[1])]
    share: Annotated[float, Field(gt=0, lt=1)]
    exceedances: int = Field(ge=LEAST_EXCEEDANCES, le=10_000_000)
    n: int = Field(ge=LEAST_EXCEEDANCES, le=10_000_000)
    goodness: Annotated[float, Field(gt=0, le=1)]

    @property
    def doubtful(self) -> bool:
        """Whether the fit is rejected at 5 %: the thresholds are then no better than a guess."""
        return self.goodness <= DOUBTFUL

    @property
    def smallest_rate(self) -> float:
        """The smallest rate that it is asked for: a tenth of what the scores themselves can promise."""
        return 1 / (_FARTHEST * (self.n + 1))

    def threshold(self, rate: float) -> float:
        """The score that `rate` of unseen good parts exceed, if the model holds and the fit is taken at its word.

        More exceed it on average, as a fit that ends too early costs more than one that ends too late gains: `promise`
        says how many.

        Raises:
            UsageError: the rate is outside [`smallest_rate`, `share`].
        """
        if not self.smallest_rate * (1 - _ROUNDING) <= rate <= self.share * (1 + _ROUNDING):
            raise UsageError(
                f"The tail of {self.n} good scores reaches from a rate of {self.smallest_rate:.2g} to "
                f"{self.share:.2g}, not {rate:g}: choose one between, or photograph more good parts."
            )
        return self.location + self.scale * float(
            _excess(self.shape, np.asarray(min(rate / self.share, 1.0)))
        )

    def rate(self, score: float) -> float:
        """Share of unseen good parts that exceed a score, in [0, `share`], if model and fit hold.

        Raises:
            UsageError: the score is below the tail, or not a number.
        """
        if not score >= self.location:
            raise UsageError(
                f"The tail begins at {self.location:.6g}, and {score:.6g} is below it: ask the calibration."
            )
        return self.share * float(_survival(np.asarray((score - self.location) / self.scale), self.shape))

    def promise(self, threshold: float, confidence: float = 0.95) -> Promise:
        """What rejecting above a threshold of this rule promises, if the model holds.

        The mean and the bound are over other samples of as many good parts, each fitted anew.

        Raises:
            UsageError: the threshold is below the tail, or not a number.
        """
        nominal = max(self.rate(threshold) / self.share, _LEAST)
        shares, shape, scale = _refitted(self.shape, self.exceedances, self.n)
        above = shares * _survival(scale * _excess(shape, np.asarray(nominal)), self.shape)
        return Promise(float(above.mean()), float(np.quantile(above, confidence)), self.n, confidence)

    def sentence(self) -> str:
        """What it is and how far it can be trusted, for people."""
        told = (
            f"extrapolated from the {self.exceedances} highest of {self.n} good scores by a generalised Pareto tail of "
            f"shape {self.shape:.2f}, a model and no promise; goodness of fit p = {self.goodness:.3f}"
        )
        return f"{told}: it does not fit, so do not rely on it" if self.doubtful else told


def fit_tail(calibration: Calibration) -> Tail:
    """The tail of a calibration's scores; of groups each counts as one, with its highest score.

    Raises:
        UsageError: there are too few scores, or too many of them are equal.
    """
    scores = highest_of_groups(calibration)
    n = len(scores)
    count = min(max(LEAST_EXCEEDANCES, round(SHARE * n)), _MOST_EXCEEDANCES)
    if count > _MOST_SHARE * n:
        needed = math.ceil(LEAST_EXCEEDANCES / _MOST_SHARE)
        raise UsageError(
            f"{n} {'groups of ' if calibration.groups is not None else ''}good photographs are too few to extrapolate "
            f"their tail: give {needed - n} more."
        )
    location = float(scores[n - count - 1])
    excess = scores[n - count :] - location
    if excess[_quartile(count)] <= 0:
        raise UsageError(
            f"Too many good scores equal {location:.6g} for a tail to be extrapolated: choose a rate that the scores "
            "themselves can promise."
        )
    (shape,), (scale,) = fitted(excess[None])
    return Tail(
        location=location,
        scale=float(scale),
        shape=float(shape),
        share=(count + 1) / (n + 1),
        exceedances=count,
        n=n,
        goodness=_goodness(excess, float(shape), float(scale)),
    )


def highest_of_groups(calibration: Calibration) -> FloatArray:
    """The scores, or each group's highest, sorted upwards: no larger share of the groups' images is above any score."""
    scores = np.asarray(calibration.scores, np.float64)
    if calibration.groups is None:
        return scores
    _, group = np.unique(calibration.groups, return_inverse=True)
    highest = np.full(group.max() + 1, -np.inf)
    np.maximum.at(highest, group, scores)
    return np.sort(highest)


def fitted(excess: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shape and scale of generalised Pareto distributions, by Zhang and Stephens (2009).

    The mean of theta = -shape / scale under its profile likelihood and a prior from the sample's first quartile. Unlike
    maximum likelihood it exists for every sample, and unlike moments it is as efficient for every shape.

    Args:
        excess: B x K, each row above 0 from its first quartile on, sorted upwards.

    Returns:
        Both B; where the shape has to be brought into SHAPES, the scale keeps the mean.
    """
    count = excess.shape[1]
    points = 20 + int(math.sqrt(count))
    steps = 1 - np.sqrt(points / (np.arange(points) + 0.5))
    theta = 1 / excess[:, -1:] + steps / (3 * excess[:, _quartile(count), None])
    theta[theta == 0] = 1e-12
    log_likelihood = _profile(theta, excess)
    weight = np.exp(log_likelihood - log_likelihood.max(1, keepdims=True))
    mean = (theta * weight).sum(1) / weight.sum(1)
    mean[mean == 0] = 1e-12
    shape = np.log1p(-mean[:, None] * excess).mean(1)
    bounded = np.clip(shape, *SHAPES)
    return bounded, np.where(bounded == shape, -shape / mean, excess.mean(1) * (1 - bounded))


def anderson_darling(excess: FloatArray, shape: FloatArray, scale: FloatArray) -> FloatArray:
    """How far samples B x K, sorted upwards, are from distributions with these shapes and scales: A squared, B."""
    above = np.clip(_survival(excess / scale[:, None], shape[:, None]), 1e-12, 1 - 1e-12)
    count = excess.shape[1]
    odd = 2 * np.arange(count) + 1
    return np.asarray(-count - (odd * (np.log1p(-above) + np.log(above[:, ::-1]))).mean(1), np.float64)


def _goodness(excess: FloatArray, shape: float, scale: float) -> float:
    """Share of samples of the fitted distribution, each fitted anew, that are as far from their fit as this one is."""
    samples = _samples(np.random.default_rng(_SEED), shape, len(excess))
    distances = anderson_darling(samples, *fitted(samples))
    own = anderson_darling(excess[None], np.array([shape]), np.array([scale]))
    return float((1 + np.count_nonzero(distances >= own)) / (1 + _BOOTSTRAPS))


@functools.lru_cache(maxsize=16)
def _refitted(shape: float, count: int, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of other samples of n: the share above where their tail begins, and the shape and scale of its fit.

    That share is Beta whatever the scores' distribution: only what is beyond is the model's.
    """
    rng = np.random.default_rng(_SEED)
    shares = rng.beta(count + 1, n - count, _BOOTSTRAPS)
    return shares, *fitted(_samples(rng, shape, count))


def _samples(rng: np.random.Generator, shape: float, count: int) -> FloatArray:
    """Samples of scale 1, bootstraps x count, sorted upwards."""
    return np.sort(_excess(shape, 1 - rng.random((_BOOTSTRAPS, count))), 1)


def _profile(theta: FloatArray, excess: FloatArray) -> FloatArray:
    """Log-likelihood of each theta, B x M, the shape being the likeliest for it."""
    shape = np.stack([np.log1p(-column[:, None] * excess).mean(1) for column in theta.T], 1)
    return np.asarray(excess.shape[1] * (np.log(-theta / shape) - shape - 1), np.float64)


def _excess(shape: float | FloatArray, share: FloatArray) -> FloatArray:
    """What a share in (0, 1] of a distribution of scale 1 exceeds."""
    shape, share = np.broadcast_arrays(np.asarray(shape, np.float64), np.asarray(share, np.float64))
    exponential = np.abs(shape) < 1e-9
    safe = np.where(exponential, 1.0, shape)
    return np.where(exponential, -np.log(share), np.expm1(-safe * np.log(share)) / safe)


def _survival(excess: FloatArray, shape: float | FloatArray) -> FloatArray:
    """Share of a distribution of scale 1 that exceeds it; none behind its end."""
    excess, shape = np.broadcast_arrays(np.asarray(excess, np.float64), np.asarray(shape, np.float64))
    exponential = np.abs(shape) < 1e-9
    safe = np.where(exponential, 1.0, shape)
    inside = np.log1p(np.maximum(safe * excess, -1 + 1e-15)) / safe
    ended = ~exponential & (safe * excess <= -1)
    return np.asarray(np.where(ended, 0.0, np.exp(-np.where(exponential, excess, inside))), np.float64)


def _quartile(count: int) -> int:
    """Place of the first quartile in a sorted sample, from 0."""
    return int(count / 4 + 0.5) - 1
