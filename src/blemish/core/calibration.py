"""From scores of normal images to a decision: threshold, and what a threshold can promise.

The scores must come from images that the detector has not learnt from (cross-validation over the training
images will do); a detector's scores of its own training images are too low, and so would be the threshold.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from blemish.core.errors import UsageError

Scores = npt.ArrayLike
"""Numbers in one dimension, of any float type."""


def quantile_threshold(normal_scores: Scores, quantile: float = 0.995) -> float:
    """Decision threshold: the score below which `quantile` of the normal scores lie.

    It is one of the scores itself, the quantile's neighbour above (`numpy.quantile`, method "higher"), so no
    score between two measured ones is invented; a part is rejected when its score is strictly above. With n
    scores it is the k-th smallest, k = ceil(quantile (n - 1)) + 1. With fewer than 1 / (1 - quantile) + 1
    scores (201 for 0.995) it is their maximum. `false_reject_rate` says what it promises.

    Args:
        normal_scores: scores of normal images, one dimension, finite, any order.
        quantile: in (0, 1).

    Raises:
        UsageError: there are no scores, one is not finite, or `quantile` is outside (0, 1).
    """
    scores = _checked(normal_scores)
    place = _rank(len(scores), quantile) - 1
    return float(np.partition(scores, place)[place])


def deviation_threshold(normal_scores: Scores, deviations: float = 3.0) -> float:
    """Mean of normal scores plus `deviations` standard deviations (n - 1; 0 with a single score).

    It promises 0.13 % of good parts rejected only if their scores are normally distributed, which they seldom are.

    Raises:
        UsageError: there are no scores, or one is not finite.
    """
    scores = _checked(normal_scores)
    spread = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
    return float(scores.mean()) + deviations * spread


def heatmap_scale(map_medians: Scores, pixel_threshold: float) -> tuple[float, float]:
    """Map values of a heatmap's coldest and warmest colour, the same for every part of a category.

    The coldest is the median over normal images of each map's median, what a good part usually shows; the
    pixel threshold lies in the middle, where the warm colours begin.

    Args:
        map_medians: median of each normal image's map, one dimension, finite.
        pixel_threshold: map value from which a pixel is anomalous.

    Returns:
        low and high, low below high even where all maps are flat.

    Raises:
        UsageError: there are no medians, or a number is not finite.
    """
    low = float(np.median(_checked(map_medians)))
    (level,) = _checked([pixel_threshold]).tolist()
    narrowest = 1e-3 * max(abs(low), 1e-3)  # identical training images give flat maps
    return low, low + max(2 * (level - low), narrowest)


def false_reject_rate(
    n_scores: int, quantile: float = 0.995, confidence: float = 0.95, n_groups: int | None = None
) -> tuple[float, float]:
    """What a threshold from `quantile_threshold` promises: how many unseen good parts it rejects.

    The share above the k-th smallest of n independent scores of a continuous distribution follows
    Beta(n + 1 - k, k), whatever the distribution: Wilks, "Determination of sample sizes for setting
    tolerance limits", Annals of Mathematical Statistics 12, 1941. Ties only make it smaller. Scores from
    k-fold are not quite independent and come from slightly weaker detectors, so for them it is approximate.

    Where scores are of `n_groups` parts, photographed several times each, only the groups are independent. The n - k
    scores above the threshold are of n - k groups at most, so that the threshold is no lower than the
    (n_groups - (n - k))-th smallest of the groups' highest scores. What is returned is then the share of parts of which
    some photograph is rejected; of the photographs no larger share is, if large groups are as good as small ones.

    Args:
        n_scores: number of normal scores, at least 1.
        quantile: as given to `quantile_threshold`.
        confidence: of the bound, in (0, 1).
        n_groups: of how many groups they are, 1 to `n_scores`; None where each is its own.

    Returns:
        The mean of the share, and the bound that it stays under with `confidence`; both in (0, 1], and 1 where so few
        groups say nothing.

    Raises:
        UsageError: an argument is out of range.

    Example:
        >>> mean, bound = false_reject_rate(320)
        >>> f"{mean:.2%} expected, {bound:.2%} at most"
        '0.62% expected, 1.47% at most'
    """
    rank = _rank(n_scores, quantile)
    if not 0 < confidence < 1:
        raise UsageError(f"A confidence of {confidence} is not possible: choose one between 0 and 1.")
    above, independent = n_scores + 1 - rank, n_scores if n_groups is None else n_groups
    if not 1 <= independent <= n_scores:
        raise UsageError(f"{n_scores} scores cannot be of {n_groups} groups: give 1 to {n_scores}.")
    if above > independent:
        return 1.0, 1.0
    return above / (independent + 1), beta_bound(above, independent, confidence)


def beta_bound(above: int, n: int, confidence: float) -> float:
    """The `confidence` quantile of Beta(above, n + 1 - above), the share beyond the `above`-th largest of n scores.

    1 where `above` is more than n: so few say nothing.
    """
    if above > n:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(50):  # bisection, to 1e-15
        middle = (low + high) / 2
        if _binomial_below(above, n, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _binomial_below(count: int, n: int, share: float) -> float:
    """P(X < count) for X ~ Binomial(n, share), which is P(Beta(count, n + 1 - count) > share)."""
    log_share, log_rest = math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * log_share
            + (n - k) * log_rest
        )
        for k in range(count)
    )


def conformal_limit(scores: Scores, rate: float) -> float | None:
    """The score above which at most `rate` of what is like that scored lies; None where too few scores say so.

    The k-th smallest of n scores, k = ceil((1 - rate) (n + 1)): if the next is exchangeable with them it is above with
    a probability of at most `rate`, whatever their distribution. That needs n >= 1 / rate - 1: 9 scores for 0.1.

    References:
        Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005.

    Raises:
        UsageError: a score is not finite, or `rate` is outside (0, 1).
    """
    if not 0 < rate < 1:
        raise UsageError(f"A rate of {rate} is not possible: choose one between 0 and 1, like 0.1.")
    if not np.size(scores):
        return None
    ordered = np.sort(_checked(scores))
    place = math.ceil((1 - rate) * (len(ordered) + 1) - 1e-9)  # 0.9 x 10 is 9, whatever floats say
    return float(ordered[place - 1]) if place <= len(ordered) else None


def percentile(normal_scores: npt.ArrayLike, score: float) -> float:
    """Share of good parts' scores below `score`, ties counting half, in percent."""
    scores = np.asarray(normal_scores, np.float64)
    return 100 * float(np.mean(scores < score) + 0.5 * np.mean(scores == score))


def _rank(n_scores: int, quantile: float) -> int:
    """Which of n sorted scores is the threshold, counted from 1."""
    if n_scores < 1:
        raise UsageError("A threshold needs scores of normal images, and there are none: give at least one.")
    if not 0 < quantile < 1:
        raise UsageError(f"A quantile of {quantile} is not possible: choose one between 0 and 1, like 0.995.")
    return math.ceil(quantile * (n_scores - 1)) + 1


def _checked(scores: Scores) -> npt.NDArray[np.float64]:
    """Scores as float64 (float32 stays exact), refused unless one-dimensional, present and finite."""
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise UsageError(
            f"Scores of shape {values.shape} cannot be calibrated on: give at least one of a good image, all "
            "finite, in one dimension."
        )
    return values
